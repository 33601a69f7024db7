// The events of the server, as the story hears them.

/** @typedef {import("./types.js").Entry} Entry */

/**
 * The events of the server, in this browser's clock.
 * @param {string} name
 * @param {any} data
 * @param {number} offset how far the server's clock is ahead
 * @returns {Entry | null}
 */
export function entry(name, data, offset) {
  const t = data.now - offset;
  if (name === "pods") {
    // A pod's clock is taken for the server's.
    for (const pod of data.pods) pod.began = Date.parse(pod.started[1] ?? pod.started[0]) - offset || null;
    return { t, pods: data.pods, left: data.left, all: data.all };
  }
  if (name !== "traffic") return null;
  const marks = data.marks.map((/** @type {any[]} */ [at, took, service, lane, outcome, pod, version, late, look]) => ({
    t: at - offset, took, service, lane, outcome, pod: pod ?? "", version: version ?? "", late, look: look ?? 0,
  }));
  return { t, marks };
}
