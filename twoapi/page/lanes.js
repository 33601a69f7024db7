// The running axis: one lane for fresh and one for kept connections of each Service, a mark for each
// request, and below them a bar for each pod. From a distance, each second is a column. A phone has one lane for
// both, and no bars. The mark under the pointer or a finger, or the one that the arrows have reached, tells what it
// is, also while it moves on. To a reader of the screen the picture is a slider, whose value is said when a key
// changes it.

import { label, makeBars } from "./bars.js";
import { by, make } from "./dom.js";
import { colour, fit, forgetColours, pathOf, pieces } from "./drawing.js";
import { live } from "./live.js";
import { scale } from "./projector.js";
import { LOOKS } from "./sets.js";
import { outcomeName, t } from "./text.js";

/** @typedef {import("./story.js").Story} Story */
/** @typedef {import("./types.js").Mark} Mark */

/** What is seen: some seconds, of which fewer fit the more requests there are, or two minutes. */
const SHORT_MS = 20_000, LONG_MS = 120_000;

/** So far apart are marks at least, in pixels. */
const APART = 5;

/** A narrower picture is one of a phone. */
const NARROW = 500;

const LANE = 46, GAP = 6, AXIS = 18;

/** A mark is hit at this distance, in pixels, and a failure from farther away. */
const HIT = 25, FARTHER = 4;

/** Below the pictures, on a projector. */
const MARGIN = 12;

/** Makes the picture of a Service, and returns what draws it: a story at some time, or again what was drawn last.
 * @param {HTMLElement} place @param {string} name @param {number} service
 * @returns {(story: Story, now: number) => void} */
export function makeLanes(place, name, service) {
  const canvas = make("canvas"), bars = makeBars();
  let labelled = 0;
  /** The one that is chosen. @type {Mark | undefined} */
  let chosen;
  /** What is drawn, the last one first. @type {Mark[]} */
  let drawn = [];
  /** Draws once more. @type {(...at: number[]) => void} */
  let again = () => {};

  Object.assign(canvas, { tabIndex: 0, role: "slider", ariaValueNow: "0", ariaValueText: "–" });
  const pick = (/** @type {number[]} */ ...at) => {
    chosen = undefined;
    again(...at);
  };
  // A finger may not move at all.
  canvas.onmousemove = canvas.onclick = (/** @type {MouseEvent} */ { offsetX, offsetY }) => pick(offsetX, offsetY);
  canvas.onmouseleave = canvas.onblur = () => pick();
  canvas.onkeydown = (event) => {
    const step = { ArrowLeft: 1, ArrowRight: -1, Home: drawn.length, End: -drawn.length }[event.key];
    if (!step) return;
    event.preventDefault();
    // Or a replay would move too.
    event.stopPropagation();
    chosen = drawn[drawn.indexOf(/** @type {Mark} */ (chosen)) + step] ?? drawn.at(step > 0 ? -1 : 0);
    if (chosen) canvas.ariaValueText = say(chosen);
    again();
  };
  place.append(make("figure", "", make("figcaption", "", name), canvas));

  /** @param {Story} story @param {number} now @param {number} left @param {number} above where a mark is chosen */
  return function draw(story, now, left = NaN, above = NaN) {
    again = (...at) => draw(story, now, ...at);
    const size = scale(), width = canvas.clientWidth / size;
    const both = canvas.clientWidth < NARROW ? [0] : [0, 1];
    const isLong = /** @type {HTMLInputElement} */ (by("zoom")).checked;
    const span = isLong ? LONG_MS : Math.min(SHORT_MS, (width / APART) * both.length * (live.normal || Infinity));
    const lives = story.lives.of(service, now - span, now);
    const lanes = both.length * (LANE + GAP) - GAP;
    // In a room all of it is seen at once.
    const room = size === 1 ? Infinity : (innerHeight - canvas.getBoundingClientRect().top - scrollY - MARGIN) / size - lanes - GAP - AXIS;
    const [below, drawBars] = both[1] ? bars(story, service, lives, room) : [0, null];
    const height = lanes + GAP + below + AXIS;
    canvas.style.height = `${height * size}px`;
    const g = fit(canvas, height * size, size);
    if (!g) return;
    const x = (/** @type {number} */ time) => width - ((now - time) / span) * width;
    g.fillStyle = colour("lane");
    for (const lane of both) g.fillRect(0, lane * (LANE + GAP), width, LANE);
    for (const [from, to] of story.blind) {
      g.fillStyle = colour("blind");
      const wide = Math.max(2, x(Math.min(to, now)) - x(from));
      g.fillRect(x(from), 0, wide, lanes);
      g.fillStyle = colour("muted");
      if (wide > 90) g.fillText(t("unobserved"), x(from) + 6, lanes / 2);
    }
    // What the reader has marked.
    g.fillStyle = colour("ink");
    for (const { kind, t: at } of story.moments) if (kind === "marker") g.fillRect(x(at), 0, 2, height - AXIS);
    drawBars?.(g, now, x, lanes + GAP, width);
    const step = span > SHORT_MS ? 30_000 : span > 8000 ? 5000 : 1000;
    for (let ago = step; ago < span; ago += step) {
      const at = x(now - ago);
      g.fillStyle = colour("muted");
      g.fillRect(at, height - AXIS, 1, 4);
      g.fillText(`-${ago / 1000} s`, at - 10, height - 3);
    }
    const placeOf = (/** @type {Mark} */ mark) => [x(mark.t), (mark.lane % both.length) * (LANE + GAP)];
    /** How many answers of each look, and behind them how many failures. @type {Map<string, number[]>} */
    const columns = new Map();
    drawn = [];
    let nearest = HIT;
    for (let i = story.marks.length - 1; i >= 0; i--) {
      const mark = story.marks[i];
      if (mark.t < now - span - 3000) break;
      if (mark.service !== service || mark.t > now) continue;
      const [at, top] = placeOf(mark);
      if (at >= 0) drawn.push(mark);
      const far = Math.hypot(left / size - at, above / size - top - LANE / 2) - (mark.set ? 0 : FARTHER);
      if (far < nearest) [nearest, chosen] = [far, mark];
      if (isLong) {
        const second = Math.floor(mark.t / 1000);
        const counts = columns.get(`${second} ${top}`) ?? [second, top, 0, 0, 0, 0, 0, 0, 0];
        counts[2 + (mark.set?.look ?? LOOKS)] += 1;
        columns.set(`${second} ${top}`, counts);
      } else if (mark.set) {
        g.fillStyle = colour(`v${mark.set.look}`);
        for (const [a, b] of pieces(mark.set.look)) g.fillRect(at - 1, top + 12 + a * (LANE - 14), 2.5, (b - a) * (LANE - 14));
        if (mark.late !== null) {
          g.fillStyle = colour("ink");
          g.fillText("○", at - 4.5, top + 11);
        }
      } else {
        g.strokeStyle = g.fillStyle = colour("failure");
        g.globalAlpha = 0.18;
        g.fillRect(at - 5, top, 10, LANE);
        g.globalAlpha = 1;
        g.lineWidth = 2.5;
        const path = new Path2D();
        path.addPath(pathOf(mark.outcome), { a: 5.5, d: 8, e: at, f: top + LANE / 2 });
        g.stroke(path);
      }
    }
    if (isLong) drawColumns(g, [...columns.values()], x);
    g.fillStyle = colour("muted");
    if (both[1]) for (const lane of both) label(g, t(lane ? "kept" : "fresh"), 6, lane * (LANE + GAP) + 14);
    if (!drawn[0]) g.fillText(t("noRequests"), width / 2, LANE / 2 + 4);
    if (chosen && drawn.includes(chosen)) {
      const [at, top] = placeOf(chosen);
      g.lineWidth = 1.5;
      g.strokeStyle = colour("ink");
      g.strokeRect(at - 7, top + 1, 14, LANE - 2);
      // A text that moves can't be read.
      label(g, say(chosen), 6, top + 14);
    }
    // A reader of the screen is told every few seconds, and not sixty times in each; nor while a request is chosen.
    if (Math.abs(now - labelled) > 4000 && document.activeElement !== canvas) {
      labelled = now;
      // The reader may have chosen others.
      forgetColours();
      const failed = drawn.filter(({ set }) => !set).length;
      canvas.ariaLabel = t("lanesLabel", { s: Math.round(span / 1000), ok: drawn.length - failed, failed });
    }
  };
}

/** A column for each second: from below the answers of each ReplicaSet, and from above what has failed.
 * @param {CanvasRenderingContext2D} g @param {number[][]} columns @param {(t: number) => number} x */
function drawColumns(g, columns, x) {
  const wide = x(1000) - x(0) - 0.5;
  const most = Math.max(5, ...columns.map(([, , ...counts]) => counts.reduce((a, b) => a + b)));
  for (const [second, top, ...counts] of columns) {
    let y = top + LANE;
    counts.forEach((count, look) => {
      if (!count) return;
      const isFailure = look === LOOKS;
      // One failure among many answers is seen too.
      const height = Math.max((count / most) * LANE, isFailure ? 3 : 0);
      y = isFailure ? top : y - height;
      g.fillStyle = colour(isFailure ? "failure" : `v${look}`);
      g.fillRect(x(second * 1000), y, wide, height);
    });
  }
}

/** What a mark is: what became of the request, how long it took, when it was over, as in logs, and which pod it met.
 * Without an answer that is the one which has answered over the same connection before. @param {Mark} mark */
function say({ t: at, took, outcome, pod, version }) {
  const who = pod ? `${version} ${pod.split("-").at(-1)}` : t(outcome === "ok" ? "" : "no answer");
  return [outcomeName(outcome), `${took} ms`, new Date(at).toISOString().slice(11), who].join(t("comma"));
}
