// What a change is. Each Service has at most one that is open.
//
// - It begins with a moment of a pod, such as its appearance or its SIGTERM, or with a request that fails: a
//   caller notices the death of a pod before the page does. If no moment follows, it is an outage. If the
//   first moment comes more than BEFORE_MS after the first failure, these are two changes: an outage that ends
//   BEFORE_MS before the moment, and the change of the pods, which begins with the first failure after that.
// - What belongs to it are its moments and the requests that began within it. So each failed request
//   belongs to one change.
// - It ends when no moment has come, and no request has failed, for REST_MS. Until STUCK_MS after its last
//   moment it also goes on while requests fail, or while a pod that has become unready in it isn't ready
//   again; and as long as a pod stops. An outage goes on as long as requests fail.
// - What takes very long is judged in pieces, so that what is kept has a bound.

/** @typedef {import("./types.js").Mark} Mark */
/** @typedef {import("./types.js").Open} Open */
/** @typedef {import("./types.js").Pod} Pod */
/** @typedef {import("./types.js").Side} Side */

/** A request that fails at most so long before the first moment belongs to the change. */
export const BEFORE_MS = 3_000;

/** … and one that begins so soon after the last event. */
const AFTER_MS = 500;

/** What has come to rest has had no event for so long: a request that began within AFTER_MS is over by then,
 * since it may take two seconds. */
const REST_MS = 3_000;

/** Longer than the switches of the page make a pod unready. */
const STUCK_MS = 30_000;

/** When a request began. @param {Mark} mark */
export const beginOf = (mark) => mark.t - mark.took;

/** @param {Mark} mark @param {number} begin @param {number} end */
export const isWithin = (mark, begin, end) => beginOf(mark) >= begin && beginOf(mark) <= end;

/** @param {number} begin @param {Pod[]} from @returns {Open} */
const begun = (begin, from) => ({ begin, last: begin, from, first: null, until: 0, noticed: 0, failedUntil: 0, normal: 0 });

/** A request has failed. @param {Side} side @param {Mark} mark @param {() => Pod[]} pods those that are there */
export function noteFailure(side, mark, pods) {
  const began = beginOf(mark);
  const open = (side.open ??= begun(began, pods()));
  open.begin = Math.min(open.begin, began);
  open.last = Math.max(open.last, began);
  open.failedUntil = mark.t;
}

/**
 * Something has happened to a pod.
 * @param {Side} side @param {number} t @param {number} noticed when the page saw it @param {() => Pod[]} pods those that are there
 */
export function noteMoment(side, t, noticed, pods) {
  // No change reaches into the one before it.
  const at = Math.max(t, side.over);
  const open = (side.open ??= begun(at, pods()));
  open.begin = Math.min(open.begin, at);
  open.first = Math.min(open.first ?? at, at);
  open.until = Math.max(open.until, at);
  open.last = Math.max(open.last, noticed);
  open.noticed = Math.max(open.noticed, noticed);
}

/** Whether a pod that has become unready in the change isn't ready. @param {Open} open @param {Pod[]} pods @param {Map<string, number>} unready since when pods aren't */
export const isWaiting = ({ begin }, pods, unready) => pods.some(({ id }) => (unready.get(id) ?? -Infinity) >= begin);

/**
 * When the change has ended; `null` while it goes on.
 * @param {Open} open @param {Pod[]} pods @param {Map<string, number>} unready @param {number} now
 * @param {boolean} fits whether more of it may be kept
 */
export function endOf(open, pods, unready, now, fits) {
  const isBusy = now - open.last < REST_MS || isWaiting(open, pods, unready);
  const isStuck = open.first !== null && now - open.noticed > STUCK_MS;
  if (fits && (isBusy && !isStuck || pods.some((pod) => pod.state === "stopping"))) return null;
  // What is cut off is so where no request is under way any more.
  return isBusy ? Math.max(open.begin, now - REST_MS) : open.last + AFTER_MS;
}
