// The elements of the page.

/** @template {HTMLElement} [T=HTMLElement] @param {string} id */
export const by = (id) => /** @type {T} */ (document.getElementById(id));

/** @template {keyof HTMLElementTagNameMap} K @param {K} tag @param {string} [name] @param {(string | Node)[]} content */
export function make(tag, name = "", ...content) {
  const element = document.createElement(tag);
  element.className = name;
  element.append(...content);
  return element;
}

/** Writes only what has changed. @param {Element} element @param {string} text */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {string} text @param {() => void} act */
export function button(text, act) {
  const element = make("button", "", text);
  element.type = "button";
  element.onclick = act;
  return element;
}
