// The verdict on a change.

/** @typedef {import("./types.js").Mark} Mark */
/** @typedef {import("./types.js").Pod} Pod */
/** @typedef {import("./types.js").Side} Side */
/** @typedef {import("./types.js").Verdict} Verdict */

/**
 * @param {number} service
 * @param {string} label
 * @param {NonNullable<Side["open"]>} open
 * @param {Pod[]} pods
 * @param {number} end
 * @param {Mark[]} marks
 * @param {[number, number][]} blind times in which nobody looked
 * @returns {Verdict}
 */
export function judge(service, label, open, pods, end, marks, blind) {
  const versions = (/** @type {Pod[]} */ list) => [...new Set(list.flatMap((pod) => pod.version ?? []))].sort();
  const names = (/** @type {Pod[]} */ list) => new Set(list.map((pod) => pod.name));
  const [from, to, old] = [versions(open.from), versions(pods), names(open.from)];
  const fresh = pods.filter((pod) => !old.has(pod.name)).length;
  const gone = open.from.filter((pod) => !names(pods).has(pod.name)).length;
  const ready = pods.filter((pod) => pod.state === "ready").length;
  let [kind, count] = ["readiness", ready];
  if (from.join() !== to.join() && from.length && to.length) [kind, count] = ["update", fresh];
  else if (fresh !== gone) [kind, count] = ["scale", pods.length];
  else if (fresh) [kind, count] = ["replace", fresh];
  /** @type {Record<string, number>} */
  const outcomes = {};
  const failed = marks.filter(({ outcome }) => outcome !== "ok");
  for (const { outcome } of failed) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  const gaps = marks.flatMap((mark) => mark.gap ?? []);
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
    seconds: Math.round((open.active - open.begin) / 100) / 10,
    requests: marks.length,
    failed: failed.length,
    outcomes,
    late: marks.filter((mark) => mark.late !== null).length,
    longest_gap_ms: gaps.length ? Math.round(gaps.reduce((a, b) => Math.max(a, b))) : null,
    unobserved_seconds: Math.round(unobserved / 100) / 10,
    at: new Date(open.begin).toISOString(),
  };
}
