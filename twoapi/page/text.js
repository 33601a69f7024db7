// The page's texts in both languages.

import { write } from "./dom.js";
import en from "./en.js";
import zh from "./zh.js";

/** @type {Record<string, string>} */
let texts = {};

/** @returns {"en" | "zh"} */
export const language = () => (document.documentElement.lang.startsWith("zh") ? "zh" : "en");

/**
 * A text in the current language, with its gaps filled.
 * @param {string} key
 * @param {Record<string, unknown>} [gaps]
 */
export const t = (key, gaps = {}) => (texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(gaps[name] ?? ""));

/** The name of an outcome. @param {string} outcome */
export function outcomeName(outcome) {
  if (outcome.startsWith("status ")) return t("o status", { n: outcome.slice(7) });
  return texts["o " + outcome] ?? outcome;
}

/** Makes a language that of the document, and writes all texts that stand in the HTML. @param {string} to */
export function translate(to) {
  texts = to === "zh" ? zh : en;
  document.documentElement.lang = to;
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-t]")) {
    write(element, t(element.getAttribute("data-t") ?? ""));
  }
}
