// Puts the page together: the stream feeds the story, the story is drawn; or a replay of it is.

import { Cards } from "./cards.js";
import { Chart } from "./chart.js";
import { Lanes, calm, forgetColours, pattern, sign } from "./lanes.js";
import { Story, entry } from "./story.js";
import { Stream } from "./stream.js";
import { language, make, outcomeName, t, translate, write } from "./text.js";

/** @typedef {import("./story.js").Change} Change */
/** @typedef {import("./story.js").Pod} Pod */
/** @typedef {import("./story.js").Verdict} Verdict */

const RATES = [0, 1, 5, 10, 20, 50];
const SLOWER = 10, STEP_MS = 100;

/** @template {HTMLElement} [T=HTMLElement] @param {string} id */
const by = (id) => /** @type {T} */ (document.getElementById(id));

/** What the reader has chosen, which a browser may not keep. @type {Record<string, string | undefined>} */
let chosen = {};
try { chosen = localStorage ?? chosen; } catch { /* then it is for this time only */ }

const live = new Story();
/** @type {{ label: string, pods: string, traffic: string | null }[]} */
let services = [];
let offset = 0, late = Infinity, viewers = 1, actions = false, drawn = 0, listed = "";
let state = { name: "loading", pod: "", why: "" };
/** @type {Record<string, string>} */
let problems = {};
/** @type {null | { change: Change, story: Story, at: number, told: number, playing: boolean, last: number }} */
let replay = null;
/** @type {Lanes[]} */
let lanes = [];
/** @type {Cards[]} */
let cards = [];
/** @type {Pod | null} */
let target = null;
const chart = new Chart(/** @type {HTMLCanvasElement} */ (by("chart")));

/** Between the time of the server's events and the picture, so that marks come in from the edge. */
const DELAY_MS = 150;

/** When all events are late by more, for as long, the server's clock has been set back. A few are also late
 * after the page has stood still. */
const CLOCK_SET_MS = 5_000;

/** The time of day when the page was opened, and from then on a clock that nobody sets. */
const clock = () => performance.timeOrigin + performance.now();

const stream = new Stream({
  onState(name, { pod, why = "" }) {
    // Also from one pod to the next, whose requests begin anew.
    if (state.name === "live") live.hear({ t: clock(), blind: true });
    // The end of its name tells a pod from the others. At first there is none to go on from.
    state = { name: name === "moved" && !pod ? "loading" : name, pod: pod.split("-").at(-1) ?? "", why };
  },
  onEvent(name, data) {
    // How far the server's clock is ahead, by the event that took the shortest time.
    const ahead = data.now - clock();
    late = ahead < offset - CLOCK_SET_MS ? Math.min(late, clock()) : Infinity;
    if (name === "hello" || ahead > offset || clock() - late > CLOCK_SET_MS) offset = ahead;
    if (name === "hello") {
      actions = data.actions;
      /** @type {HTMLButtonElement} */ (by("all")).disabled = false;
      if (JSON.stringify(services) !== JSON.stringify(data.services)) lay(data.services);
    } else if (name === "status") {
      viewers = data.viewers;
      if (!data.rate) live.pause();
    }
    else if (name === "problems") problems = data;
    const heard = entry(name, data, offset);
    // Also while the page isn't shown, when the browser asks for no frame.
    if (heard) live.tick(heard.t);
    if (heard) live.hear(heard);
  },
});

live.onMoment = (moment) => {
  const list = by("moments");
  list.append(make("li", "", `${moment.pod} ${moment.version} ${t(moment.kind)}`));
  while (list.children.length > 5) list.firstChild?.remove();
};

/** Lays the page out for these Services. @param {typeof services} found */
function lay(found) {
  services = found;
  live.labels = services.map((service) => service.label);
  by("lanes").replaceChildren();
  by("cards").replaceChildren();
  by("counters").replaceChildren();
  by("cards").classList.toggle("two", found.length > 1);
  lanes = services.map(({ label }, i) => new Lanes(by("lanes"), label, i));
  cards = services.map(({ label }, i) => new Cards(by("cards"), label, i, open));
  listed = "";
}

function frame() {
  const real = clock();
  live.tick(real);
  if (replay) advance(real);
  if (!calm() || real - drawn >= 1000) {
    const story = replay?.story ?? live;
    const now = replay?.at ?? real - DELAY_MS;
    for (const lane of lanes) lane.draw(story, now);
    if (real - drawn >= (replay ? 100 : 200)) {
      drawn = real;
      show(story, now);
    }
  }
  requestAnimationFrame(frame);
}

/** Everything that need not move with every frame. @param {Story} story @param {number} now */
function show(story, now) {
  const status = by("status");
  status.className = state.name;
  const text = t(state.name, state);
  write(status, state.name === "live" && viewers > 1 ? `${text} · ${t("viewers", { n: viewers })}` : text);
  write(by("problem"), state.name === "lost" ? state.why || t("lostWhy") : Object.values(problems).join(" "));
  services.forEach((service, i) => cards[i].show(story.podsOf(i), story, now, service.pods));
  chart.draw(story, now);
  legends(by("bands"), chart.named.map(({ name, fill }) => {
    const dot = make("span", "", fill && "■ ");
    dot.style.color = fill;
    return [name + fill, dot, chart.by === "pod" ? name.split("-").at(-1) ?? "" : name];
  }));
  const legend = story.versions.map((version, i) => ["v" + i, pattern(i), version]);
  const failures = new Set(story.sides.flatMap((side) => Object.keys(side.outcomes)));
  for (const outcome of failures) legend.push([outcome, sign(outcome), outcomeName(outcome)]);
  if (story.sides.some((side) => side.late)) legend.push(["late", "○ ", t("late")]);
  legends(by("legend"), legend);
  counters();
  verdicts();
}

/** @param {HTMLElement} list @param {(string | Node)[][]} entries */
function legends(list, entries) {
  const key = entries.map((parts) => parts[0]).join() + language();
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...entries.map(([, image, text]) => {
    const item = make("li", "", image);
    item.append(text);
    return item;
  }));
}

function counters() {
  const place = by("counters");
  while (place.children.length < services.length) {
    const side = make("div", "side");
    if (services.length > 1) side.append(make("h3", "", services[place.children.length].label));
    for (const name of ["ok", "failed", "gap"]) {
      const box = make("div", name, make("b"));
      box.append(make("p"));
      side.append(box);
    }
    place.append(side);
  }
  services.forEach((_, i) => {
    const { ok, failed, gap } = live.side(i);
    for (const [name, value] of Object.entries({ ok, failed, gap: Math.round(gap) })) {
      const box = place.children[i].querySelector(`.${name}`);
      if (!box) continue;
      write(/** @type {Element} */ (box.firstChild), value.toLocaleString(language()));
      write(/** @type {Element} */ (box.lastChild), t(name));
      box.classList.toggle("bad", name === "failed" && value > 0);
    }
  });
}

/** A verdict in a sentence. @param {Verdict} v */
function sentence(v) {
  const gaps = { ...v, from: v.from.join(t("comma")), to: v.to.join(t("comma")), n: v.pods, s: v.seconds };
  const parts = [t(v.kind, gaps), t("requests", { n: v.requests.toLocaleString(language()), f: v.failed })];
  for (const [outcome, count] of Object.entries(v.outcomes)) parts.push(`${count} ${outcomeName(outcome)}`);
  if (v.longest_gap_ms !== null) parts.push(t("longest", { g: v.longest_gap_ms }));
  if (v.late) parts.push(t("lateOnes", { n: v.late }));
  if (v.stuck) parts.push(t("stuck", { n: v.stuck }));
  if (v.unobserved_seconds) parts.push(t("blind", { s: v.unobserved_seconds }));
  // English alone has a plural.
  const text = parts.join(t("comma")).replace(/\b1 (pod|request)s/g, "1 $1");
  return (services.length > 1 ? `${v.label}: ` : "") + text;
}

function verdicts() {
  const going = live.sides.some((side) => side.open);
  const replays = live.changes.filter((change) => change.tape.length).length;
  const key = [language(), going, replays, live.changes.length, live.changes[0]?.begin].join();
  if (key === listed) return;
  listed = key;
  const items = live.changes.map((change) => {
    const text = sentence(change.verdict);
    const item = make("li", change.verdict.failed ? "bad" : "");
    const cut = text.search(/[,，]/);
    const line = make("p", "", make("strong", "", text.slice(0, cut)));
    line.append(text.slice(cut));
    item.append(line);
    if (change.tape.length) item.append(button(t("replay"), () => begin(change)));
    item.append(copyButton("copy", text), copyButton("copyJson", JSON.stringify(change.verdict, null, 2)));
    return item;
  });
  if (going) items.unshift(make("li", "note", t("going")));
  if (!items.length) items.push(make("li", "note", t("noVerdict")));
  // A new one comes in at the top, so the button that has the focus is known by its place from the end.
  const buttons = () => [...by("changes").querySelectorAll("button")].reverse();
  const focused = buttons().findIndex((element) => element === document.activeElement);
  by("changes").replaceChildren(...items);
  buttons()[focused]?.focus();
}

/** @param {string} text @param {() => void} act */
function button(text, act) {
  const element = make("button", "", text);
  element.type = "button";
  element.onclick = act;
  return element;
}

/** @param {string} key @param {string} text */
function copyButton(key, text) {
  const element = button(t(key), () => {
    // Only localhost and HTTPS have a clipboard for scripts. What is selected can be copied everywhere.
    const field = make("textarea", "", text);
    element.after(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    element.focus();
    element.textContent = t("copied");
    setTimeout(() => (element.textContent = t(key)), 1500);
  });
  return element;
}

/** Begins to replay a change. @param {Change} change */
function begin(change) {
  replay = { change, story: new Story(live.labels), at: change.begin, told: 0, playing: true, last: clock() };
  seek(change.begin);
  by("replay").hidden = false;
  by("replay-play").focus();
}

/** @param {number} at */
function seek(at) {
  if (!replay) return;
  const { change } = replay;
  if (at < replay.at || !replay.told) {
    replay.story = new Story(live.labels);
    replay.story.versions = [...live.versions];
    // The pods that were there are no news.
    replay.story.began = -Infinity;
    replay.told = 0;
  }
  replay.at = Math.min(Math.max(at, change.begin), change.end);
  // What was seen a moment later had happened by then.
  while (change.tape[replay.told]?.t <= replay.at + DELAY_MS) replay.story.hear(change.tape[replay.told++]);
  if (replay.at === change.end) replay.playing = false;
  const share = (replay.at - change.begin) / (change.end - change.begin);
  /** @type {HTMLInputElement} */ (by("replay-at")).value = String(share * 1000);
  write(by("replay-play"), t(replay.playing ? "pause" : "play"));
  write(by("replay-what"), `${t("replaying")} · ${((replay.at - change.begin) / 1000).toFixed(1)} s`);
}

/** @param {number} real */
function advance(real) {
  if (!replay) return;
  const passed = (real - replay.last) / SLOWER;
  replay.last = real;
  if (replay.playing) seek(replay.at + passed);
}

function playOrPause() {
  if (!replay) return;
  replay.playing = !replay.playing;
  seek(replay.playing && replay.at === replay.change.end ? replay.change.begin : replay.at);
}

/** @param {number} ms */
function stepBy(ms) {
  if (!replay) return;
  replay.playing = false;
  seek(replay.at + ms);
}

function endReplay() {
  replay = null;
  by("replay").hidden = true;
  by("changes").focus();
}

by("replay-play").onclick = playOrPause;
by("replay-step").onclick = () => stepBy(STEP_MS);
by("replay-back").onclick = () => stepBy(-STEP_MS);
by("replay-end").onclick = endReplay;
by("replay-at").oninput = () => {
  if (!replay) return;
  const share = Number(/** @type {HTMLInputElement} */ (by("replay-at")).value) / 1000;
  stepBy(replay.change.begin + share * (replay.change.end - replay.change.begin) - replay.at);
};
addEventListener("keydown", (event) => {
  const { tagName } = /** @type {Element} */ (event.target);
  if (!replay || /INPUT|SELECT/.test(tagName) || tagName === "BUTTON" && event.key === " ") return;
  if (event.key === " ") playOrPause();
  else if (event.key === "ArrowRight") stepBy(STEP_MS);
  else if (event.key === "ArrowLeft") stepBy(-STEP_MS);
  else if (event.key === "Escape") endReplay();
  else return;
  event.preventDefault();
});

/** Opens the dialog for a pod, or for all. @param {Pod | null} pod */
function open(pod) {
  target = pod;
  write(by("dialog-title"), pod ? t("actOn", { pod: pod.name ?? pod.ip }) : t("allPods", { service: services[0]?.label }));
  write(by("answer"), actions ? "" : t("noActions"));
  // Where no container allows fault switches, or it isn't known, the answer says so.
  const allowing = (pod ? [pod] : live.podsOf(0)).flatMap((one) => one.allows_faults ?? []);
  const containers = [.../** @type {HTMLSelectElement} */ (by("container")).options];
  for (const option of containers) option.disabled = allowing.length > 0 && !allowing.includes(option.value);
  (containers.find((option) => !option.disabled) ?? containers[0]).selected = true;
  for (const element of document.querySelectorAll("[data-do]")) /** @type {HTMLButtonElement} */ (element).disabled = !actions;
  /** @type {HTMLDialogElement} */ (by("dialog")).showModal();
}

by("all").onclick = () => open(null);
by("try").onclick = () => {
  commands();
  /** @type {HTMLDialogElement} */ (by("lessons")).showModal();
};
by("dialog").onclick = async (event) => {
  const action = /** @type {HTMLElement} */ (event.target).dataset.do;
  if (!action) return;
  // The dialog stays.
  event.preventDefault();
  write(by("answer"), "…");
  const value = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (by(id)).value;
  const body = { action, service: target?.service ?? 0, pod: target?.ip ?? null, millicores: Number(value("millicores")), seconds: Number(value("seconds")), container: value("container"), fault: value("fault") };
  const answer = await fetch("page/actions", { method: "POST", body: JSON.stringify(body) }).then((response) => response.text(), String);
  write(by("answer"), answer);
};

/** What a pod calls itself, to stand in a command that somebody copies into a shell: only if it can be
 * the name of an object. @param {string | null | undefined} name @param {string} otherwise */
const safe = (name, otherwise) => (/^[a-z0-9][a-z0-9.-]*$/.test(name ?? "") ? name : otherwise);

function commands() {
  const pod = live.podsOf(0)[0];
  const namespace = safe(pod?.namespace, "chesterns");
  const of = `deployment/chesterdeployment -n ${namespace}`;
  const entries = [
    ["tryRestart", `kubectl rollout restart ${of}`],
    ["tryUndo", `kubectl rollout undo ${of}`],
    ["tryScale", `kubectl scale ${of} --replicas=6`],
    ["tryDelete", `kubectl delete pod -n ${namespace} ${safe(pod?.name, "POD")} --wait=false`],
    ["tryNoDrain", `kubectl patch ${of} --patch-file k8s/lessons/no-drain.patch.yaml`],
  ];
  by("commands").replaceChildren(...entries.map(([key, command]) => {
    const item = make("li", "", t(key));
    item.append(make("code", "", command), copyButton("copy", command));
    return item;
  }));
}

/** After a choice of language or theme. @param {string} to the language */
function relabel(to = language()) {
  translate(to);
  const zh = language() === "zh";
  const other = by("language");
  other.lang = zh ? "en" : "zh";
  other.textContent = zh ? "English" : "中文";
  const { colorScheme } = document.documentElement.style;
  const dark = colorScheme ? colorScheme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const toggle = by("theme").dataset.t = dark ? "light" : "dark";
  write(by("theme"), t(toggle));
  forgetColours();
  listed = "";
  if (replay) seek(replay.at);
}

by("language").onclick = () => {
  relabel(by("language").lang);
  chosen.language = language();
};
by("theme").onclick = () => {
  const to = by("theme").dataset.t ?? "";
  document.documentElement.style.colorScheme = to;
  relabel();
  chosen.theme = to;
};
matchMedia("(prefers-color-scheme: dark)").onchange = () => relabel();
for (const radio of document.querySelectorAll("[name=by]")) {
  /** @type {HTMLInputElement} */ (radio).onchange = () => (chart.by = /** @type {HTMLInputElement} */ (radio).value);
}

const rate = RATES.find((number) => String(number) === chosen.rate) ?? 10;
for (const number of RATES) {
  const [label, input] = [make("label"), make("input")];
  input.type = "radio";
  input.name = "rate";
  input.checked = number === rate;
  input.onchange = () => {
    stream.open(number);
    chosen.rate = String(number);
  };
  label.append(input, String(number));
  by("rate").append(label);
}
// Below a folder its URLs lead to this server, also if a proxy serves it as the folder without a slash.
if (!location.pathname.endsWith("/")) history.replaceState(null, "", location.pathname + "/");
document.documentElement.style.colorScheme = chosen.theme ?? "";
relabel((chosen.language ?? navigator.language).startsWith("zh") ? "zh" : "en");
stream.open(rate);
// For tests and for the curious.
Object.assign(window, { page: { live, stream, chart } });
requestAnimationFrame(frame);
