// The verdict on a change.

import { isWithin } from "./change.js";

/** @typedef {import("./types.js").Mark} Mark */
/** @typedef {import("./types.js").Open} Open */
/** @typedef {import("./types.js").Pod} Pod */
/** @typedef {import("./types.js").Verdict} Verdict */

/** @param {Pod[]} pods */
export const versionsOf = (pods) => [...new Set(pods.flatMap((pod) => pod.version ?? []))].sort();

/** @param {number} ms */
const seconds = (ms) => Math.ceil(ms / 100) / 10;

/**
 * @param {number} service
 * @param {string} label
 * @param {Open} open
 * @param {Pod[]} present
 * @param {boolean} waiting whether one of them is still to get ready
 * @param {number} end
 * @param {Mark[]} heard the requests of the Service
 * @param {[number, number][]} blind times in which nobody looked
 * @param {number} normal how far apart the requests were
 * @returns {Verdict}
 */
export function judge(service, label, open, present, waiting, end, heard, blind, normal) {
  const marks = heard.filter((mark) => isWithin(mark, open.begin, end));
  // Those that stop are as good as gone while the change is under way.
  const pods = present.filter((pod) => pod.state !== "stopping");
  const names = (/** @type {Pod[]} */ list) => new Set(list.map((pod) => pod.name));
  const [from, to, old, now] = [versionsOf(open.from), versionsOf(pods), names(open.from), names(pods)];
  const fresh = pods.filter((pod) => !old.has(pod.name)).length;
  const gone = open.from.filter((pod) => !now.has(pod.name)).length;
  const ready = pods.filter((pod) => pod.state === "ready").length;
  let [kind, count] = ["readiness", ready];
  if (open.first === null) kind = "outage";
  else if (fresh && from.some((version) => !to.includes(version)) && to.length) [kind, count] = ["update", fresh];
  else if (fresh > gone && from.length && to.some((version) => !from.includes(version))) [kind, count] = ["added", fresh - gone];
  else if (fresh !== gone) [kind, count] = ["scale", pods.length];
  else if (fresh) [kind, count] = ["replace", fresh];
  // An outage lasts from the beginning of the first request that failed to the end of the last one, and
  // everything else from the first moment to the last.
  const first = open.first ?? open.begin;
  let last = waiting ? end : open.until;
  const failed = marks.filter(({ outcome }) => outcome !== "ok");
  if (kind === "outage") last = failed.at(-1)?.t ?? first;
  /** @type {Record<string, number>} */
  const outcomes = {};
  for (const { outcome } of failed) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  // Each gap that isn't over before the change begins, nor begins after its end.
  const gaps = heard.flatMap(({ t, gap }) => (gap !== undefined && t >= open.begin && t - gap <= end ? gap : []));
  const unobserved = blind.reduce(
    (sum, [a, b]) => sum + Math.max(0, Math.min(b, end) - Math.max(a, open.begin)),
    0,
  );
  return {
    service,
    label,
    kind,
    from,
    to,
    before: open.from.length,
    pods: count,
    stuck: pods.length - ready,
    seconds: seconds(last - first),
    requests: marks.length,
    failed: failed.length,
    outcomes,
    late: marks.filter((mark) => mark.late !== null).length,
    longest_gap_ms: gaps.length ? Math.round(gaps.reduce((a, b) => Math.max(a, b))) : null,
    normal_gap_ms: Math.round(normal),
    unobserved_seconds: Math.round(unobserved / 100) / 10,
    at: new Date(open.begin).toISOString(),
  };
}
