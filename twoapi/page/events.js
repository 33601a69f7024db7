// What has happened, one event after the other, the last one first. Times are those of logs, in UTC.

import { by, make } from "./dom.js";
import { language, t } from "./text.js";

const MOST = 100;

/** What is happened. */
let happened = "";

/** @param {import("./story.js").Story} story @param {number} now */
export function showEvents(story, now) {
  if (!/** @type {HTMLDetailsElement} */ (by("events")).open) return;
  const moments = story.moments.filter((moment) => moment.t <= now).slice(-MOST).sort((a, b) => b.t - a.t);
  const key = [language(), moments.length, moments[0]?.t].join();
  if (key === happened) return;
  happened = key;
  by("happened").replaceChildren(...moments.map(({ t: at, pod, kind }) =>
    make("li", "", `${new Date(at).toISOString().slice(11, 19)} ${pod} `, make("strong", "", t(kind)))));
}
