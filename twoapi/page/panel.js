// The panel at the side, in which a reader looks at a pod, or at all of them, says what will come, and acts.

import { by, make, write } from "./dom.js";
import { cpuOf, detailsOf, placeOf, probesOf } from "./facts.js";
import { clock, live } from "./live.js";
import { inLanguage, language, t } from "./text.js";

/** @typedef {import("./types.js").Pod} Pod */
/** @typedef {{ switches: [string, string[]][], expectations: string[][], commands: [string[], string][] }} Lessons */

/** What the server offers to try. @type {Lessons} */
export let lessons = { switches: [], expectations: [], commands: [] };

/** The pod that is looked at; `null` stands for all. @type {Pod | null} */
let target = null;

/** Whether the server takes actions. */
let isAllowed = false;

/** What had the focus before. @type {HTMLElement | null} */
let opener = null;

/** @param {Lessons} offered */
export function offerLessons(offered) {
  // What has been chosen stays chosen when the stream begins anew.
  if (JSON.stringify(lessons) === JSON.stringify(offered)) return;
  lessons = offered;
  by("fault").replaceChildren(...lessons.switches.map(([value]) => Object.assign(make("option"), { value })));
  by("expected").replaceChildren(...lessons.expectations.map(() => make("option")));
}

/** Opens the panel for a pod, or for all. @param {Pod | null} pod @param {boolean} allowed whether the server takes actions */
export function openPanel(pod, allowed) {
  [target, isAllowed] = [pod, allowed];
  opener = /** @type {HTMLElement} */ (document.activeElement);
  write(by("answer"), allowed ? "" : t("noActions"));
  // Where no container allows fault switches, or it isn't known, the answer says so.
  const allowing = (pod ? [pod] : live.podsOf(0)).flatMap((one) => one.allows_faults ?? []);
  const containers = [.../** @type {HTMLSelectElement} */ (by("container")).options];
  for (const option of containers) option.disabled = allowing.length > 0 && !allowing.includes(option.value);
  (containers.find((option) => !option.disabled) ?? containers[0]).selected = true;
  by("panel").hidden = false;
  showPanel(live, clock(), false);
  by("panel-title").focus();
}

/** Shows how the pod is now. @param {import("./story.js").Story} story @param {number} now @param {boolean} isOld */
export function showPanel(story, now, isOld) {
  if (by("panel").hidden) return;
  write(by("panel-title"), target ? target.name ?? target.ip : t("allPods", { service: live.labels[0] }));
  const known = target && story.pods.get(target.id);
  // A pod may say its name later than its address.
  const pod = known && (!target?.name || known.name === target.name) ? known : null;
  if (pod) target = pod;
  // Another pod may have the address of one that has ended, and a replay shows what was.
  const isThere = story === live && (pod || !target);
  for (const element of document.querySelectorAll("[data-do]")) /** @type {HTMLButtonElement} */ (element).disabled = !isAllowed || !isThere;
  /** @type {string[]} */
  const facts = [];
  if (pod) {
    const state = t(pod.state);
    facts.push(`${pod.version ?? ""} ${isOld ? t("wasSeen", { state }) : state}`, placeOf(pod, now), ...detailsOf(pod, story, now));
    for (const one of pod.containers ?? []) facts.push([one.name + t("colon") + t(one.state), cpuOf(one), probesOf(one)].filter(Boolean).join(t("comma")));
  } else if (target) facts.push(t("ended"));
  while (by("facts").children.length > facts.length) by("facts").lastChild?.remove();
  facts.forEach((text, i) => write(by("facts").children[i] ?? by("facts").appendChild(make("li")), text));
  [...by("fault").children].forEach((option, i) => write(option, inLanguage(lessons.switches[i][1])));
  [...by("expected").children].forEach((option, i) => write(option, inLanguage(lessons.expectations[i])));
}

by("panel-close").onclick = () => {
  by("panel").hidden = true;
  (opener?.isConnected ? opener : by("try")).focus();
};

by("panel").onclick = async (event) => {
  const action = /** @type {HTMLElement} */ (event.target).dataset.do;
  if (!action) return;
  write(by("answer"), "…");
  const value = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (by(id)).value;
  const place = /** @type {HTMLSelectElement} */ (by("expected")).selectedIndex;
  const title = by("panel-title").textContent;
  const body = { action, service: target?.service ?? 0, pod: target?.ip ?? null, millicores: Number(value("millicores")), seconds: Number(value("seconds")), container: value("container"), fault: value("fault") };
  const expected = { t: clock(), service: body.service, texts: lessons.expectations[place] };
  const answer = await fetch("page/actions", { method: "POST", headers: { "accept-language": language() }, body: JSON.stringify(body) }).then((response) => {
    if (response.ok && /^[sb]/.test(action)) live.expected = place > 0 ? expected : null;
    return response.text();
  }).catch(String);
  // Another panel may have been opened meanwhile.
  if (title === by("panel-title").textContent) write(by("answer"), answer);
};

by("panel").onkeydown = (event) => {
  const field = /** @type {HTMLElement} */ (event.target);
  if (event.key === "Escape") by("panel-close").click();
  // Enter in a field does what the first button beside it does.
  else if (event.key === "Enter" && /INPUT|SELECT/.test(field.tagName)) field.closest("fieldset")?.querySelector("button")?.click();
  else return;
  event.preventDefault();
  event.stopPropagation();
};
