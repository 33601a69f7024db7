// Commands to try.

import { copyButton } from "./copy.js";
import { by, make } from "./dom.js";
import { live } from "./live.js";
import { t } from "./text.js";

/** What a pod calls itself, to stand in a command that somebody copies into a shell: only if it can be
 * the name of an object. @param {string | null | undefined} name @param {string} otherwise */
const safe = (name, otherwise) => (/^[a-z0-9][a-z0-9.-]*$/.test(name ?? "") ? name : otherwise);

function commands() {
  const pod = live.podsOf(0)[0];
  const namespace = safe(pod?.namespace, "chesterns");
  const of = `deployment/chesterdeployment -n ${namespace}`;
  const entries = [
    ["tryRestart", `kubectl rollout restart ${of}`],
    ["tryUndo", `kubectl rollout undo ${of}`],
    ["tryScale", `kubectl scale ${of} --replicas=6`],
    ["tryDelete", `kubectl delete pod -n ${namespace} ${safe(pod?.name, "POD")} --wait=false`],
    ["tryNoDrain", `kubectl patch ${of} --patch-file k8s/lessons/no-drain.patch.yaml`],
  ];
  by("commands").replaceChildren(...entries.map(([key, command]) => make("li", "", t(key), make("code", "", command), copyButton("copy", command))));
}

by("try").onclick = () => {
  commands();
  /** @type {HTMLDialogElement} */ (by("lessons")).showModal();
};
