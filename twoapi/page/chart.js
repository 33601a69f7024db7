// The last two minutes as stacked answers per second, by version or by pod, and the failures on top.

import { colour, fit } from "./lanes.js";
import { t } from "./text.js";

/** @typedef {import("./story.js").Story} Story */

const SECONDS = 120, HEIGHT = 150, LEFT = 30, TOP = 4, BOTTOM = 22;

/** So many pods have a band of their own. Whatever the others have answered is one more band. */
const MAX_BANDS = 100;

/** So many are named to who can't see the chart. */
const MAX_NAMED = 8;

export class Chart {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.by = "version";
  }

  /** @param {Story} story @param {number} now */
  draw(story, now) {
    const g = fit(this.canvas, HEIGHT);
    if (!g) return;
    const start = Math.floor(now / 1000) - SECONDS;
    const { names, bands } = this.count(story, start);
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
    const named = names.length > MAX_NAMED ? [...names.slice(0, MAX_NAMED), "…"] : names;
    const label = `${t("chartLabel")}: ${named.join(t("comma"))}`;
    if (this.canvas.getAttribute("aria-label") !== label) this.canvas.setAttribute("aria-label", label);
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
    const names = [...each.keys()];
    if (this.by === "version") names.sort((a, b) => story.version(a) - story.version(b));
    const bands = names.map((name, i) => ({
      fill: colour(`v${(this.by === "version" ? story.version(name) : i) % 4}`),
      counts: each.get(name) ?? none(),
      least: 0,
    }));
    bands.push({ fill: colour("muted"), counts: others, least: 0 }, { fill: colour("failure"), counts: failed, least: 2 });
    return { names, bands };
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
