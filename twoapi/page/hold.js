// For those who teach: the axis of time is frozen, a moment is marked, and the page fills the screen.

import { by } from "./dom.js";
import { DELAY_MS, clock, live } from "./live.js";

/** The time at which the axis is frozen, and 0 while it runs. All the rest of the page goes on. */
export let held = 0;

by("hold").onclick = () => {
  held = held ? 0 : clock() - DELAY_MS;
  by("hold").setAttribute("aria-pressed", String(held > 0));
};
by("mark").onclick = () => live.hear({ t: clock(), marker: true });
// Not every browser has it, nor allows it everywhere.
by("full").hidden = !document.fullscreenEnabled;
by("full").onclick = () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()).catch(() => {});
