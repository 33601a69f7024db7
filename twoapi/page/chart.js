// The last two minutes of each Service as stacked answers per second, by version or by pod, and the failures
// on top. All Services have one scale.

import { make } from "./dom.js";
import { PIECES, colour, fit } from "./drawing.js";

/** @typedef {import("./story.js").Story} Story */
/** One without a look has no pattern. @typedef {{ name: string, fill: string, look?: number, counts: Uint32Array, least: number }} Band */

const SECONDS = 120, LEFT = 30, TOP = 4, BOTTOM = 22;

/** So high is a pattern in a bar. */
const TILE = 16;

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
  /** What is named, with its colour. @type {{ name: string, fill: string, look?: number }[]} */
  named = [];
  /** Of whom there are answers. @type {Set<string>} */
  names = new Set();
  /** How many of them aren't named. */
  more = 0;
  /** One of each Service. @type {HTMLCanvasElement[]} */
  canvases = [];

  /** @param {HTMLElement} place */
  constructor(place) {
    this.place = place;
  }

  /** @param {string[]} labels what the Services are called */
  layOut(labels) {
    this.canvases = labels.map(() => make("canvas"));
    this.place.replaceChildren(...this.canvases.map((canvas, i) => {
      const caption = make("figcaption", "", labels[1] ? labels[i] : "");
      caption.id = `chart-${i}`;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-labelledby", `history-title ${caption.id}`);
      canvas.setAttribute("aria-describedby", "bands");
      return make("figure", "", caption, canvas);
    }));
  }

  /** @param {string} pod */
  number(pod) {
    if (this.numbers.size >= MAX_NUMBERS) this.numbers.clear();
    if (!this.numbers.has(pod)) this.numbers.set(pod, this.numbers.size);
    return this.numbers.get(pod) ?? 0;
  }

  /** @param {Story} story @param {number} now */
  draw(story, now) {
    const start = Math.floor(now / 1000) - SECONDS;
    this.names.clear();
    const all = this.canvases.map((_, service) => this.count(story, start, service));
    const sums = all.map((bands) => Array.from({ length: SECONDS }, (_, s) => bands.reduce((sum, { counts }) => sum + counts[s], 0)));
    const most = Math.max(5, ...sums.flat());
    this.canvases.forEach((canvas, i) => this.paint(canvas, all[i], most, story.blind.map((times) => times.map((at) => at / 1000 - start))));
    const bands = all.flatMap((each) => each.slice(0, -2));
    this.named = bands.filter(({ name }, i) => bands.findIndex((band) => band.name === name) === i).slice(0, MAX_NAMED);
    this.more = this.names.size - this.named.length;
  }

  /** @param {HTMLCanvasElement} canvas @param {Band[]} bands @param {number} most @param {number[][]} blind in seconds */
  paint(canvas, bands, most, blind) {
    const size = canvas.clientHeight;
    const g = fit(canvas, size);
    if (!g) return;
    const [width, height] = [canvas.clientWidth - LEFT, size - TOP - BOTTOM];
    // Edges between pixels would be blurred.
    const x = (/** @type {number} */ s) => LEFT + Math.round((s / SECONDS) * width);
    const y = (/** @type {number} */ n) => TOP + Math.round((1 - n / most) * height);
    g.fillStyle = colour("blind");
    for (const times of blind) {
      const [a, b] = times.map((at) => x(Math.min(Math.max(at, 0), SECONDS)));
      g.fillRect(a, TOP, b - a, height);
    }
    axes(g, most, x, y, size);
    const below = Array(SECONDS).fill(0);
    for (const { fill, look, counts, least } of bands) {
      g.fillStyle = fill;
      counts.forEach((n, s) => {
        if (!n) return;
        const [bottom, top] = [y(below[s]), y((below[s] += n))];
        // A line of the ground tells bands of one colour apart; one failure among many is seen.
        const line = this.by === "pod" && bottom - top > 2 ? 1 : 0;
        const size = Math.max(bottom - top - line, least);
        const [left, wide, high] = [x(s), x(s + 1) - x(s), bottom - line - size];
        if (look === undefined) return g.fillRect(left, high, wide, size);
        // The pieces of its pattern, again and again from below, on a ground of its colour.
        g.globalAlpha = 0.5;
        g.fillRect(left, high, wide, size);
        g.globalAlpha = 1;
        for (let at = bottom; at > high; at -= TILE) {
          for (const [a, b] of PIECES[look]) {
            const [from, to] = [a, b].map((share) => Math.max(high, at - Math.round(share * TILE)));
            g.fillRect(left, to, wide, from - to);
          }
        }
      });
    }
  }

  /**
   * What each has answered in each second, from the lowest band to the highest.
   * @param {Story} story @param {number} start @param {number} service @returns {Band[]}
   */
  count(story, start, service) {
    const none = () => new Uint32Array(SECONDS);
    /** @type {Map<string, Uint32Array>} */
    const each = new Map();
    const [others, failed] = [none(), none()];
    for (const mark of story.marks) {
      const second = Math.floor(mark.t / 1000) - start;
      if (mark.service !== service || second < 0 || second >= SECONDS) continue;
      const name = this.by === "pod" ? mark.pod : String(mark.look);
      const ok = mark.outcome === "ok";
      if (ok) this.names.add(name);
      if (ok && each.size < MAX_BANDS && !each.has(name)) each.set(name, none());
      const counts = ok ? each.get(name) ?? others : failed;
      counts[second] += 1;
    }
    const order = [...story.looks.keys()];
    /** @type {Band[]} */
    const bands = [...each].map(([name, counts]) => {
      if (this.by !== "pod") return { name: story.label(+name), fill: colour("v" + name), look: +name, counts, least: 0 };
      // Pods that follow one another are far apart in the circle of colours, and none is red as failures are.
      return { name, fill: `hsl(${50 + ((this.number(name) * 0.618) % 1) * 270} 45% 55%)`, counts, least: 0 };
    });
    const place = (/** @type {Band} */ { name, look }) => (look === undefined ? this.number(name) : order.indexOf(look));
    bands.sort((a, b) => place(a) - place(b));
    return [...bands, { name: "", fill: colour("muted"), counts: others, least: 0 }, { name: "", fill: colour("failure"), counts: failed, least: 2 }];
  }
}

/**
 * @param {CanvasRenderingContext2D} g
 * @param {number} most
 * @param {(s: number) => number} x
 * @param {(n: number) => number} y
 * @param {number} bottom
 */
function axes(g, most, x, y, bottom) {
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
    g.fillText(`${s - SECONDS} s`, x(s), bottom - 5);
  }
}
