// The last two minutes as stacked answers per second, by version or by pod, and the failures on top.

import { colour } from "./lanes.js";
import { t } from "./text.js";

const SECONDS = 120, HEIGHT = 150, MAX_PODS = 8;

export class Chart {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.place = place;
    this.by = "version";
    this.key = "";
    /** @type {any} */
    this.plot = null;
  }

  /** @param {import("./story.js").Story} story @param {number} now */
  draw(story, now) {
    const end = Math.floor(now / 1000);
    const start = end - SECONDS;
    /** @type {Map<string, number[]>} */
    const counts = new Map();
    const failed = Array(SECONDS).fill(0);
    for (const mark of story.marks) {
      const second = Math.floor(mark.t / 1000) - start;
      if (second < 0 || second >= SECONDS) continue;
      if (mark.outcome !== "ok") {
        failed[second] += 1;
        continue;
      }
      const who = this.by === "pod" ? mark.pod : mark.version;
      let list = counts.get(who);
      if (!list) counts.set(who, (list = Array(SECONDS).fill(0)));
      list[second] += 1;
    }
    const names = [...counts.keys()];
    if (this.by === "version") names.sort((a, b) => story.version(a) - story.version(b));
    names.length = Math.min(names.length, MAX_PODS);
    // The largest sum is drawn first, and the others over it.
    let sum = Array(SECONDS).fill(0);
    const stack = [...names.map((name) => counts.get(name) ?? []), failed].map((list) => (sum = sum.map((n, i) => n + list[i])));
    const key = [this.by, ...names, this.place.clientWidth, colour("ink")].join();
    const data = [Array.from({ length: SECONDS }, (_, i) => i), ...stack.reverse()];
    if (key !== this.key) this.build(key, names, story);
    this.plot?.setData(data);
  }

  /** @param {string} key @param {string[]} names @param {import("./story.js").Story} story */
  build(key, names, story) {
    this.key = key;
    this.plot?.destroy();
    const uPlot = /** @type {any} */ (window).uPlot;
    if (!uPlot) return;
    const of = (/** @type {string} */ name, /** @type {number} */ i) => colour(`v${(this.by === "version" ? story.version(name) : i) % 4}`);
    const paths = uPlot.paths.stepped({ align: 1 });
    const series = names.map((name, i) => ({ label: name, fill: of(name, i), stroke: colour("ground"), width: this.by === "pod" ? 1 : 0, paths, points: { show: false } }));
    series.push({ label: t("failed"), fill: colour("failure"), stroke: colour("failure"), width: 0, paths, points: { show: false } });
    const axis = { stroke: colour("muted"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
    const options = {
      width: this.place.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false }, y: { range: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ max) => [0, Math.max(5, max)] } },
      axes: [{ ...axis, size: 26, incrs: [30], values: (/** @type {any} */ u, /** @type {number[]} */ at) => at.map((s) => `${s - u.data[0].at(-1) - 1} s`) }, { ...axis, size: 30 }],
      series: [{}, ...series.reverse()],
    };
    this.plot = new uPlot(options, [[]], this.place);
    this.place.setAttribute("aria-label", `${t("chartLabel")}: ${names.join(t("comma"))}`);
  }
}
