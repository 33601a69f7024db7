// A button that copies a text.

import { button, make } from "./dom.js";
import { t } from "./text.js";

/** @param {string} key the name of its label @param {string} text */
export function copyButton(key, text) {
  const element = button(t(key), () => {
    // Only localhost and HTTPS have a clipboard for scripts. What is selected can be copied everywhere.
    const field = make("textarea", "", text);
    element.after(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    element.focus();
    element.textContent = t("copied");
    setTimeout(() => (element.textContent = t(key)), 1500);
  });
  return element;
}
