// The running axis: one lane for fresh and one for kept connections of each Service, a mark for each
// request, and below them the moments. What is drawn in a colour is told by its shape too.

import { make, t } from "./text.js";

/** @typedef {import("./story.js").Story} Story */

export const WINDOW_MS = 20_000;
const LANE = 46, GAP = 6, ROW = 17, ROWS = 3;

/** Moments of a kind that follow one another within this time have one text. */
const TOGETHER_MS = 1500;

/** Each failure's shape, as strokes in a square from -1 to 1. @type {Record<string, number[][]>} */
const SHAPES = {
  refused: [[-1, -1, 1, 1], [-1, 1, 1, -1]],
  reset: [[-1, -1, 1, -0.2, -1, 0.2, 1, 1]],
  "timed out": [[-1, -1, 1, -1, -1, 1, 1, 1, -1, -1]],
  "closed early": [[-1, 0, 0, 0], [0, -1, 0, 1]],
  unreachable: [[-1, 1, 0, -1, 1, 1, -1, 1]],
  "not sent": [[-1, 0, 1, 0]],
  status: [[-1, -1, 1, -1, 1, 1, -1, 1, -1, -1]],
};

/** @param {string} outcome */
const shape = (outcome) => SHAPES[outcome] ?? SHAPES[outcome.startsWith("status") ? "status" : "unreachable"];

/** @type {Map<string, string>} */
const colours = new Map();

/** A colour of the style sheet, as the theme has it. @param {string} name */
export function colour(name) {
  let value = colours.get(name);
  if (!value) {
    document.body.style.setProperty("outline-color", `var(--${name})`);
    value = getComputedStyle(document.body).outlineColor;
    colours.set(name, value);
  }
  return value;
}

export const forgetColours = () => colours.clear();

/** Whether the reader wants nothing to move. */
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** A sign for the legend. @param {string} outcome */
export function sign(outcome) {
  const path = shape(outcome).map((line) => "M" + line.map((n) => n * 5 + 7).join(" ")).join("");
  return svg(path, "failure");
}

/** A version's pattern for the legend. @param {number} number */
export function pattern(number) {
  const path = pieces(number).map(([a, b]) => `M7 ${a * 14}V${b * 14}`).join("");
  return svg(path, `v${number % 4}`);
}

/** @param {string} path @param {string} stroke a colour of the style sheet @param {string} name @param {string} box */
export function svg(path, stroke, name = "sign", box = "0 0 14 14") {
  const image = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  image.setAttribute("viewBox", box);
  image.setAttribute("class", name);
  image.style.stroke = `var(--${stroke})`;
  image.setAttribute("aria-hidden", "true");
  const line = image.appendChild(document.createElementNS(image.namespaceURI ?? "", "path"));
  line.setAttribute("d", path);
  return image;
}

/** The first version is a whole line, the second one is in two pieces, and so on. @param {number} number */
function pieces(number) {
  const count = (number % 4) + 1;
  return Array.from({ length: count }, (_, i) => [i / count, (i + (count > 1 ? 0.72 : 1)) / count]);
}

/**
 * An empty picture as wide as its canvas is shown, in the pixels of the screen; none while it isn't shown.
 * @param {HTMLCanvasElement} canvas @param {number} height
 */
export function fit(canvas, height) {
  const [width, ratio] = [canvas.clientWidth, devicePixelRatio];
  const g = canvas.getContext("2d");
  if (!g || !width) return null;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, height);
  g.font = `12px ${getComputedStyle(canvas).fontFamily}`;
  return g;
}

export class Lanes {
  /** @param {HTMLElement} place @param {string} label @param {number} service */
  constructor(place, label, service) {
    this.service = service;
    this.canvas = make("canvas");
    this.canvas.setAttribute("role", "img");
    const figure = make("figure", "", make("figcaption", "", label));
    figure.append(this.canvas);
    place.append(figure);
    this.height = 2 * LANE + GAP + ROWS * ROW + 4;
    this.canvas.style.height = `${this.height}px`;
    this.labelled = 0;
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
        const number = story.version(mark.version);
        g.fillStyle = colour(`v${number % 4}`);
        for (const [a, b] of pieces(number)) g.fillRect(at - 1, top + 12 + a * (LANE - 14), 2.5, (b - a) * (LANE - 14));
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
    const bad = (/** @type {string} */ kind) => colour(kind === "signal" || kind === "unready" ? "failure" : "muted");
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
