// Says so when the page itself has failed: it goes on, and what it has missed meanwhile it doesn't know.

import { by, write } from "./dom.js";
import { t } from "./text.js";

/** What has failed first. */
export let fault = "";

/** Shows it, since nothing else may be shown any more. */
export function showFault() {
  by("status").className = "broken";
  write(by("status"), t("broken"));
  write(by("problem"), t("brokenWhy", { what: fault }));
}

/** @param {unknown} what */
function note(what) {
  fault ||= String(what);
  showFault();
}

addEventListener("error", ({ message }) => note(message));
addEventListener("unhandledrejection", ({ reason }) => note(reason));
