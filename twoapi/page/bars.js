// One bar for each pod, on the axis of the lanes: hatched until the pod is ready, solid while it is, striped
// while it stops, with the seconds for which it still accepts requests, and a tick at its SIGTERM.

import { colour } from "./drawing.js";

/** @typedef {import("./lives.js").Life} Life */
/** @typedef {import("./story.js").Story} Story */

const BAR = 16, THIN = 6, SPACE = 2, AREA = 96;

/** A bar that is as high has a label. */
const LABELLED = 11;

/** From so many pods on the bars are thin, and then there is one area for all. */
const THIN_FROM = 12, AREA_FROM = 50;

export class Bars {
  /** Which bar is in which row. @type {string[]} */
  rows = [];
  /** How many pods there were at rest. */
  pods = 0;
  size = BAR;

  /**
   * Gives each bar a row, and returns how high all of them are. While a change goes on no bar moves.
   * @param {Story} story @param {number} service @param {Life[]} lives @param {number} room how high they may be
   */
  arrange(story, service, lives, room) {
    const isAtRest = !story.side(service).open;
    if (isAtRest || !this.pods) this.pods = (story.side(service).open?.from ?? story.podsOf(service)).length;
    if (this.pods >= AREA_FROM) return AREA;
    const order = (/** @type {Life} */ life) => `${String(life.pod.set.order).padStart(6, "0")} ${life.name}`;
    if (isAtRest) this.rows = lives.sort((a, b) => (order(a) < order(b) ? -1 : 1)).map(({ name }) => name);
    const names = new Set(lives.map(({ name }) => name));
    this.rows = this.rows.map((name) => (names.has(name) ? name : ""));
    for (const name of names) {
      if (this.rows.includes(name)) continue;
      const free = this.rows.indexOf("");
      this.rows[free < 0 ? this.rows.length : free] = name;
    }
    // An update needs as many once more.
    const rows = Math.max(2 * this.pods, this.rows.length);
    this.size = Math.max(1, Math.min(this.pods < THIN_FROM ? BAR : THIN, Math.floor(room / rows) - SPACE));
    return rows * (this.size + SPACE);
  }

  /**
   * @param {CanvasRenderingContext2D} g @param {Life[]} lives @param {number} now
   * @param {(t: number) => number} x @param {number} top @param {number} width
   */
  draw(g, lives, now, x, top, width) {
    if (this.pods >= AREA_FROM) return this.area(g, lives, now, x, top, width);
    const { size } = this;
    for (const life of lives) {
      const y = top + this.rows.indexOf(life.name) * (size + SPACE);
      const own = colour(`v${life.pod.set.look}`);
      life.states.forEach(([from, state], i) => {
        const [left, right] = [Math.max(0, x(from)), Math.min(width, x(Math.min(life.states[i + 1]?.[0] ?? life.end, now)))];
        if (right <= left || left > width) return;
        g.fillStyle = g.strokeStyle = own;
        g.globalAlpha = 0.16;
        g.fillRect(left, y, right - left, size);
        g.globalAlpha = 1;
        if (state === "ready") g.fillRect(left, y, right - left, size);
        else hatch(g, left, y, right - left, size, state === "stopping" ? 0 : size, x(from));
        if (state === "stopping" && x(from) >= 0) {
          g.fillStyle = colour("ink");
          g.fillRect(left - 1.5, y - SPACE, 3, size + 2 * SPACE);
        }
      });
      if (size < LABELLED) continue;
      label(g, life.name.split("-").at(-1) ?? "", Math.max(0, x(life.states[0][0])) + 4, y + size / 2 + 4);
      const { pod } = life;
      if (life.end <= now || pod.state !== "stopping" || !pod.stop || life.states.at(-1)?.[1] !== "stopping") continue;
      const passed = (now - life.seen) / 1000;
      const left = pod.stop.drain_seconds - passed;
      const text = `${left.toFixed(1)} s`;
      if (left > 0) label(g, text, width - g.measureText(text).width - 6, y + size / 2 + 4);
    }
  }

  /** How many pods were ready, and how many not, for each few pixels.
   * @param {CanvasRenderingContext2D} g @param {Life[]} lives @param {number} now
   * @param {(t: number) => number} x @param {number} top @param {number} width */
  area(g, lives, now, x, top, width) {
    const most = Math.max(lives.length, this.pods), step = 4;
    const sorted = lives.sort((a, b) => a.pod.set.order - b.pod.set.order);
    const ms = (x(1) - x(0)) || 1;
    for (let at = 0; at < width; at += step) {
      const time = now - (width - at) / ms;
      let y = top + AREA;
      for (const isReady of [true, false]) {
        /** @type {Map<number, number>} */
        const counts = new Map();
        for (const life of sorted) {
          const { look } = life.pod.set;
          if (life.end <= time || life.states[0][0] > time) continue;
          const state = life.states.findLast(([from]) => from <= time)?.[1];
          if ((state === "ready") === isReady) counts.set(look, (counts.get(look) ?? 0) + 1);
        }
        counts.forEach((count, look) => {
          const height = (count / most) * AREA;
          g.fillStyle = colour(`v${look}`);
          g.globalAlpha = isReady ? 1 : 0.35;
          g.fillRect(at, y - height, step, height);
          y -= height;
        });
      }
    }
    g.globalAlpha = 1;
  }
}

/** Lines over a bar: upright ones, or slanted by so much. They move with it.
 * @param {CanvasRenderingContext2D} g @param {number} x @param {number} y @param {number} width @param {number} height @param {number} slant @param {number} from */
function hatch(g, x, y, width, height, slant, from) {
  g.save();
  g.beginPath();
  g.rect(x, y, width, height);
  g.clip();
  g.beginPath();
  g.lineWidth = slant ? 2 : 4;
  for (let at = x - ((x - from) % 8) - slant; at < x + width + slant; at += 8) {
    g.moveTo(at, y + height);
    g.lineTo(at + slant, y);
  }
  g.stroke();
  g.restore();
}

/** A text on a ground of its own, so that it can be read over what is drawn.
 * @param {CanvasRenderingContext2D} g @param {string} text @param {number} x @param {number} y */
export function label(g, text, x, y) {
  g.fillStyle = colour("ground");
  g.fillRect(x - 3, y - 10, g.measureText(text).width + 6, 13);
  g.fillStyle = colour("ink");
  g.fillText(text, x, y);
}
