// What has happened: pods, requests, moments, and the verdict on each change. It knows neither the
// page nor the network, so that a replay is told by the same code, and so that it can be tested.

import { BEFORE_MS, beginOf, endOf, isWaiting, isWithin, noteFailure, noteMoment } from "./change.js";
import { Lives } from "./lives.js";
import { drop, shared } from "./memory.js";
import { Sets } from "./sets.js";
import { judge } from "./verdict.js";

/** @typedef {import("./types.js").Change} Change */
/** @typedef {import("./types.js").Entry} Entry */
/** @typedef {import("./types.js").Mark} Mark */
/** @typedef {import("./types.js").Moment} Moment */
/** @typedef {import("./types.js").Open} Open */
/** @typedef {import("./types.js").Pod} Pod */
/** @typedef {import("./types.js").Side} Side */

/** For how long requests and moments are kept, and longer while a change goes on, whose verdict counts
 * them all. */
const KEEP_MS = 180_000;

/** For how long everything is kept from which a replay could be made, and longer while a change goes on. */
const KEEP_TAPE_MS = 60_000;

/** Roughly what a request, and each value that has changed in a pod, takes in memory. */
const MARK_BYTES = 100, VALUE_BYTES = 50;

/** A change that doesn't come to rest is judged after that long, or when its replay takes so many
 * bytes, and what follows is another one: ten minutes of 40 pods and 100 requests a second. */
const LONGEST_MS = 600_000, MAX_TAPE_BYTES = 12e6;

/** The replays of all changes take so many bytes at most: the oldest ones go first, and their verdicts
 * stay. */
const MAX_KEPT_BYTES = 16e6;

/** A replay begins so long before the change. */
const LEAD_MS = 5_000;

/** A new watch finds every pod that is there within this time. */
const UNSEEN_MS = 4_000;

/** So long it takes to find the pods at first, one after the other. */
const FIRST_LOOK_MS = 1_500;

/** A pod that is found began no longer ago; a pod may claim whatever it likes. */
const MAX_UNFOUND_MS = 5_000;

const MAX_CHANGES = 20;

/** So many names of pods and versions are kept, for requests that repeat them. */
const MAX_NAMES = 1_000;

/** A signal is taken to be no older: a pod may claim whatever it likes, and the change that the signal
 * belongs to begins with it. */
const MAX_SINCE_SIGNAL_SECONDS = KEEP_TAPE_MS / 1000;

/** More versions than that are no rollout; a pod may claim whatever it likes. */
const MAX_VERSIONS = 16;

export class Story {
  /** @type {Map<string, Pod>} */
  pods = new Map();
  /** @type {Mark[]} */
  marks = [];
  /** @type {Moment[]} */
  moments = [];
  /** @type {Change[]} */
  changes = [];
  /** @type {Entry[]} */
  tape = [];
  /** The pods that were there before what is on the tape. @type {Map<string, Pod>} */
  earlier = new Map();
  /** What the tape takes in memory. */
  bytes = 0;
  /** @type {Map<string, string>} */
  names = new Map();
  lives = new Lives();
  sets = new Sets();
  /** @type {WeakSet<Mark>} those that a verdict has counted: one that is heard late begins another change */
  judged = new WeakSet();
  /** @type {Set<string>} "service version" that have answered */
  answered = new Set();
  /** @type {[number, number][]} times in which nobody looked */
  blind = [];
  /** @type {Map<string, number>} pods that haven't been seen since this picture */
  unseen = new Map();
  /** @type {Map<string, number>} since when pods aren't ready */
  unready = new Map();
  /** @type {Map<string, number>} since when pods that were stopping, or answered nothing, are gone for all one knows */
  silent = new Map();
  /** @type {Side[]} */
  sides = [];
  /** @type {number | undefined} when a pod was last found by the first look */
  found;
  /** @type {number | undefined} when something was last heard */
  heard;
  /** So many milliseconds are between two requests; 0 if that isn't known. */
  normal = 0;

  /** What a reader expects of the next change, and since when. @type {{ t: number, service: number, texts: string[] } | null} */
  expected = null;

  /** @param {string[]} labels what the Services are called @param {number} [began] when one began to look */
  constructor(labels = [], began) {
    this.labels = labels;
    this.began = this.found = began;
  }

  /** @param {number} service */
  side(service) {
    while (this.sides.length <= service) this.sides.push({ ok: 0, failed: 0, late: 0, outcomes: {}, gap: 0, normal: 0, since: 0, running: 0, open: null, over: -Infinity });
    return this.sides[service];
  }

  /** @param {number} service */
  podsOf(service) {
    return [...this.pods.values()].filter((pod) => pod.service === service);
  }

  /** Takes what has been heard. @param {Entry} entry */
  hear(entry) {
    // Once, by the story that is told first and not by a replay of it.
    this.bytes += entry.bytes ??= this.#share(entry);
    this.tape.push(entry);
    if (entry.blind) this.#lookAway(entry.t);
    if (entry.pods) this.#takePods(entry);
    if (entry.marker) this.moments.push({ t: entry.t, service: -1, kind: "marker", pod: "", version: "" });
    for (const mark of entry.marks ?? []) this.#takeMark(mark);
    this.heard = entry.t;
    this.#forget(entry.t);
  }

  /** Has an entry take all that it repeats from what is known, and returns what it takes in memory. @param {Entry} entry */
  #share(entry) {
    const { marks = [] } = entry;
    for (const mark of marks) {
      [mark.pod, mark.version] = [this.#once(mark.pod), this.#once(mark.version)];
      if (mark.outcome === "ok") mark.set = this.sets.of(mark.pod, mark.version);
    }
    let values = 1;
    entry.pods = entry.pods?.map((pod) => {
      const before = this.pods.get(pod.id);
      countRestarts(before, pod);
      pod.set = this.sets.of(pod.name ?? "", pod.version ?? "");
      return shared(before, pod, () => (values += 1));
    });
    return MARK_BYTES * marks.length + VALUE_BYTES * values;
  }

  /** The same name as it was first heard. @param {string} name */
  #once(name) {
    const first = this.names.get(name);
    if (first !== undefined) return first;
    if (this.names.size >= MAX_NAMES) this.names.clear();
    this.names.set(name, name);
    return name;
  }

  /** From now on nobody looks, until the next whole picture. @param {number} t */
  #lookAway(t) {
    const last = this.blind.at(-1);
    if (last?.[1] !== Infinity) this.blind.push([t, Infinity]);
    this.pause();
  }

  /** From now on there may be no requests, so the next one ends no gap. */
  pause() {
    for (const side of this.sides) side.since = side.running = 0;
  }

  /** So many requests a second are sent from now on. @param {number} rate */
  setRate(rate) {
    const normal = rate && 1000 / rate;
    if (normal !== this.normal || !rate) this.pause();
    this.normal = normal;
    for (const { open } of this.sides) if (open) open.normal = Math.max(open.normal, normal);
  }

  /** Counts from now on. */
  reset() {
    for (const side of this.sides) side.ok = side.failed = side.gap = side.normal = 0;
  }

  /** @param {Entry} entry */
  #takePods({ t, pods = [], left = [], all }) {
    const settling = this.#settling(t);
    const initial = this.pods.size === 0 && all;
    // All of them once more without a word before: the server had more to tell than was taken.
    if (all && this.heard !== undefined) this.#lookAway(this.heard);
    const blind = this.blind.at(-1);
    if (all && blind?.[1] === Infinity) blind[1] = t;
    // After a whole picture, who isn't in it is looked for a little longer: a new watch finds the
    // pods one by one.
    if (all) for (const id of this.pods.keys()) this.unseen.set(id, t);
    for (const pod of pods) {
      this.unseen.delete(pod.id);
      const before = this.pods.get(pod.id);
      const same = before && (before.name === pod.name || !before.name);
      if (before && !same) this.#leave(before, t);
      // Who was there before one began to look is no news, however late it is found.
      const isOld = initial || settling || (pod.began ?? Infinity) < (this.began ?? t);
      if (!same) {
        if (settling) this.found = t;
        if (isOld) {
          this.earlier.set(pod.id, pod);
          if (!initial) this.side(pod.service).open?.from.push(pod);
        } else this.#moment(Math.min(Math.max(pod.began ?? t, t - MAX_UNFOUND_MS), t), pod, "appeared", t);
      }
      this.#compare(same ? before : undefined, pod, t, isOld);
      if (pod.state === "ready") this.unready.delete(pod.id);
      else if (!same || !this.unready.has(pod.id)) this.unready.set(pod.id, t);
      // A pod that stops says how far it has come, until it has ended.
      if (pod.state !== "no answer" && (pod.state !== "stopping" || pod.stop)) this.silent.delete(pod.id);
      else if (!this.silent.has(pod.id) && (pod.state === "no answer" || before?.stop)) this.silent.set(pod.id, t);
      this.pods.set(pod.id, pod);
      this.lives.note(pod, t);
    }
    for (const id of left) {
      const pod = this.pods.get(id);
      if (pod) this.#leave(pod, t);
    }
  }

  /** At first, pods that are found are no news. @param {number} t */
  #settling(t) {
    this.found ??= this.began ??= t;
    return t - this.found < FIRST_LOOK_MS;
  }

  /** @param {Pod} pod @param {number} t @param {number} [gone] since when it wasn't there, if that is known */
  #leave(pod, t, gone) {
    // The server says so a while after the last answer.
    const silent = gone ?? this.silent.get(pod.id) ?? t;
    const isOld = silent < (this.side(pod.service).open?.begin ?? t);
    this.#moment(gone ?? (isOld ? t : silent), pod, "ended", t);
    this.lives.end(pod.id, silent);
    for (const known of [this.pods, this.silent, this.unseen, this.unready]) known.delete(pod.id);
  }

  /** @param {Pod | undefined} before @param {Pod} pod @param {number} t @param {boolean} isOld */
  #compare(before, pod, t, isOld) {
    if (before && pod.restarts > before.restarts) this.#moment(t, pod, "restart");
    // What a pod is at first is no news; only later is it one of a pod that is new.
    if (before?.state === pod.state || !before && isOld) return;
    // The first look finds the containers of a pod one after the other.
    if (pod.state === "ready" && !this.#settling(t)) this.#moment(t, pod, "ready");
    if (pod.state === "stopping") {
      const since = Math.min(Math.max(pod.stop?.since_signal_seconds ?? 0, 0), MAX_SINCE_SIGNAL_SECONDS);
      this.#moment(t - since * 1000, pod, "SIGTERM");
    }
    if (before?.state === "ready" && /not ready|no answer|starting/.test(pod.state)) this.#moment(t, pod, "not ready");
  }

  /** @param {Mark} mark */
  #takeMark(mark) {
    this.marks.push(mark);
    const side = this.side(mark.service);
    if (mark.late !== null) side.late += 1;
    const failed = mark.outcome !== "ok";
    // A gap is a time without an answer, and it counts while it goes on. A failure may be the first that is
    // heard: then it begins with that request.
    if (failed) side.since ||= beginOf(mark);
    if (side.since) mark.gap ??= mark.t - side.since;
    // The longest one is the one that is the most above what the rate made normal.
    if (mark.gap && (!side.gap || mark.gap - this.normal > side.gap - side.normal)) [side.gap, side.normal] = [mark.gap, this.normal];
    side.running = failed ? mark.t - side.since : 0;
    if (failed) {
      side.failed += 1;
      side.outcomes[mark.outcome] = (side.outcomes[mark.outcome] ?? 0) + 1;
      return noteFailure(side, mark, () => this.podsOf(mark.service));
    }
    side.ok += 1;
    side.since = mark.t;
    const key = `${mark.service} ${mark.version}`;
    if (mark.version && this.answered.size < 2 * MAX_VERSIONS && !this.answered.has(key)) {
      this.answered.add(key);
      // Its pods make a change, and not its first answer, for which a canary may take long.
      if (side.open && [...this.answered].filter((other) => other.startsWith(`${mark.service} `)).length > 1) {
        this.#moment(mark.t, { name: mark.pod, ip: "", version: mark.version, service: mark.service }, "first");
      }
    }
  }

  /**
   * @param {number} t
   * @param {{ service: number, name: string | null, ip: string, version: string | null }} pod
   * @param {string} kind
   * @param {number} noticed
   */
  #moment(t, pod, kind, noticed = t) {
    const { service } = pod;
    this.moments.push({ t, service, kind, pod: pod.name ?? pod.ip, version: pod.version ?? "" });
    const side = this.side(service);
    const { open } = side;
    if (open?.first === null && open.begin < t - BEFORE_MS) this.#close(service, open, t - BEFORE_MS);
    noteMoment(side, t, noticed, () => this.podsOf(service));
  }

  /** Closes the changes that have come to rest. @param {number} now */
  tick(now) {
    for (const [id, t] of this.unseen) {
      const pod = this.pods.get(id);
      // It was gone when the others were found.
      if (now - t > UNSEEN_MS && pod) {
        this.#leave(pod, now, t);
        this.tape.push({ t: now, pods: [], left: [id], bytes: 0 });
      }
    }
    this.sides.forEach(({ open }, service) => {
      if (!open) return;
      const fits = now - open.begin < LONGEST_MS && this.bytes < MAX_TAPE_BYTES;
      const end = endOf(open, this.podsOf(service), this.unready, now, fits);
      if (end !== null) this.#close(service, open, end);
    });
  }

  /** The verdict on a change up to then. @param {number} service @param {Open} open @param {number} end */
  judge(service, open, end) {
    const [pods, marks] = [this.podsOf(service), this.marks.filter((mark) => mark.service === service && !this.judged.has(mark))];
    return judge(service, this.labels[service] ?? "", open, pods, isWaiting(open, pods, this.unready), end, marks, this.blind, Math.max(open.normal, this.normal));
  }

  /** @param {number} service @param {Open} open @param {number} end */
  #close(service, open, end) {
    const side = this.side(service);
    const begin = open.begin - LEAD_MS;
    // The pods of all Services, as they were when the replay begins.
    const pods = new Map(this.earlier);
    for (const entry of this.tape) if (entry.t <= begin) follow(pods, entry);
    const tape = this.tape.filter((entry) => entry.t > begin);
    let bytes = tape.reduce((sum, entry) => sum + (entry.bytes ?? 0), 0);
    const verdict = this.judge(service, open, end);
    tape.unshift({ t: begin, all: true, pods: [...pods.values()], bytes: 0 });
    const expected = this.expected?.service === service && end > this.expected.t ? this.expected.texts : null;
    if (expected) this.expected = null;
    this.changes.unshift({ verdict, expected, begin, end: Math.max(end, open.failedUntil) + LEAD_MS, tape, bytes });
    if (this.changes.length > MAX_CHANGES) {
      // Failures that come now and then push no verdict on pods out.
      const outage = this.changes.findLastIndex((change) => change.verdict.kind === "outage");
      this.changes.splice(outage > 0 ? outage : MAX_CHANGES, 1);
    }
    bytes = 0;
    this.changes = this.changes.map((change) => ((bytes += change.bytes) > MAX_KEPT_BYTES ? { ...change, tape: [] } : change));
    for (const mark of this.marks) if (mark.service === service && isWithin(mark, open.begin, end)) this.judged.add(mark);
    [side.open, side.over] = [null, end];
    // What has failed since then begins the next one.
    for (const mark of this.marks) {
      if (mark.service === service && mark.outcome !== "ok" && beginOf(mark) > end) noteFailure(side, mark, () => this.podsOf(service));
    }
  }

  /** @param {number} now */
  #forget(now) {
    const begin = Math.min(now, ...this.sides.map(({ open }) => (open?.begin ?? now) - LEAD_MS));
    const old = Math.min(now - KEEP_MS, begin);
    drop(this.marks, old);
    drop(this.moments, old);
    this.lives.forget(old);
    for (const entry of drop(this.tape, Math.min(now - KEEP_TAPE_MS, begin))) {
      this.bytes -= entry.bytes ?? 0;
      follow(this.earlier, entry);
    }
    this.blind = this.blind.filter(([, end]) => end > old);
  }
}

/** Has pods come and go as an entry tells. @param {Map<string, Pod>} there @param {Entry} entry */
function follow(there, { pods = [], left = [] }) {
  for (const pod of pods) there.set(pod.id, pod);
  for (const id of left) there.delete(id);
}

/**
 * Counts the restarts of a pod's containers since the pod was first seen, whichever pod has served the page.
 * @param {Pod | undefined} before @param {Pod} pod
 */
function countRestarts(before, pod) {
  pod.restarts = 0;
  if (before?.name !== pod.name) return;
  // A container that a new watch hasn't reached yet.
  pod.started = pod.started.map((at, i) => at ?? before.started[i]);
  pod.restarts = before.restarts + pod.started.filter((at, i) => at !== (before.started[i] ?? at)).length;
}
