// What is counted since the page was opened, and the legends.

import { by, make, write } from "./dom.js";
import { live } from "./live.js";
import { language, t } from "./text.js";

/** Lists what pictures stand for. @param {HTMLElement} list @param {(string | Node)[][]} entries key, picture, text */
export function showLegend(list, entries) {
  const key = entries.map((parts) => parts[0]).join() + language();
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...entries.map(([, image, text]) => {
    const item = make("li", "", image);
    item.append(text);
    return item;
  }));
}

export function counters() {
  const place = by("counters");
  while (place.children.length < live.labels.length) {
    const side = make("div", "side");
    if (live.labels.length > 1) side.append(make("h3", "", live.labels[place.children.length]));
    for (const name of ["ok", "failed", "gap"]) {
      const box = make("div", name, make("b"));
      box.append(make("p"));
      side.append(box);
    }
    place.append(side);
  }
  live.labels.forEach((_, i) => {
    const { ok, failed, gap } = live.side(i);
    for (const [name, value] of Object.entries({ ok, failed, gap: Math.round(gap) })) {
      const box = place.children[i].querySelector(`.${name}`);
      if (!box) continue;
      write(/** @type {Element} */ (box.firstChild), value.toLocaleString(language()));
      write(/** @type {Element} */ (box.lastChild), t(name));
      box.classList.toggle("bad", name === "failed" && value > 0);
    }
  });
}
