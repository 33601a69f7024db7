// The dialog in which a reader acts on the pods.

import { by, write } from "./dom.js";
import { live } from "./live.js";
import { language, t } from "./text.js";

/** @typedef {import("./types.js").Pod} Pod */

/** The pod that is acted on; `null` stands for all. @type {Pod | null} */
let target = null;

/** Opens the dialog for a pod, or for all. @param {Pod | null} pod @param {boolean} allowed whether the server takes actions */
export function openActions(pod, allowed) {
  target = pod;
  write(by("dialog-title"), pod ? t("actOn", { pod: pod.name ?? pod.ip }) : t("allPods", { service: live.labels[0] }));
  write(by("answer"), allowed ? "" : t("noActions"));
  // Where no container allows fault switches, or it isn't known, the answer says so.
  const allowing = (pod ? [pod] : live.podsOf(0)).flatMap((one) => one.allows_faults ?? []);
  const containers = [.../** @type {HTMLSelectElement} */ (by("container")).options];
  for (const option of containers) option.disabled = allowing.length > 0 && !allowing.includes(option.value);
  (containers.find((option) => !option.disabled) ?? containers[0]).selected = true;
  for (const element of document.querySelectorAll("[data-do]")) /** @type {HTMLButtonElement} */ (element).disabled = !allowed;
  /** @type {HTMLDialogElement} */ (by("dialog")).showModal();
}

by("dialog").onclick = async (event) => {
  const action = /** @type {HTMLElement} */ (event.target).dataset.do;
  if (!action) return;
  // The dialog stays.
  event.preventDefault();
  write(by("answer"), "…");
  const value = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (by(id)).value;
  const body = { action, service: target?.service ?? 0, pod: target?.ip ?? null, millicores: Number(value("millicores")), seconds: Number(value("seconds")), container: value("container"), fault: value("fault") };
  const answer = await fetch("page/actions", { method: "POST", headers: { "accept-language": language() }, body: JSON.stringify(body) }).then((response) => response.text(), String);
  write(by("answer"), answer);
};

// Enter in a field does what the first button beside it does.
by("dialog").onkeydown = (event) => {
  const field = /** @type {HTMLElement} */ (event.target);
  if (event.key !== "Enter" || !/INPUT|SELECT/.test(field.tagName)) return;
  event.preventDefault();
  field.closest("fieldset")?.querySelector("button")?.click();
};
