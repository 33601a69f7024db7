// One bar for each pod, on the axis of the lanes: thin lines until the pod is ready, its ReplicaSet's pattern while it
// is, thick lines while it stops, with the seconds for which it still accepts requests, and a tick at its SIGTERM.

import { colour, pieces } from "./drawing.js";
import { titleOf } from "./sets.js";

/** @typedef {import("./lives.js").Life} Life */
/** @typedef {import("./sets.js").ReplicaSet} ReplicaSet */
/** @typedef {import("./story.js").Story} Story */
/** @typedef {(g: CanvasRenderingContext2D, now: number, x: (t: number) => number, top: number, width: number) => void} Drawer */

const BAR = 16, THIN = 6, SPACE = 2, AREA = 96;

/** A bar that is as high has a label. */
const LABELLED = 11;

/** From so many pods on the bars are thin, and then there is one area for all. */
const THIN_FROM = 12, AREA_FROM = 50;

/** In an area, pods that aren't ready are above the others. */
const UNREADY = 1e9;

/**
 * Makes the bars of a Service. The function that it returns gives each bar a row, and tells how high all of them are,
 * and what draws them. While a change goes on no bar moves.
 */
export function makeBars() {
  /** Which bar is in which row. @type {string[]} */
  let rows = [];
  /** How many pods there were at rest. */
  let pods = 0;

  /** @param {Story} story @param {number} service @param {Life[]} lives @param {number} room how high they may be
   * @returns {[number, Drawer]} */
  return (story, service, lives, room) => {
    const { open } = story.side(service);
    if (!open || !pods) pods = (open?.from ?? story.podsOf(service)).length;
    // Also while very many come to a few.
    if (pods >= AREA_FROM || lives.length >= 2 * AREA_FROM) return [AREA, (...where) => drawArea(lives, Math.max(lives.length, pods), ...where)];
    if (!open) rows = lives.sort((a, b) => a.pod.set.order - b.pod.set.order || (a.name < b.name ? -1 : 1)).map(({ name }) => name);
    const names = new Set(lives.map(({ name }) => name));
    for (const name of names) {
      if (rows.includes(name)) continue;
      const free = rows.findIndex((old) => !names.has(old));
      rows[free < 0 ? rows.length : free] = name;
    }
    // An update needs as many once more.
    const count = Math.max(2 * pods, rows.length);
    const size = Math.max(1, Math.min(pods < THIN_FROM ? BAR : THIN, Math.floor(room / count) - SPACE));
    return [count * (size + SPACE), (...where) => drawBars(lives, rows, size, ...where)];
  };
}

/** @param {Life[]} lives @param {string[]} rows @param {number} size
 * @param {CanvasRenderingContext2D} g @param {number} now @param {(t: number) => number} x @param {number} top @param {number} width */
function drawBars(lives, rows, size, g, now, x, top, width) {
  for (const life of lives) {
    const y = top + rows.indexOf(life.name) * (size + SPACE);
    const own = colour(`v${life.pod.set.look}`);
    life.states.forEach(([from, state], i) => {
      const [left, right] = [Math.max(0, x(from)), Math.min(width, x(Math.min(life.states[i + 1]?.[0] ?? life.end, now)))];
      if (right <= left) return;
      g.fillStyle = own;
      g.globalAlpha = 0.16;
      g.fillRect(left, y, right - left, size);
      g.globalAlpha = 1;
      // In whole pixels, or a thin bar would be blurred.
      if (state === "ready") for (const [a, b] of pieces(life.pod.set.look)) g.fillRect(left, y + Math.round(a * size), right - left, Math.round(b * size) - Math.round(a * size));
      // Stripes that move with the bar.
      else for (let at = left - ((left - x(from)) % 8); at < right; at += 8) g.fillRect(at, y, state === "stopping" ? 4 : 1, size);
      if (state === "stopping" && x(from) >= 0) {
        g.fillStyle = colour("ink");
        g.fillRect(left - 1.5, y - SPACE, 3, size + 2 * SPACE);
      }
    });
    if (size < LABELLED) continue;
    label(g, life.name.split("-").at(-1) ?? "", Math.max(0, x(life.states[0][0])) + 4, y + size / 2 + 4);
    const { pod } = life;
    if (life.end <= now || pod.state !== "stopping" || !pod.stop) continue;
    const left = pod.stop.drain_seconds - (now - life.seen) / 1000;
    if (left > 0) label(g, `${left.toFixed(1)} s`, width - 6, y + size / 2 + 4, 1);
  }
}

/** How many pods of each ReplicaSet were ready, and above them how many weren't, for each few pixels.
 * @param {Life[]} lives @param {number} most how many fill it
 * @param {CanvasRenderingContext2D} g @param {number} _ @param {(t: number) => number} x @param {number} top @param {number} width */
function drawArea(lives, most, g, _, x, top, width) {
  const step = 4, count = Math.ceil(width / step);
  const column = (/** @type {number} */ time) => Math.max(0, Math.min(count, Math.ceil(x(time) / step)));
  /** How many more there are in each column than in the one before; the numbers are in their order.
   * @type {Record<number, { set: ReplicaSet, alpha: number, steps: number[] }>} */
  const layers = {};
  for (const { states, end, pod: { set } } of lives) {
    states.forEach(([from, state], i) => {
      const [first, alpha] = state === "ready" ? [0, 1] : [UNREADY, 0.35];
      const { steps } = (layers[first + set.order] ??= { set, alpha, steps: Array(count + 1).fill(0) });
      steps[column(from)] += 1;
      steps[column(Math.max(from, states[i + 1]?.[0] ?? end))] -= 1;
    });
  }
  const tops = Array(count).fill(top + AREA);
  for (const { set, alpha, steps } of Object.values(layers)) {
    g.fillStyle = colour(`v${set.look}`);
    g.globalAlpha = alpha;
    let height = 0, pods = 0;
    tops.forEach((y, i) => {
      pods += steps[i];
      height = (pods / most) * AREA;
      tops[i] = y - height;
      // With a line to the next one.
      if (pods) g.fillRect(i * step, tops[i] + 0.5, step, height - 0.5);
    });
    g.globalAlpha = 1;
    if (alpha === 1 && height > LABELLED) label(g, titleOf(set), width - 6, tops[count - 1] + height / 2 + 4, 1);
  }
}

/** A text on a ground of its own, so that it can be read over what is drawn.
 * @param {CanvasRenderingContext2D} g @param {string} text @param {number} x @param {number} y @param {number} [share] of it that is before x */
export function label(g, text, x, y, share = 0) {
  const { width } = g.measureText(text);
  g.fillStyle = colour("ground");
  g.fillRect(x - share * width - 3, y - 10, width + 6, 13);
  g.fillStyle = colour("ink");
  g.fillText(text, x - share * width, y);
}
