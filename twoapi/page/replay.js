// A change is replayed, at a tenth of its speed.

import { by, write } from "./dom.js";
import { DELAY_MS, clock, live } from "./live.js";
import { Story } from "./story.js";
import { t } from "./text.js";

/** @typedef {import("./types.js").Change} Change */

const SLOWER = 10, STEP_MS = 100;

/** @type {null | { change: Change, what: () => string, story: Story, at: number, told: number, playing: boolean, last: number }} */
export let replay = null;

/** So much of the lead is passed over: it is on the axis, and a step back leads there. */
const PASSED_MS = 4000;

/** Begins to replay a change. @param {Change} change @param {() => string} what names it */
export function beginReplay(change, what) {
  replay = { change, what, story: live, at: Infinity, told: 0, playing: true, last: clock() };
  seek(change.begin + PASSED_MS);
  by("replay").hidden = false;
  by("replay-play").focus();
}

/** Shows the replay at this time. @param {number} at */
export function seek(at) {
  if (!replay) return;
  const { change } = replay;
  if (at < replay.at) {
    // It begins to look in the middle of what happens.
    replay.story = new Story(live.labels, -Infinity);
    replay.story.sets = live.sets;
    replay.story.normal = change.verdict.normal_gap_ms;
    replay.told = 0;
  }
  replay.at = Math.min(Math.max(at, change.begin), change.end);
  // What was seen a moment later had happened by then.
  while (change.tape[replay.told]?.t <= replay.at + DELAY_MS) replay.story.hear(change.tape[replay.told++]);
  if (replay.at === change.end) replay.playing = false;
  // The slider has whole milliseconds, and reaches the end.
  const [max, value] = [Math.ceil(change.end - change.begin), replay.at - change.begin];
  const [all, position] = [max, value].map((ms) => (ms / 1000).toFixed(1));
  Object.assign(by("replay-at"), { max, value, ariaValueText: t("replayAt", { at: position, all }) });
  write(by("replay-play"), t(replay.playing ? "pause" : "play"));
  write(by("replay-what"), `${replay.what()} · ${t("replaying")} · ${position} s`);
}

/** Goes on with the replay. @param {number} real the time now */
export function advance(real) {
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
  if (replay) stepBy(replay.change.begin + Number(/** @type {HTMLInputElement} */ (by("replay-at")).value) - replay.at);
};
addEventListener("keydown", (event) => {
  // Elsewhere fields and buttons have keys of their own, and so has the button that plays.
  const element = /** @type {Element} */ (event.target);
  const isOwn = by("replay").contains(element);
  if (!replay || event.altKey || document.querySelector("dialog[open]") || !isOwn && /INPUT|SELECT/.test(element.tagName)) return;
  if (event.key === " " && /BUTTON|SUMMARY/.test(element.tagName) && (!isOwn || element.id === "replay-play")) return;
  if (event.key === " ") playOrPause();
  else if (event.key === "ArrowRight") stepBy(STEP_MS);
  else if (event.key === "ArrowLeft") stepBy(-STEP_MS);
  else if (event.key === "Escape") endReplay();
  else return;
  event.preventDefault();
});
