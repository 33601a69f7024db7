// The list of changes, with the verdict on each.

import { copyButton } from "./copy.js";
import { button, by, make } from "./dom.js";
import { live } from "./live.js";
import { beginReplay } from "./replay.js";
import { inLanguage, language, outcomeName, plural, t } from "./text.js";

/** @typedef {import("./types.js").Verdict} Verdict */

/** What is listed. */
let listed = "";

/** What has changed, in a sentence. @param {Verdict} v */
export function sayWhat(v) {
  // What was seen at one moment has no duration.
  return plural(t(v.kind, { ...v, from: v.from.join(" + "), to: v.to.join(" + "), n: v.pods, s: v.seconds }).replace(/ (in|for) 0 s|，(用时|持续) 0 秒/, ""));
}

/** A verdict in a sentence. @param {Verdict} v */
function sentence(v, expected = /** @type {string[] | null} */ (null)) {
  const parts = [sayWhat(v), t("requests", { n: v.requests.toLocaleString(language()), f: v.failed })];
  for (const [outcome, count] of Object.entries(v.outcomes)) parts.push(t("counted", { n: count, what: outcomeName(outcome) }));
  if (v.longest_gap_ms !== null) parts.push(t("longest", { g: v.longest_gap_ms, n: v.normal_gap_ms }));
  if (v.late) parts.push(t("lateOnes", { n: v.late }));
  if (v.stuck) parts.push(t("stuck", { n: v.stuck }));
  if (v.unobserved_seconds) parts.push(t("blind", { s: v.unobserved_seconds }));
  if (expected) parts.push(t("expected", { what: inLanguage(expected) }));
  const text = plural(parts.join(t("comma")));
  return (live.labels[1] ? v.label + t("colon") : "") + text;
}

/** A file of the verdict, and of all that its replay is made of. @param {import("./types.js").Change} change */
function download(change) {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(change, null, 1)]));
  link.download = `change-${change.verdict.at.replace(/:/g, "")}.json`;
  link.click();
  URL.revokeObjectURL(link.href);
}

export function verdicts() {
  const replays = live.changes.filter((change) => change.tape.length).length;
  const all = [language(), live.labels, replays, live.changes.length, live.changes[0]?.begin].join();
  if (all === listed) return;
  listed = all;
  const list = by("changes");
  const items = live.changes.map((change) => {
    const key = [language(), live.labels, change.verdict.service, change.verdict.at, change.tape.length > 0].join();
    const known = [.../** @type {NodeListOf<HTMLElement>} */ (list.childNodes)].find((item) => item.dataset.key === key);
    if (known) return known;
    const text = sentence(change.verdict, change.expected);
    const cut = text.search(/[,，]/);
    const line = make("p", "", make("strong", "", text.slice(0, cut)), text.slice(cut));
    const buttons = [copyButton("copy", text), button(t("export"), () => download(change))];
    if (change.tape.length) buttons.unshift(button(t("replay"), () => beginReplay(change, () => sayWhat(change.verdict))));
    const item = make("li", change.verdict.failed ? "bad" : "", line, ...buttons);
    item.dataset.key = key;
    return item;
  });
  if (!items.length) items.push(make("li", "note", t("noVerdict")));
  // What stays isn't touched, or it would lose the focus.
  const focused = document.activeElement;
  for (const item of [...list.children]) if (!items.includes(/** @type {HTMLElement} */ (item))) item.remove();
  items.forEach((item, i) => list.children[i] === item || list.insertBefore(item, list.children[i] ?? null));
  if (focused && !focused.isConnected) list.focus();
}
