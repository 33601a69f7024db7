// What is counted since the page was opened, and the legends.

import { by, make, write } from "./dom.js";
import { clock, live } from "./live.js";
import { language, t } from "./text.js";

/** Lists what pictures stand for. @param {HTMLElement} list @param {(string | Node)[][]} entries key, picture, text */
export function showLegend(list, entries) {
  const key = entries.map((parts) => parts[0]).join() + language();
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...entries.map(([, ...content]) => make("li", "", ...content)));
}

/** When they were reset. */
let reset = 0;

by("reset").onclick = () => {
  live.reset();
  reset = clock();
};

export function counters() {
  if (reset) write(by("counts-title"), t("since", { time: new Date(reset).toLocaleTimeString(language()) }));
  by("counters").replaceChildren(...live.labels.map((label, i) => {
    const { ok, failed, gap, normal } = live.side(i);
    /** @type {HTMLElement[]} */
    const boxes = Object.entries({ ok, failed, gap: Math.round(gap) }).map(([name, value]) => make(
      "div",
      name === "failed" && value ? "bad" : "",
      make("b", "", value.toLocaleString(language())),
      make("p", "", t(name, { n: Math.round(gap ? normal : live.normal) || "–" })),
    ));
    if (live.labels[1]) boxes.unshift(make("h3", "", label));
    return make("div", "side", ...boxes);
  }));
}
