// The legends: what the signs in a picture stand for.

import { make } from "./dom.js";
import { language } from "./text.js";

/** Lists what pictures stand for. @param {HTMLElement} list @param {(string | Node)[][]} entries key, picture, text */
export function showLegend(list, entries) {
  const key = entries.map((parts) => parts[0]).join() + language();
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...entries.map(([, ...content]) => make("li", "", ...content)));
}
