// What a reader of the screen is told: the headlines, and a connection that is lost, in one sentence every few
// seconds at most. What has been overtaken meanwhile isn't said.

import { by, write } from "./dom.js";
import { t } from "./text.js";

const PAUSE_MS = 4000;

/** When something was said last, and what. */
let spoken = -Infinity, lastSaid = "";

/** Says what is new. @param {string} state of the connection, if it isn't the usual one @param {number} now */
export function speak(state, now) {
  if (now - spoken < PAUSE_MS) return;
  /** @type {HTMLElement[]} */
  const halves = [...by("halves").querySelectorAll("div")];
  const headlines = halves.map((half) => {
    const f = half.dataset.failed;
    const texts = [...half.querySelectorAll("h3, .said")].map(({ textContent }) => textContent);
    // How long it has taken is another figure each time.
    return texts.join(t("colon")).replace(/(, |，)[\d.]+ [s秒]$/, "") + t(f === "0" ? "noneFail" : "someFail", { f });
  });
  const text = state || headlines.join(t("comma"));
  // For how long nobody has answered isn't told again and again.
  const news = state.replace(/\d+/, "") || text;
  if (news === lastSaid) return;
  [spoken, lastSaid] = [now, news];
  write(by("spoken"), text);
}
