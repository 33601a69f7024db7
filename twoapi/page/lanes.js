// The running axis: one lane for fresh and one for kept connections of each Service, a mark for each
// request, and below them a bar for each pod. From a distance, each second is a column. A phone has one lane for
// both, and no bars.

import { Bars, label } from "./bars.js";
import { by, make } from "./dom.js";
import { colour, fit, pieces, shape } from "./drawing.js";
import { live } from "./live.js";
import { scale } from "./projector.js";
import { t } from "./text.js";

/** @typedef {import("./story.js").Story} Story */

/** What is seen: some seconds, of which fewer fit the more requests there are, or two minutes. */
const SHORT_MS = 20_000, LONG_MS = 120_000;

/** So far apart are marks at least, in pixels. */
const APART = 5;

/** A narrower picture is one of a phone. */
const NARROW = 500;

const LANE = 46, GAP = 6, AXIS = 18;

/** Below the pictures, on a projector. */
const MARGIN = 12;

export class Lanes {
  bars = new Bars();
  labelled = 0;

  /** @param {HTMLElement} place @param {string} label @param {number} service */
  constructor(place, label, service) {
    this.service = service;
    this.canvas = make("canvas");
    this.canvas.setAttribute("role", "img");
    place.append(make("figure", "", make("figcaption", "", label), this.canvas));
  }

  /** @param {Story} story @param {number} now */
  draw(story, now) {
    const { canvas, service } = this;
    const width = canvas.clientWidth / scale();
    const both = canvas.clientWidth < NARROW ? [0] : [0, 1];
    const isLong = /** @type {HTMLInputElement} */ (by("zoom")).checked;
    const span = isLong ? LONG_MS : Math.min(SHORT_MS, (width / APART) * both.length * (live.normal || Infinity));
    const lives = story.lives.of(service, now - span, now);
    const lanes = both.length * (LANE + GAP) - GAP;
    // In a room all of it is seen at once.
    const room = scale() === 1 ? Infinity : (innerHeight - canvas.getBoundingClientRect().top - scrollY - MARGIN) / scale() - lanes - GAP - AXIS;
    const height = lanes + GAP + (both[1] ? this.bars.arrange(story, service, lives, room) : 0) + AXIS;
    canvas.style.height = `${height * scale()}px`;
    const g = fit(canvas, height * scale());
    if (!g) return;
    g.scale(scale(), scale());
    const x = (/** @type {number} */ time) => width - ((now - time) / span) * width;
    g.fillStyle = colour("lane");
    for (const lane of both) g.fillRect(0, lane * (LANE + GAP), width, LANE);
    for (const [from, to] of story.blind) {
      if (to < now - span) continue;
      g.fillStyle = colour("blind");
      const size = Math.max(2, x(Math.min(to, now)) - x(from));
      g.fillRect(x(from), 0, size, lanes);
      g.fillStyle = colour("muted");
      if (size > 90) g.fillText(t("unobserved"), x(from) + 6, lanes / 2);
    }
    // What the reader has marked.
    g.fillStyle = colour("ink");
    for (const { kind, t: at } of story.moments) if (kind === "marker") g.fillRect(x(at), 0, 2, height - AXIS);
    if (both[1]) this.bars.draw(g, lives, now, x, lanes + GAP, width);
    this.axis(g, span, x, now, height);
    /** @type {Map<string, number>} */
    const columns = new Map();
    let [ok, failed] = [0, 0];
    for (let i = story.marks.length - 1; i >= 0; i--) {
      const mark = story.marks[i];
      if (mark.t < now - span - 3000) break;
      if (mark.service !== service || mark.t > now) continue;
      if (isLong) {
        const key = `${mark.lane % both.length} ${Math.floor(mark.t / 1000)} ${mark.set ? 1 + mark.set.look : 0}`;
        columns.set(key, (columns.get(key) ?? 0) + 1);
        if (mark.outcome === "ok") ok += 1;
        else failed += 1;
        continue;
      }
      const [at, top] = [x(mark.t), (mark.lane % both.length) * (LANE + GAP)];
      if (mark.set) {
        ok += 1;
        g.fillStyle = colour(`v${mark.set.look}`);
        for (const [a, b] of pieces(mark.set.look)) g.fillRect(at - 1, top + 12 + a * (LANE - 14), 2.5, (b - a) * (LANE - 14));
        if (mark.late !== null) {
          g.beginPath();
          g.arc(at, top + 6, 3, 0, 7);
          g.strokeStyle = colour("ink");
          g.lineWidth = 1.5;
          g.stroke();
        }
        continue;
      }
      failed += 1;
      g.strokeStyle = g.fillStyle = colour("failure");
      g.globalAlpha = 0.18;
      g.fillRect(at - 5, top, 10, LANE);
      g.globalAlpha = 1;
      g.lineWidth = 2.5;
      g.beginPath();
      for (const line of shape(mark.outcome)) {
        for (let n = 0; n < line.length; n += 2) g[n ? "lineTo" : "moveTo"](at + line[n] * 5.5, top + LANE / 2 + line[n + 1] * 8);
      }
      g.stroke();
    }
    if (isLong) this.columns(g, columns, x);
    g.fillStyle = colour("muted");
    if (both[1]) for (const lane of both) label(g, t(lane ? "kept" : "fresh"), 6, lane * (LANE + GAP) + 14);
    if (!ok && !failed) g.fillText(t("noRequests"), width / 2, LANE / 2 + 4);
    // A reader of the screen is told every few seconds, and not sixty times in each.
    if (Math.abs(now - this.labelled) > 4000) {
      this.labelled = now;
      canvas.setAttribute("aria-label", t("lanesLabel", { s: Math.round(span / 1000), ok, failed }));
    }
  }

  /** A column for each second: from below the answers of each ReplicaSet, and from above what has failed.
   * @param {CanvasRenderingContext2D} g @param {Map<string, number>} columns @param {(t: number) => number} x */
  columns(g, columns, x) {
    /** @type {Map<string, number>} */
    const sums = new Map();
    const parts = [...columns].map(([key, count]) => ({ numbers: key.split(" ").map(Number), count }));
    for (const { numbers: [lane, second], count } of parts) sums.set(`${lane} ${second}`, (sums.get(`${lane} ${second}`) ?? 0) + count);
    const most = Math.max(5, ...sums.values());
    /** @type {Map<string, number>} */
    const heights = new Map();
    for (const { numbers: [lane, second, kind], count } of parts.sort((a, b) => a.numbers[2] - b.numbers[2])) {
      const [left, top] = [x(second * 1000), lane * (LANE + GAP)];
      // One failure among many answers is seen too.
      const height = Math.max((count / most) * LANE, kind ? 0 : 3);
      const before = heights.get(`${lane} ${second}`) ?? 0;
      g.fillStyle = colour(kind ? `v${kind - 1}` : "failure");
      const y = kind ? top + LANE - before - height : top;
      g.fillRect(left, y, x(1000) - x(0) - 0.5, height);
      if (kind) heights.set(`${lane} ${second}`, before + height);
    }
  }

  /** @param {CanvasRenderingContext2D} g @param {number} span @param {(t: number) => number} x @param {number} now @param {number} height */
  axis(g, span, x, now, height) {
    const step = span > SHORT_MS ? 30 : span > 8000 ? 5 : 1;
    g.fillStyle = colour("muted");
    for (let s = step; s * 1000 < span; s += step) {
      const at = x(now - s * 1000);
      g.fillRect(at, height - AXIS, 1, 4);
      g.fillText(`-${s} s`, at - 10, height - 3);
    }
  }
}
