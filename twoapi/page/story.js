// What has happened: pods, requests, moments, and the verdict on each change. It knows neither the
// page nor the network, so that a replay is told by the same code, and so that it can be tested.

/**
 * @typedef {{ id: string, service: number, ip: string, name: string | null, version: string | null,
 *   namespace: string | null, node: string | null, state: string, why: string, restarts: number,
 *   started: number | null, cpu: number | null, limit: number | null,
 *   stop: { since_signal_seconds: number, drain_seconds: number, deadline_seconds: number } | null,
 *   burns: { id: number, millicores: number, left: number }[],
 *   probes: { container: string, kind: string, status: number, every: number | null }[],
 *   faults: { container: string, name: string, left: number | null }[] }} Pod
 * @typedef {{ t: number, took: number, service: number, lane: number, outcome: string,
 *   pod: string, version: string, late: number | null }} Mark
 * @typedef {{ t: number, service: number, kind: string, pod: string, version: string }} Moment
 * @typedef {{ t: number, pods?: Pod[], left?: string[], all?: boolean, marks?: Mark[],
 *   blind?: boolean }} Entry
 * @typedef {{ service: number, label: string, kind: string, from: string[], to: string[],
 *   before: number, pods: number, stuck: number, seconds: number, requests: number, failed: number,
 *   outcomes: Record<string, number>, late: number, longest_gap_ms: number | null,
 *   unobserved_seconds: number, at: string }} Verdict
 * @typedef {{ verdict: Verdict, begin: number, end: number, tape: Entry[] }} Change
 * @typedef {{ ok: number, failed: number, late: number, outcomes: Record<string, number>, gap: number,
 *   lastOk: number, open: null | { begin: number, last: number, active: number, from: Pod[] } }} Side
 */

/** For how long everything is kept, and longer while a change goes on, whose verdict counts it all. */
const KEEP_MS = 180_000;

/** A change that doesn't come to rest is judged after that long, and what follows is another one. */
const LONGEST_MS = 600_000;

/** A change has come to rest when nothing has happened for longer than a request may take. */
const REST_MS = 2_500;

/** … and when it is stuck, for that long. */
const STUCK_MS = 12_000;

/** A replay begins so long before the change. */
const LEAD_MS = 1_000;

/** A new watch finds every pod that is there within this time. */
const UNSEEN_MS = 4_000;

/** So long it takes to find the pods at first, one after the other. */
const FIRST_LOOK_MS = 1_500;

const MAX_CHANGES = 20;

/** More versions than that are no rollout; a pod may claim whatever it likes. */
const MAX_VERSIONS = 16;

export class Story {
  /** @param {string[]} labels what the Services are called */
  constructor(labels = []) {
    this.labels = labels;
    /** @type {Map<string, Pod>} */
    this.pods = new Map();
    /** @type {Mark[]} */
    this.marks = [];
    /** @type {Moment[]} */
    this.moments = [];
    /** @type {Change[]} */
    this.changes = [];
    /** @type {Entry[]} */
    this.tape = [];
    /** @type {string[]} in the order of their appearance */
    this.versions = [];
    /** @type {Set<string>} "service version" that have answered */
    this.answered = new Set();
    /** @type {[number, number][]} times in which nobody looked */
    this.blind = [];
    /** @type {Map<string, number>} pods that haven't been seen since this picture */
    this.unseen = new Map();
    /** @type {Side[]} */
    this.sides = [];
    /** @type {number | undefined} when the first look began */
    this.began = undefined;
    /** @type {number | undefined} when something was last heard */
    this.heard = undefined;
    /** @type {(moment: Moment) => void} */
    this.onMoment = () => {};
  }

  /** @param {number} service */
  side(service) {
    return (this.sides[service] ??= { ok: 0, failed: 0, late: 0, outcomes: {}, gap: 0, lastOk: 0, open: null });
  }

  /** @param {number} service */
  podsOf(service) {
    return [...this.pods.values()].filter((pod) => pod.service === service);
  }

  /** Takes what has been heard. @param {Entry} entry */
  hear(entry) {
    this.tape.push(entry);
    if (entry.blind) this.lookAway(entry.t);
    if (entry.pods) this.takePods(entry);
    for (const mark of entry.marks ?? []) this.takeMark(mark);
    this.heard = entry.t;
    this.forget(entry.t);
  }

  /** From now on nobody looks, until the next whole picture. @param {number} t */
  lookAway(t) {
    const last = this.blind.at(-1);
    if (last?.[1] !== Infinity) this.blind.push([t, Infinity]);
    for (const side of this.sides) side.lastOk = 0;
  }

  /** @param {Entry} entry */
  takePods({ t, pods = [], left = [], all }) {
    const settling = this.settling(t);
    const initial = this.pods.size === 0 && all;
    // All of them once more without a word before: the server had more to tell than was taken.
    if (all && this.heard !== undefined) this.lookAway(this.heard);
    const blind = this.blind.at(-1);
    if (all && blind?.[1] === Infinity) blind[1] = t;
    // After a whole picture, who isn't in it is looked for a little longer: a new watch finds the
    // pods one by one.
    if (all) for (const id of this.pods.keys()) this.unseen.set(id, t);
    for (const pod of pods) {
      this.unseen.delete(pod.id);
      const before = this.pods.get(pod.id);
      if (pod.version) this.version(pod.version);
      const same = before && (before.name === pod.name || !before.name);
      if (before && !same) this.leave(before, t);
      if (!same && !initial) {
        if (settling) this.began = t;
        else this.moment(t, pod, "appeared");
      }
      if (!initial) this.compare(same ? before : undefined, pod, t);
      this.pods.set(pod.id, pod);
    }
    for (const id of left) {
      const pod = this.pods.get(id);
      if (pod) this.leave(pod, t);
    }
  }

  /** At first, pods that are found are no news. @param {number} t */
  settling(t) {
    this.began ??= t;
    return t - this.began < FIRST_LOOK_MS;
  }

  /** @param {Pod} pod @param {number} t */
  leave(pod, t) {
    this.moment(t, pod, "end");
    this.pods.delete(pod.id);
    this.unseen.delete(pod.id);
  }

  /** @param {Pod | undefined} before @param {Pod} pod @param {number} t */
  compare(before, pod, t) {
    if (before && pod.restarts > before.restarts) this.moment(t, pod, "restart");
    if (before?.state === pod.state) return;
    if (pod.state === "ready" && (before || !this.settling(t))) this.moment(t, pod, "isReady");
    if (pod.state === "stopping") this.moment(t - (pod.stop?.since_signal_seconds ?? 0) * 1000, pod, "signal");
    if (before?.state === "ready" && /not ready|no answer|starting/.test(pod.state)) this.moment(t, pod, "unready");
  }

  /** @param {Mark} mark */
  takeMark(mark) {
    this.marks.push(mark);
    const side = this.side(mark.service);
    if (mark.late !== null) side.late += 1;
    if (mark.outcome !== "ok") {
      side.failed += 1;
      side.outcomes[mark.outcome] = (side.outcomes[mark.outcome] ?? 0) + 1;
      return;
    }
    side.ok += 1;
    if (side.lastOk) side.gap = Math.max(side.gap, mark.t - side.lastOk);
    side.lastOk = mark.t;
    const key = `${mark.service} ${mark.version}`;
    if (mark.version && this.answered.size < 2 * MAX_VERSIONS && !this.answered.has(key)) {
      this.answered.add(key);
      this.version(mark.version);
      if ([...this.answered].filter((other) => other.startsWith(`${mark.service} `)).length > 1) {
        this.moment(mark.t, { name: mark.pod, ip: "", version: mark.version, service: mark.service }, "first");
      }
    }
  }

  /** The number of a version, which chooses its colour and pattern. @param {string} version */
  version(version) {
    if (!this.versions.includes(version) && this.versions.length < MAX_VERSIONS) this.versions.push(version);
    return Math.max(0, this.versions.indexOf(version));
  }

  /**
   * @param {number} t
   * @param {{ service: number, name: string | null, ip: string, version: string | null }} pod
   * @param {string} kind
   */
  moment(t, pod, kind) {
    const { service } = pod;
    const moment = { t, service, kind, pod: pod.name ?? pod.ip, version: pod.version ?? "" };
    this.moments.push(moment);
    const side = this.side(service);
    side.open ??= { begin: t, last: t, active: t, from: this.podsOf(service) };
    side.open.begin = Math.min(side.open.begin, t);
    side.open.last = Math.max(side.open.last, t);
    if (kind !== "end") side.open.active = Math.max(side.open.active, t);
    this.onMoment(moment);
  }

  /** Closes the changes that have come to rest. @param {number} now */
  tick(now) {
    for (const [id, t] of this.unseen) {
      const pod = this.pods.get(id);
      if (now - t > UNSEEN_MS && pod) this.leave(pod, now);
    }
    this.sides.forEach((side, service) => {
      if (!side.open) return;
      const pods = this.podsOf(service);
      const quiet = now - side.open.last;
      const rest = pods.every((pod) => pod.state === "ready") ? REST_MS : STUCK_MS;
      const { open } = side;
      if (now - open.begin < LONGEST_MS && (quiet < rest || pods.some((pod) => pod.state === "stopping"))) return;
      side.open = null;
      const end = open.last + 500;
      /** @type {Entry[]} */
      const tape = [{ t: open.begin - LEAD_MS, all: true, pods: open.from }];
      for (const entry of this.tape) if (entry.t > open.begin - LEAD_MS) tape.push(entry);
      this.changes.unshift({ verdict: this.judge(service, open, pods, end), begin: open.begin - LEAD_MS, end: end + LEAD_MS, tape });
      this.changes.length = Math.min(this.changes.length, MAX_CHANGES);
    });
  }

  /**
   * @param {number} service
   * @param {NonNullable<Side["open"]>} open
   * @param {Pod[]} pods
   * @param {number} end
   * @returns {Verdict}
   */
  judge(service, open, pods, end) {
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
    const marks = this.marks.filter((mark) => mark.service === service && mark.t >= open.begin && mark.t <= end);
    /** @type {Record<string, number>} */
    const outcomes = {};
    for (const { outcome } of marks) if (outcome !== "ok") outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    const unobserved = this.blind.reduce(
      (sum, [a, b]) => sum + Math.max(0, Math.min(b, end) - Math.max(a, open.begin)),
      0,
    );
    return {
      service,
      label: this.labels[service] ?? "",
      kind,
      from,
      to,
      before: open.from.length,
      pods: count,
      stuck: pods.length - ready,
      seconds: Math.round((open.active - open.begin) / 100) / 10,
      requests: marks.length,
      failed: marks.filter((mark) => mark.outcome !== "ok").length,
      outcomes,
      late: marks.filter((mark) => mark.late !== null).length,
      longest_gap_ms: this.longestGap(marks),
      unobserved_seconds: Math.round(unobserved / 100) / 10,
      at: new Date(open.begin).toISOString(),
    };
  }

  /** Between two successes, with nobody looking away in between. @param {Mark[]} marks */
  longestGap(marks) {
    const times = marks.filter((mark) => mark.outcome === "ok").map((mark) => mark.t).sort((a, b) => a - b);
    let gap = null;
    for (let i = 1; i < times.length; i++) {
      const [a, b] = [times[i - 1], times[i]];
      if (!this.blind.some(([from, to]) => from < b && to > a)) gap = Math.max(gap ?? 0, b - a);
    }
    return gap === null ? null : Math.round(gap);
  }

  /** @param {number} now */
  forget(now) {
    const old = Math.min(now - KEEP_MS, ...this.sides.map(({ open }) => (open?.begin ?? now) - LEAD_MS));
    for (const list of [this.marks, this.moments, this.tape]) {
      let count = 0;
      while (count < list.length && list[count].t < old) count += 1;
      // Not for every single one.
      if (count > 100) list.splice(0, count);
    }
    this.blind = this.blind.filter(([, end]) => end > old);
  }
}

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
    for (const pod of data.pods) pod.started = Date.parse(pod.started) - offset || null;
    return { t, pods: data.pods, left: data.left, all: data.all };
  }
  if (name !== "traffic") return null;
  const marks = data.marks.map((/** @type {any[]} */ m) => ({
    t: m[0] - offset,
    took: m[1],
    service: m[2],
    lane: m[3],
    outcome: m[4],
    pod: m[5] ?? "",
    version: m[6] ?? "",
    late: m[7],
  }));
  return { t, marks };
}
