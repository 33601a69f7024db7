// The page's texts, in the language of the document.

import { by, write } from "./dom.js";

/** The language of the document: `en` or `zh`. */
export const language = () => document.documentElement.lang;

/** Those of the languages that have been read. @type {Record<string, Record<string, string>>} */
const texts = { [language()]: JSON.parse(by("texts").textContent ?? "") };

/**
 * A text in the current language, with its gaps filled.
 * @param {string} key
 * @param {Record<string, unknown>} [gaps]
 */
export const t = (key, gaps = {}) => (texts[language()][key] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(gaps[name] ?? ""));

/** A text that is there in both languages. @param {string[]} both */
export const inLanguage = (both) => both[language() === "zh" ? 1 : 0];

/** The name of an outcome. @param {string} outcome */
export function outcomeName(outcome) {
  if (outcome.startsWith("status ")) return t("o status", { n: outcome.slice(7) });
  return texts[language()]["o " + outcome] ?? outcome;
}

/** Writes all texts that stand in the HTML, in this language. Those of another one are in the document that the
 * server has for it; without a server the language stays. @param {string} to */
export async function translate(to) {
  try {
    if (!texts[to]) {
      const other = await fetch("./", { headers: { "accept-language": to } });
      const parsed = new DOMParser().parseFromString(await other.text(), "text/html");
      // One of another version may lack some, and a proxy may have had its own idea of the language.
      to = parsed.documentElement.lang;
      texts[to] = { ...texts[language()], ...JSON.parse(parsed.getElementById("texts")?.textContent ?? "") };
    }
    document.documentElement.lang = to;
  } catch { /* nor do those who look at the language find another one */ }
  for (const element of document.querySelectorAll("[data-t]")) {
    write(element, t(element.getAttribute("data-t") ?? ""));
  }
}

/** English alone has a plural. @param {string} text */
export const plural = (text) => text.replace(/\b1 (new )?(Pod|request)s/g, "1 $1$2");
