// The last two minutes as stacked answers per second, by version or by pod, and the failures on top.

import { colour, fit } from "./drawing.js";

/** @typedef {import("./story.js").Story} Story */

const SECONDS = 120, HEIGHT = 150, LEFT = 30, TOP = 4, BOTTOM = 22;

/** So many pods have a band of their own. Whatever the others have answered is one more band. */
const MAX_BANDS = 100;

/** So many are named. */
const MAX_NAMED = 8;

/** So many pods keep their numbers. */
const MAX_NUMBERS = 1000;

export class Chart {
  by = "version";
  /** The number of each pod, which chooses its place and its colour. @type {Map<string, number>} */
  numbers = new Map();
  /** What is named, with its colour. @type {{ name: string, fill: string }[]} */
  named = [];

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
  }

  /** @param {string} pod */
  number(pod) {
    if (this.numbers.size >= MAX_NUMBERS) this.numbers.clear();
    if (!this.numbers.has(pod)) this.numbers.set(pod, this.numbers.size);
    return this.numbers.get(pod) ?? 0;
  }

  /** @param {Story} story @param {number} now */
  draw(story, now) {
    const g = fit(this.canvas, HEIGHT);
    if (!g) return;
    const start = Math.floor(now / 1000) - SECONDS;
    const bands = this.count(story, start);
    const sums = Array.from({ length: SECONDS }, (_, s) => bands.reduce((sum, { counts }) => sum + counts[s], 0));
    const most = Math.max(5, ...sums);
    const [width, height] = [this.canvas.clientWidth - LEFT, HEIGHT - TOP - BOTTOM];
    // Edges between pixels would be blurred.
    const x = (/** @type {number} */ s) => LEFT + Math.round((s / SECONDS) * width);
    const y = (/** @type {number} */ n) => TOP + Math.round((1 - n / most) * height);
    g.fillStyle = colour("blind");
    for (const [from, to] of story.blind) {
      const [a, b] = [from, to].map((at) => x(Math.min(Math.max(at / 1000 - start, 0), SECONDS)));
      g.fillRect(a, TOP, b - a, height);
    }
    axes(g, most, x, y);
    const below = Array(SECONDS).fill(0);
    for (const { fill, counts, least } of bands) {
      g.fillStyle = fill;
      counts.forEach((n, s) => {
        if (!n) return;
        const [bottom, top] = [y(below[s]), y((below[s] += n))];
        // A line of the ground tells bands of one colour apart; one failure among many is seen.
        const line = this.by === "pod" && bottom - top > 2 ? 1 : 0;
        const size = Math.max(bottom - top - line, least);
        g.fillRect(x(s), bottom - line - size, x(s + 1) - x(s), size);
      });
    }
    this.named = bands.slice(0, Math.min(bands.length - 2, MAX_NAMED));
    if (bands.length - 2 > MAX_NAMED) this.named.push({ name: "…", fill: "" });
  }

  /** What each has answered in each second, from the lowest band to the highest. @param {Story} story @param {number} start */
  count(story, start) {
    const none = () => new Uint32Array(SECONDS);
    /** @type {Map<string, Uint32Array>} */
    const each = new Map();
    const [others, failed] = [none(), none()];
    for (const { t: time, outcome, pod, version } of story.marks) {
      const second = Math.floor(time / 1000) - start;
      if (second < 0 || second >= SECONDS) continue;
      const name = this.by === "pod" ? pod : version;
      if (outcome === "ok" && each.size < MAX_BANDS && !each.has(name)) each.set(name, none());
      const counts = outcome === "ok" ? each.get(name) ?? others : failed;
      counts[second] += 1;
    }
    const number = (/** @type {string} */ name) => (this.by === "pod" ? this.number(name) : story.version(name));
    // Pods that follow one another are far apart in the circle of colours, and none is red as failures are.
    const fill = (/** @type {number} */ n) => (this.by === "pod" ? `hsl(${50 + ((n * 0.618) % 1) * 270} 45% 55%)` : colour(`v${n % 4}`));
    const bands = [...each].map(([name, counts]) => ({ name, fill: fill(number(name)), counts, least: 0 }));
    bands.sort((a, b) => number(a.name) - number(b.name));
    return [...bands, { name: "", fill: colour("muted"), counts: others, least: 0 }, { name: "", fill: colour("failure"), counts: failed, least: 2 }];
  }
}

/**
 * @param {CanvasRenderingContext2D} g
 * @param {number} most
 * @param {(s: number) => number} x
 * @param {(n: number) => number} y
 */
function axes(g, most, x, y) {
  // 1, 2, 5, 10 and so on, of which up to five are written.
  let step = 1;
  while (most / step > 4) step *= String(step)[0] === "2" ? 2.5 : 2;
  g.textAlign = "right";
  for (let n = 0; n <= most; n += step) {
    g.fillStyle = colour("line");
    g.fillRect(LEFT, y(n), x(SECONDS) - LEFT, 1);
    g.fillStyle = colour("muted");
    g.fillText(String(n), LEFT - 6, Math.max(y(n) + 4, 12));
  }
  for (let s = 0; s < SECONDS; s += 30) {
    g.textAlign = s ? "center" : "left";
    g.fillText(`${s - SECONDS} s`, x(s), HEIGHT - 5);
  }
}
