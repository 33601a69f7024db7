// What is counted since the page was opened, and the legends.

import { by, make } from "./dom.js";
import { live } from "./live.js";
import { language, t } from "./text.js";

/** Lists what pictures stand for. @param {HTMLElement} list @param {(string | Node)[][]} entries key, picture, text */
export function showLegend(list, entries) {
  const key = entries.map((parts) => parts[0]).join() + language();
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...entries.map(([, ...content]) => make("li", "", ...content)));
}

export function counters() {
  by("counters").replaceChildren(...live.labels.map((label, i) => {
    const { ok, failed, gap } = live.side(i);
    /** @type {HTMLElement[]} */
    const boxes = Object.entries({ ok, failed, gap: Math.round(gap) }).map(([name, value]) => make(
      "div",
      name === "failed" && value ? "bad" : "",
      make("b", "", value.toLocaleString(language())),
      make("p", "", t(name)),
    ));
    if (live.labels[1]) boxes.unshift(make("h3", "", label));
    return make("div", "side", ...boxes);
  }));
}
