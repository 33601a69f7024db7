// For who teaches: the picture is held, a moment is marked, and the page fills the screen.

import { by } from "./dom.js";
import { clock, live } from "./live.js";

/** Whether the picture is held. What happens meanwhile is taken all the same. */
export let held = false;

by("hold").onclick = () => {
  held = !held;
  by("hold").setAttribute("aria-pressed", String(held));
};
by("mark").onclick = () => live.hear({ t: clock(), marker: true });
by("full").onclick = () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen());
