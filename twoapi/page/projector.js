// For a room: the headline and the axis of time alone, in large letters. A wide window has them by itself, and the
// key F, or the button, chooses otherwise.

import { by } from "./dom.js";

/** How much larger the pictures are. */
export const scale = () => (document.documentElement.className ? innerWidth < 1600 ? 1.6 : 2 : 1);

/** @param {boolean} isOn */
function project(isOn) {
  document.documentElement.className = isOn ? "projector" : "";
  by("projector").setAttribute("aria-pressed", String(isOn));
}

const toggle = () => project(scale() === 1);
by("projector").onclick = toggle;
addEventListener("keydown", ({ key, target, ctrlKey, metaKey, altKey }) => {
  const isTyped = /INPUT|SELECT|TEXTAREA/.test(/** @type {Element} */ (target).tagName) && /** @type {HTMLInputElement} */ (target).type !== "radio";
  if (key.toLowerCase() === "f" && !isTyped && !ctrlKey && !metaKey && !altKey && !document.querySelector("dialog[open]")) toggle();
});
const wide = matchMedia("(min-width: 1600px)");
wide.onchange = () => project(wide.matches);
project(wide.matches);
