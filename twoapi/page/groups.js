// How many pods each ReplicaSet had when the change began, and how many it has now.

import { make } from "./dom.js";
import { showLegend } from "./legend.js";

/** @typedef {import("./types.js").Pod} Pod */

/** More of them are no update; a pod may claim whatever name it likes. */
const MAX_GROUPS = 4;

/** A pod has the name of its ReplicaSet, and an ending of its own. @param {Pod} pod */
const groupOf = (pod) => (pod.name ?? pod.ip).replace(/-[^-]*$/, "");

/** @param {HTMLElement} list @param {import("./story.js").Story} story @param {number} service */
export function showGroups(list, story, service) {
  const { open } = story.side(service);
  const now = story.podsOf(service).filter((pod) => pod.state !== "stopping");
  const before = open?.from ?? now;
  const all = [...before, ...now];
  const names = [...new Set(all.map(groupOf))].slice(0, MAX_GROUPS);
  showLegend(list, names.map((name) => {
    const [had, has] = [before, now].map((pods) => pods.filter((pod) => groupOf(pod) === name).length);
    const count = had === has ? String(has) : `${had} → ${has}`;
    const version = all.find((pod) => groupOf(pod) === name && pod.version)?.version ?? "";
    return [name + count + version, make("strong", "", count), ` ${version} ${name.split("-").at(-1)}`];
  }));
}
