// Puts the page together: the stream feeds the story, the story is drawn; or a replay of it is.

import { Cards } from "./cards.js";
import { offerChoices } from "./choices.js";
import { by, write } from "./dom.js";
import { calm, pattern, sign } from "./drawing.js";
import { entry } from "./entry.js";
import { showEvents } from "./events.js";
import { fault, showFault } from "./fault.js";
import { headline, layOutHeadline } from "./headline.js";
import { makeLanes } from "./lanes.js";
import { held } from "./hold.js";
import { showLegend } from "./legend.js";
import "./lessons.js";
import { DELAY_MS, clock, live } from "./live.js";
import { offset, setOffset } from "./offset.js";
import { offerLessons, openPanel, showPanel } from "./panel.js";
import "./projector.js";
import { advance, replay, seek } from "./replay.js";
import { titleOf } from "./sets.js";
import { speak } from "./speech.js";
import { Stream } from "./stream.js";
import { inLanguage, outcomeName, t } from "./text.js";
import { verdicts } from "./verdicts.js";

/** @typedef {import("./types.js").Pod} Pod */
/** @typedef {import("./story.js").Story} Story */

/** When requests fail and none has been answered for so long, the page says so. */
const SILENT_MS = 1000;

/** @type {{ label: string, pods: string, traffic: string | null }[]} */
let services = [];
/** Who only watches chooses nothing for the others. */
const isWatching = new URLSearchParams(location.search).has("watch");
document.body.className = isWatching ? "watching" : "";
let viewers = 1, sent = 0, actions = false, drawn = 0;
let state = { name: "loading", pod: "", why: "", since: 0 };
/** @type {Record<string, string[]>} */
let problems = {};
/** @type {((story: Story, now: number) => void)[]} */
let lanes = [];
/** @type {Cards[]} */
let cards = [];

const stream = new Stream({
  onState(name, { pod, why = "" }) {
    // Also from one pod to the next, whose requests begin anew.
    if (state.name === "live") live.hear({ t: clock(), blind: true });
    // The end of its name tells a pod from the others. At first there is none to go on from.
    const since = name === state.name ? state.since : clock();
    state = { name: name === "moved" && !pod ? "loading" : name, pod: pod.split("-").at(-1) ?? "", why, since };
  },
  onEvent(name, data) {
    setOffset(data.now, name === "hello");
    if (name === "hello") {
      actions = data.actions && !isWatching;
      if (data.lessons) offerLessons(data.lessons);
      /** @type {HTMLButtonElement} */ (by("all")).disabled = false;
      if (JSON.stringify(services) !== JSON.stringify(data.services)) layOut(data.services);
    } else if (name === "status") {
      ({ viewers, rate: sent } = data);
      live.setRate(sent);
    } else if (name === "problems") problems = data;
    const heard = entry(name, data, offset);
    if (!heard) return;
    // Also while the page isn't shown, when the browser asks for no frame.
    live.tick(heard.t);
    live.hear(heard);
  },
});

/** Lays the page out for these Services. @param {typeof services} found */
function layOut(found) {
  services = found;
  live.labels = services.map((service) => service.label);
  for (const id of ["lanes", "cards"]) by(id).replaceChildren();
  for (const id of ["cards", "lanes"]) by(id).classList.toggle("two", found.length > 1);
  lanes = live.labels.map((label, i) => makeLanes(by("lanes"), label, i));
  cards = live.labels.map((label, i) => new Cards(by("cards"), label, i, act));
  layOutHeadline(live.labels);
}

/** @param {Pod | null} pod */
const act = (pod) => openPanel(pod, actions);
by("all").onclick = () => act(null);

function draw() {
  const real = clock();
  live.tick(real);
  if (replay) advance(real);
  if (calm() && real - drawn < 1000) return;
  const story = replay?.story ?? live;
  const now = replay?.at ?? real - DELAY_MS;
  for (const lane of lanes) lane(story, replay ? now : held || now);
  if (real - drawn >= (replay ? 100 : 200)) {
    drawn = real;
    show(story, now, real);
  }
}

function frame() {
  // One that fails is not the last one.
  requestAnimationFrame(frame);
  draw();
}

/** Everything that need not move with every frame. @param {Story} story @param {number} now @param {number} real */
function show(story, now, real) {
  const status = by("status");
  // Green is for what is live and answered.
  const silent = Math.max(...live.sides.map((side) => side.running));
  const isSilent = state.name === "live" && silent >= SILENT_MS;
  status.className = isSilent ? "silent" : state.name;
  const parts = [t(state.name, state)];
  if (isSilent) parts.unshift(t("silent", { s: Math.floor(silent / 1000) }));
  if (state.name === "live" && viewers > 1) parts.push(t("viewers", { n: viewers }));
  write(status, parts.join(" · "));
  write(by("sent"), state.name === "live" && sent !== stream.rate ? t("sent", { n: sent }) : "");
  if (fault) showFault();
  else write(by("problem"), state.name === "lost" ? state.why || t("lostWhy") : Object.values(problems).map(inLanguage).join(" "));
  // Without a connection nobody knows how the pods are now.
  const isOld = story === live && state.name === "lost";
  services.forEach((service, i) => cards[i].show(story.podsOf(i), story, isOld ? state.since : now, service.pods, isOld));
  const legend = story.sets.list().map((set) => [titleOf(set), pattern(set.look), titleOf(set)]);
  const failures = new Set(story.sides.flatMap((side) => Object.keys(side.outcomes)));
  for (const outcome of failures) legend.push([outcome, sign(outcome), outcomeName(outcome)]);
  if (story.sides.some((side) => side.late)) legend.push(["late", "○ ", t("late")]);
  if (story.blind.length) legend.push(["blind", "▒ ", t("unobserved")]);
  showLegend(by("legend"), legend);
  headline(story, now);
  showPanel(story, now, isOld);
  showEvents(story, now);
  verdicts();
  speak(fault ? t("broken") : isSilent || state.name === "lost" ? parts[0] : "", real);
}

// Below a folder its URLs lead to this server, also if a proxy serves it as the folder without a slash.
if (!location.pathname.endsWith("/")) history.replaceState(null, "", location.pathname + "/" + location.search);
offerChoices((rate) => stream.open(sent = isWatching ? 0 : rate), () => {
  if (replay) seek(replay.at);
  drawn = 0;
  draw();
});
// For tests and for the curious.
Object.assign(window, { page: { live, stream } });
frame();
