// The page's texts, in the language of the document.

import { write } from "./dom.js";
import { texts } from "./texts.js";

/** The place of the current language in the texts. */
let place = 0;

export const language = () => (place ? "zh" : "en");

/**
 * A text in the current language, with its gaps filled.
 * @param {string} key
 * @param {Record<string, unknown>} [gaps]
 */
export const t = (key, gaps = {}) => (texts[key]?.[place] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(gaps[name] ?? ""));

/** A text that is there in both languages. @param {string[]} both */
export const inLanguage = (both) => both[place];

/** The name of an outcome. @param {string} outcome */
export function outcomeName(outcome) {
  if (outcome.startsWith("status ")) return t("o status", { n: outcome.slice(7) });
  return texts["o " + outcome]?.[place] ?? outcome;
}

/** Makes a language that of the document, and writes all texts that stand in the HTML. @param {string} to */
export function translate(to) {
  place = to === "zh" ? 1 : 0;
  document.documentElement.lang = to;
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-t]")) {
    write(element, t(element.getAttribute("data-t") ?? ""));
  }
}

/** English alone has a plural. @param {string} text */
export const plural = (text) => text.replace(/\b1 (new )?(pod|request)s/g, "1 $1$2");
