// What the reader can choose for the page: its rate, its language and its theme.

import { by, make, write } from "./dom.js";
import { forgetColours } from "./drawing.js";
import { language, t, translate } from "./text.js";

const RATES = [0, 1, 5, 10, 20, 50];

/** What has been chosen, which a browser may not keep. @type {Record<string, string | undefined>} */
let chosen = {};
try { chosen = localStorage ?? chosen; } catch { /* then it is for this time only */ }

/**
 * Shows what can be chosen, and applies what has been chosen before.
 * @param {(rate: number) => void} onRate
 * @param {() => void} onChange called when everything has to be drawn anew
 */
export function offerChoices(onRate, onChange) {
  const { style } = document.documentElement;
  const isDark = matchMedia("(prefers-color-scheme: dark)");
  const apply = (theme = style.colorScheme) => {
    style.colorScheme = theme;
    const other = by("language");
    [other.lang, other.textContent] = language() === "zh" ? ["en", "English"] : ["zh", "中文"];
    const toggle = (theme ? theme === "dark" : isDark.matches) ? "light" : "dark";
    write(by("theme"), t((by("theme").dataset.t = toggle)));
    forgetColours();
    onChange();
  };
  const speak = (/** @type {string} */ to) => translate(to).then(() => apply());
  const keep = (/** @type {string} */ key, /** @type {string | undefined} */ value) => {
    try { chosen[key] = value; } catch { /* there is no room for it */ }
    return value;
  };
  by("language").onclick = () => speak(keep("language", by("language").lang) ?? "");
  by("theme").onclick = () => apply(keep("theme", by("theme").dataset.t));
  isDark.onchange = () => apply();
  // Paper is white.
  onbeforeprint = () => apply("light");
  onafterprint = () => apply(chosen.theme ?? "");
  const rate = RATES.find((number) => String(number) === chosen.rate) ?? 10;
  for (const number of RATES) {
    const input = make("input");
    input.type = "radio";
    input.name = "rate";
    input.checked = number === rate;
    input.onchange = () => {
      onRate(number);
      keep("rate", String(number));
    };
    by("rate").append(make("label", "", input, String(number)));
  }
  apply(chosen.theme ?? "");
  speak((chosen.language ?? navigator.language).startsWith("zh") ? "zh" : "en");
  onRate(rate);
}
