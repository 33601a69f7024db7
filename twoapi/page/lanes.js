// The running axis: one lane for fresh and one for kept connections of each Service, a mark for each
// request, and below them the moments.

import { make } from "./dom.js";
import { PIECES, colour, fit, shape } from "./drawing.js";
import { t } from "./text.js";

/** @typedef {import("./story.js").Story} Story */

const WINDOW_MS = 20_000;
const LANE = 46, GAP = 6, ROW = 17, ROWS = 3;

/** Moments of a kind that follow one another within this time have one text. */
const TOGETHER_MS = 1500;

export class Lanes {
  height = 2 * LANE + GAP + ROWS * ROW + 4;
  labelled = 0;

  /** @param {HTMLElement} place @param {string} label @param {number} service */
  constructor(place, label, service) {
    this.service = service;
    this.canvas = make("canvas");
    this.canvas.setAttribute("role", "img");
    place.append(make("figure", "", make("figcaption", "", label), this.canvas));
    this.canvas.style.height = `${this.height}px`;
  }

  /** @param {Story} story @param {number} now */
  draw(story, now) {
    const { canvas, service } = this;
    const g = fit(canvas, this.height);
    if (!g) return;
    const width = canvas.clientWidth;
    const x = (/** @type {number} */ time) => width - ((now - time) / WINDOW_MS) * width;
    const lanes = 2 * LANE + GAP;
    g.fillStyle = colour("lane");
    for (const lane of [0, 1]) g.fillRect(0, lane * (LANE + GAP), width, LANE);
    for (const [from, to] of story.blind) {
      if (to < now - WINDOW_MS) continue;
      g.fillStyle = colour("blind");
      const size = Math.max(2, x(Math.min(to, now)) - x(from));
      g.fillRect(x(from), 0, size, lanes);
      g.fillStyle = colour("muted");
      if (size > 90) g.fillText(t("unobserved"), x(from) + 6, lanes / 2);
    }
    this.drawMoments(g, story, now, x, width, lanes);
    let [ok, failed] = [0, 0];
    for (let i = story.marks.length - 1; i >= 0; i--) {
      const mark = story.marks[i];
      if (mark.t < now - WINDOW_MS - 3000) break;
      if (mark.service !== service || mark.t > now) continue;
      const [at, top] = [x(mark.t), mark.lane * (LANE + GAP)];
      if (mark.outcome === "ok") {
        ok += 1;
        g.fillStyle = colour(`v${mark.look}`);
        for (const [a, b] of PIECES[mark.look]) g.fillRect(at - 1, top + 12 + a * (LANE - 14), 2.5, (b - a) * (LANE - 14));
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
    g.fillStyle = colour("muted");
    for (const lane of [0, 1]) this.label(g, t(lane ? "kept" : "fresh"), 6, lane * (LANE + GAP) + 14);
    if (!ok && !failed) g.fillText(t("noRequests"), width / 2, LANE / 2 + 4);
    // A reader of the screen is told every few seconds, and not sixty times in each.
    if (Math.abs(now - this.labelled) > 4000) {
      this.labelled = now;
      canvas.setAttribute("aria-label", t("lanesLabel", { s: WINDOW_MS / 1000, ok, failed }));
    }
  }

  /** A text on a ground of its own, so that it can be read over marks.
   * @param {CanvasRenderingContext2D} g @param {string} text @param {number} x @param {number} y */
  label(g, text, x, y) {
    const ink = g.fillStyle;
    g.fillStyle = colour("ground");
    g.globalAlpha = 0.85;
    g.fillRect(x - 3, y - 11, g.measureText(text).width + 6, 15);
    g.globalAlpha = 1;
    g.fillStyle = ink;
    g.fillText(text, x, y);
  }

  /**
   * @param {CanvasRenderingContext2D} g @param {Story} story @param {number} now
   * @param {(t: number) => number} x @param {number} width @param {number} lanes
   */
  drawMoments(g, story, now, x, width, lanes) {
    const free = Array(ROWS).fill(-Infinity);
    /** @type {{ kind: string, at: number, names: string[], t: number }[]} */
    const groups = [];
    const bad = (/** @type {string} */ kind) => colour(kind === "no answer" ? "failure" : "muted");
    const seen = story.moments.filter((m) => m.service === this.service && m.t <= now && m.t > now - WINDOW_MS * 1.2);
    for (const { t: time, kind, pod, version } of seen.sort((a, b) => a.t - b.t)) {
      const at = x(time);
      g.fillStyle = bad(kind);
      g.fillRect(at, 0, 1, lanes + 4);
      const name = kind === "first" ? version : pod.split("-").at(-1) ?? "";
      const group = groups.findLast((other) => other.kind === kind);
      if (group && time - group.t < TOGETHER_MS) group.names.push(name);
      else groups.push({ kind, at, names: [name], t: time });
    }
    /** @type {(() => void)[]} */
    const texts = [];
    for (const { kind, at, names } of groups) {
      const text = names.length > 1 ? `${t(kind)} × ${names.length}` : `${names[0]} ${t(kind)}`;
      const size = g.measureText(text).width;
      const left = Math.min(at, width - size - 8);
      const row = free.findIndex((end) => end < left);
      if (row < 0) continue;
      free[row] = left + size + 10;
      g.fillStyle = bad(kind);
      g.fillRect(at, lanes, 1, 6 + row * ROW);
      texts.push(() => {
        g.fillStyle = bad(kind);
        this.label(g, text, left + 5, lanes + 14 + row * ROW);
      });
    }
    for (const write of texts) write();
  }
}
