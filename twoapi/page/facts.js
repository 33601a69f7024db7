// What is said of a pod.

import { inLanguage, t } from "./text.js";

/** @typedef {import("./types.js").Pod} Pod */

/** Why it isn't ready, how far its stop has come, its burns and its switches.
 * @param {Pod} pod @param {import("./story.js").Story} story @param {number} now */
export function detailsOf(pod, story, now) {
  const seen = story.lives.known.get(pod.id)?.seen ?? now;
  const left = (/** @type {number} */ s) => Math.max(0, s - (now - seen) / 1000);
  const details = pod.why ? [inLanguage(pod.why)] : [];
  if (pod.state === "stopping" && pod.stop) {
    const drain = left(pod.stop.drain_seconds);
    details.push(drain > 0 ? t("drains", { s: drain.toFixed(1) }) : t("finishes", { s: left(pod.stop.deadline_seconds).toFixed(1) }));
  }
  for (const burn of pod.burns) details.push(t("burns", { m: burn.millicores, s: Math.round(left(burn.left)) }));
  for (const fault of pod.faults) {
    details.push(t("switched", { name: `${fault.container} ${fault.name}` }) + (fault.left ? t("lasts", { s: Math.round(left(fault.left)) }) : ""));
  }
  return details;
}

/** Where it is, and since when. @param {Pod} pod @param {number} now */
export function placeOf(pod, now) {
  const age = pod.began ? duration((now - pod.began) / 1000) : "";
  const restarts = pod.restarts ? t("restarts") + t("colon") + pod.restarts : "";
  return [pod.ip, age, pod.node, restarts].filter(Boolean).join(" · ");
}

/** What it uses, of what it may. @param {{ cpu: number | null, limit: number | null }} it */
export function cpuOf({ cpu, limit }) {
  const used = cpu === null ? "–" : `${cpu}m`;
  return `CPU ${limit ? t("of", { n: used, limit }) : used}`;
}

/** The last probes of a container. @param {import("./types.js").Container} container */
export function probesOf({ probes }) {
  return probes.length ? `${t("probes")}${t("colon")}${probes.map((probe) => Object.values(probe).join(" ")).join(t("comma"))}` : "";
}

/** As kubectl writes it. @param {number} s */
function duration(s) {
  const [size, unit] = [[86400, "d"], [3600, "h"], [60, "m"]].find(([size]) => s >= 2 * Number(size)) ?? [1, "s"];
  return Math.max(0, Math.floor(s / Number(size))) + String(unit);
}
