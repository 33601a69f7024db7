// The page's texts. A browser loads those of one language, and of the other when it is switched to.

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

/** Loads a language, makes it that of the document, and writes all texts that stand in the HTML. @param {string} to */
export async function translate(to) {
  texts = (await import(`./${to}.js`)).default;
  document.documentElement.lang = to;
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-t]")) {
    const key = element.getAttribute("data-t") ?? "";
    if (element.textContent !== t(key)) element.textContent = t(key);
  }
}
