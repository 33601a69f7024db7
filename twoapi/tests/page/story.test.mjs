// The story without a browser: moments, verdicts and gaps from what a server might send.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { entry } from "../../page/entry.js";
import { Story } from "../../page/story.js";

const pod = (name, state, version = "1.0", more = {}) => ({
  id: `0/${name}`, service: 0, ip: "10.0.0.1", name, version, state, started: [null, null], stop: null, ...more,
});
const ok = (t, version = "1.0", more = {}) => ({ t, took: 1, service: 0, lane: 0, outcome: "ok", pod: "a", version, late: null, ...more });

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");

/** The megabytes that are in use after a collection. */
function heap() {
  collectGarbage();
  return process.memoryUsage().heapUsed / 1e6;
}

/** A story that has looked at one pod for a while. */
function begun(names = ["a"]) {
  const story = new Story(["service"]);
  story.hear({ t: 0, all: true, pods: names.map((name) => pod(name, "ready")) });
  story.hear({ t: 1900, marks: [ok(1900)] });
  return story;
}

test("pods that are there when one begins to look are no news", () => {
  const story = new Story();
  story.hear({ t: 0, all: true, pods: [] });
  story.hear({ t: 10, pods: [pod("a", "ready")] });
  assert.deepEqual(story.moments, []);
});

test("many pods may take longer to be found than one", () => {
  const story = new Story();
  story.hear({ t: 0, all: true, pods: [] });
  for (let i = 0; i < 100; i++) story.hear({ t: i * 50, pods: [pod(`p${i}`, i % 2 ? "ready" : "not ready")] });
  assert.deepEqual(story.moments, []);
  story.hear({ t: 10_000, pods: [pod("new", "ready")] });
  assert.deepEqual(story.moments.map(({ kind }) => kind), ["appeared", "ready"]);
});

test("an update is judged when it has come to rest", () => {
  const story = begun();
  story.hear({ t: 2000, pods: [pod("b", "starting", "1.1")] });
  story.hear({ t: 2500, pods: [pod("b", "ready", "1.1")] });
  story.hear({ t: 2600, marks: [ok(2550, "1.1"), ok(2600, "1.0", { outcome: "reset", pod: "" })] });
  story.hear({ t: 3100, pods: [pod("a", "stopping", "1.0", { stop: { since_signal_seconds: 0.1, drain_seconds: 2, deadline_seconds: 9 } })] });
  story.hear({ t: 3200, marks: [ok(3200, "1.0", { late: 200 })] });
  story.hear({ t: 5000, pods: [], left: ["0/a"] });
  story.tick(6000);
  assert.equal(story.changes.length, 0, "something may come yet");
  story.tick(8000);
  const { verdict } = story.changes[0];
  assert.deepEqual([verdict.kind, verdict.from, verdict.to, verdict.pods], ["update", ["1.0"], ["1.1"], 1]);
  assert.equal(verdict.seconds, 3, "from the new pod's appearance to the old one's end");
  assert.deepEqual([verdict.requests, verdict.failed, verdict.late], [3, 1, 1]);
  assert.deepEqual(verdict.outcomes, { reset: 1 });
  assert.equal(verdict.longest_gap_ms, 650);
  const kinds = story.moments.map((moment) => moment.kind);
  assert.deepEqual(kinds, ["appeared", "ready", "first", "SIGTERM", "ended"]);
});

test("a container's restarts are counted on when another pod serves the page", () => {
  const story = new Story();
  const seen = (t, oneapi, twoapi, more = {}) => {
    story.hear({ t, pods: [pod("a", "ready", "1.0", { started: [oneapi, twoapi] })], ...more });
    return story.pods.get("0/a").restarts;
  };
  assert.equal(seen(0, "first", "first", { all: true }), 0);
  assert.equal(seen(5000, "second", "first"), 1);
  assert.equal(seen(5100, "second", "first"), 1);
  story.hear({ t: 6000, blind: true });
  // The new watch has not reached oneapi yet. When it does, oneapi has restarted meanwhile.
  assert.equal(seen(7000, null, "first", { all: true }), 1);
  assert.equal(seen(7500, "third", "second"), 3);
  assert.deepEqual(story.moments.map(({ kind }) => kind), ["restart", "restart"]);
  const replayed = new Story();
  for (const heard of story.tape) replayed.hear(heard);
  assert.equal(replayed.pods.get("0/a").restarts, 3, "a replay counts nothing again");
  story.hear({ t: 8000, pods: [{ ...pod("b", "ready", "1.0", { started: ["fourth", "fourth"] }), id: "0/a" }] });
  assert.equal(story.pods.get("0/a").restarts, 0, "the address is another pod's now");
});

test("scaling, replacing and readiness are told apart", () => {
  const judged = (change) => {
    const story = begun(["a", "b"]);
    change(story);
    story.tick(60_000);
    return story.changes[0].verdict;
  };
  const scaled = judged((story) => story.hear({ t: 2000, pods: [pod("c", "ready")] }));
  assert.deepEqual([scaled.kind, scaled.before, scaled.pods], ["scale", 2, 3]);
  const replaced = judged((story) => {
    story.hear({ t: 2000, pods: [pod("c", "ready")] });
    story.hear({ t: 2100, left: ["0/a"], pods: [] });
  });
  assert.deepEqual([replaced.kind, replaced.pods], ["replace", 1]);
  const unready = judged((story) => {
    story.hear({ t: 2000, pods: [pod("a", "not ready")] });
    story.hear({ t: 4000, pods: [pod("a", "ready")] });
  });
  assert.deepEqual([unready.kind, unready.seconds], ["readiness", 2]);
  const stuck = judged((story) => story.hear({ t: 2000, pods: [pod("c", "not ready", "1.1")] }));
  assert.equal(stuck.stuck, 1);
});

test("a time in which nobody looked is neither a gap nor a change", () => {
  const story = begun();
  story.hear({ t: 2000, blind: true });
  story.hear({ t: 2800, all: true, pods: [] });
  story.hear({ t: 2900, pods: [pod("a", "ready")] });
  story.hear({ t: 3000, marks: [ok(3000)] });
  story.tick(20_000);
  assert.equal(story.side(0).gap, 0);
  assert.deepEqual([story.moments, story.changes], [[], []]);
  assert.deepEqual(story.blind, [[2000, 2800]]);
});

test("events that were missed are a time in which nobody looked", () => {
  const story = begun();
  // All pods again, from the same server: it had more to tell than this browser took.
  story.hear({ t: 9000, all: true, pods: [pod("a", "ready")] });
  story.hear({ t: 9100, marks: [ok(9100)] });
  assert.deepEqual(story.blind, [[1900, 9000]]);
  assert.equal(story.side(0).gap, 0, "nobody knows of a gap");
  assert.deepEqual(story.moments, []);
});

test("a pod that left while nobody looked is missed", () => {
  const story = begun(["a", "b"]);
  story.hear({ t: 2000, blind: true });
  story.hear({ t: 2500, all: true, pods: [] });
  story.hear({ t: 2600, pods: [pod("a", "ready")] });
  story.tick(8000);
  assert.deepEqual(story.moments.map((moment) => [moment.kind, moment.pod]), [["ended", "b"]]);
  assert.equal(story.moments[0].t, 2500, "it wasn't there any more when the others were found");
  assert.equal(story.lives.of(0, 0, 8000).find(({ name }) => name === "b")?.end, 2500, "and so its bar ends there");
});

test("half an hour at fifty a second stays bounded", () => {
  const story = begun();
  for (let t = 2000; t < 1_800_000; t += 20) story.hear({ t, marks: [ok(t)] });
  assert.ok(story.marks.length < 10_000, `${story.marks.length} marks`);
  assert.ok(story.tape.length < 10_000, `${story.tape.length} entries`);
  assert.ok(story.side(0).ok > 89_000, "all are counted");
});

test("events are told in this browser's clock", () => {
  const heard = entry("traffic", { now: 10_500, marks: [[10_400, 1.5, 0, 1, "ok", "a", "1.0", null]] }, 10_000);
  assert.equal(heard?.t, 500);
  assert.deepEqual(heard?.marks?.[0], { t: 400, took: 1.5, service: 0, lane: 1, outcome: "ok", pod: "a", version: "1.0", late: null });
});

test("a change that takes longer than what is kept otherwise is judged from its beginning", () => {
  const story = begun();
  story.hear({ t: 2000, pods: [pod("b", "starting", "1.1")] });
  story.hear({ t: 2100, marks: [ok(2100, "1.0", { outcome: "reset", pod: "" })] });
  for (let t = 3000; t < 300_000; t += 100) {
    story.hear({ t, marks: [ok(t)] });
    // A pod that fails its probe now and then keeps the change open.
    if (t % 10_000 === 0) story.hear({ t, pods: [pod("b", "ready", "1.1")] });
    if (t % 10_000 === 1000) story.hear({ t, pods: [pod("b", "not ready", "1.1")] });
    story.tick(t);
  }
  story.hear({ t: 300_000, pods: [pod("b", "ready", "1.1")] });
  story.tick(310_000);
  const { verdict } = story.changes.at(-1);
  assert.equal(verdict.failed, 1, JSON.stringify(verdict));
});

test("a change without an end is judged in pieces, so that what is kept has a bound", () => {
  const story = begun();
  let most = 0;
  for (let t = 2000; t < 3_600_000; t += 100) {
    story.hear({ t, marks: [ok(t)] });
    if (t % 1000 === 0) story.hear({ t, pods: [pod("a", t % 2000 ? "not ready" : "ready")] });
    if (t % 5000 === 0) {
      story.hear({ t, blind: true });
      story.hear({ t: t + 10, all: true, pods: [pod("a", "ready")] });
    }
    story.tick(t);
    most = Math.max(most, story.marks.length, story.tape.length, story.moments.length, story.blind.length);
  }
  assert.ok(story.changes.length >= 4, "it is judged");
  assert.ok(most < 12_000, `${most} things were kept`);
});

test("a pod is as old as its server says, whatever the clock of the browser", () => {
  const started = "2026-01-01T00:00:00.000Z";
  const now = Date.parse(started) + 5000;
  const ahead = 3_600_000;
  const heard = entry("pods", { now, pods: [pod("a", "ready", "1.0", { started: [null, started] })] }, ahead);
  assert.equal(heard.t - heard.pods[0].began, 5000);
  const none = entry("pods", { now, pods: [pod("a", "ready", "1.0", { started: ["<b>yesterday</b>", null] })] }, ahead);
  assert.equal(none.pods[0].began, null, "what is no time has no age");
});

test("each ReplicaSet has a look of its own, also one of the same version, and all viewers see the same", () => {
  const names = ["oneapi-5d8f7c9b6d-x2k4z", "oneapi-5d8f7c9b6d-bbbbb", "oneapi-7c6d5f4b8-x2k4z"];
  const looks = (/** @type {string[]} */ seen) => {
    const story = new Story(["a"], 0);
    story.hear({ t: 2000, all: true, pods: seen.map((name) => pod(name, "ready", "1.0")) });
    return Object.fromEntries(story.podsOf(0).map(({ name, set }) => [name, set.look]));
  };
  const [first, second] = [looks(names), looks([...names].reverse())];
  assert.equal(first[names[0]], first[names[1]], "pods of one ReplicaSet");
  assert.notEqual(first[names[0]], first[names[2]], "one more of the same version");
  assert.deepEqual(second, first, "in whichever order they are seen");
  assert.equal(looks([names[2]])[names[2]], first[names[2]], "and without the old one");
  // Those that would have the same look: whoever comes later takes the next one.
  const two = looks(["oneapi-5d8f7c9b6d-x2k4z", "oneapi-d5f87c9b6d-x2k4z"]);
  assert.equal(new Set(Object.values(two)).size, 2, JSON.stringify(two));
});

test("a pod that claims another version with each answer can't fill the page", () => {
  const story = begun();
  for (let i = 0; i < 5000; i++) story.hear({ t: 2000 + i * 20, marks: [ok(2000 + i * 20, `1.${i}`)] });
  assert.ok(story.sets.list().length <= 6, `${story.sets.list().length} colours`);
  assert.ok(story.moments.length <= 32, `${story.moments.length} moments`);
  assert.ok(story.marks.every(({ set }) => set.look >= 0 && set.look < 6), "each has a colour");
});

/** An event as the server sends it, told to a story. */
function told(story, name, data) {
  const heard = entry(name, JSON.parse(JSON.stringify(data)), 0);
  story.tick(heard.t);
  story.hear(heard);
}

/** What a pod of three says of itself while it runs, with a new figure of its CPU each time. */
function running(number, t, state = "ready") {
  const probes = ["liveness", "readiness", "startup"].flatMap((kind) =>
    ["oneapi", "twoapi"].map((container) => ({ container, kind, at: new Date(t - (t % 5000)).toISOString(), status: 200, took: 0.001, every: 5 })));
  return pod(`chesterdeployment-5d79c7596-lgds${number}`, state, "1.0", { cpu: t % 97, limit: 1000, node: "kind-worker", burns: [], faults: [], probes, started: ["2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z"] });
}

test("three hours of a pod that flaps are twenty verdicts in a few megabytes", () => {
  const before = heap();
  const story = new Story(["service"]);
  const start = Date.parse("2026-01-01T00:00:00Z");
  told(story, "pods", { now: start, all: true, pods: [1, 2, 3].map((number) => running(number, start)) });
  for (let t = start + 2000; t < start + 210 * 60_000; t += 2000) {
    const marks = Array.from({ length: 40 }, (_, i) => [t + i * 50, 1.3, 0, i % 2, "ok", `chesterdeployment-5d79c7596-lgds${i % 3}`, "1.0", null]);
    told(story, "traffic", { now: t, marks });
    told(story, "pods", { now: t, pods: [running(1, t, t % 4000 ? "not ready" : "ready"), running(2, t), running(3, t)] });
  }
  const grown = heap() - before;
  assert.equal(story.changes.length, 20, "no verdict is lost");
  assert.ok(story.changes.every(({ verdict }) => verdict.requests > 10_000), "and each is of ten minutes");
  assert.ok(story.changes[0].tape.length > 500, "the last change can be replayed");
  assert.ok(grown < 40, `${grown.toFixed(0)} MB are kept`);
});

test("of changes that don't fit together, the oldest ones have no replay", () => {
  const story = begun();
  const much = (t, many) => story.hear({ t, marks: Array.from({ length: many }, () => ok(t)) });
  for (let n = 0; n < 6; n++) {
    const t = 100_000 * (n + 1);
    story.hear({ t, pods: [pod("a", n % 2 ? "ready" : "not ready")] });
    much(t + 100, 50_000);
    story.tick(t + 40_000);
  }
  assert.deepEqual(story.changes.map(({ tape }) => tape.length > 0), [true, true, true, false, false, false]);
  assert.deepEqual(story.changes.map(({ verdict }) => verdict.requests), Array(6).fill(50_000), "their verdicts stay");
});

test("what doesn't change in a pod is kept once, and a replay changes nothing of it", () => {
  const story = begun();
  told(story, "pods", { now: 3000, pods: [running(1, 3000)] });
  told(story, "pods", { now: 4000, pods: [running(1, 4001)] });
  const [first, second] = story.tape.slice(-2).map(({ pods }) => pods[0]);
  assert.notEqual(first.cpu, second.cpu);
  assert.equal(first.probes, second.probes, "one list, and not two that are equal");
  const [bytes, text] = [story.bytes, JSON.stringify(story.tape)];
  const replay = new Story(["service"]);
  for (const heard of [...story.tape, ...story.tape]) replay.hear(heard);
  assert.equal(JSON.stringify(story.tape), text);
  assert.equal(story.bytes, bytes);
});

test("a request that began within a change and failed after it belongs to it", () => {
  const story = begun();
  story.hear({ t: 2000, pods: [pod("a", "not ready")] });
  story.hear({ t: 3000, pods: [pod("a", "ready")] });
  story.tick(5300);
  story.hear({ t: 5300, marks: [ok(5300, "", { outcome: "timed out", took: 2000 }), ok(5300)] });
  story.tick(6200);
  assert.equal(story.changes.length, 0, "it is three seconds since a request began that failed");
  story.tick(6400);
  const { verdict, end } = story.changes[0];
  assert.deepEqual([verdict.requests, verdict.failed], [1, 1], "the one that was under way, and not the later one");
  assert.ok(end > 5300, "the replay shows it");
});

test("several pods in one event, of which some have left, are told as they are", () => {
  const story = begun(["a", "b"]);
  story.hear({ t: 5000, pods: [pod("c", "ready"), pod("b", "not ready")], left: ["0/a", "0/never-seen"] });
  assert.deepEqual([...story.pods.values()].map(({ name, state }) => [name, state]), [["b", "not ready"], ["c", "ready"]]);
  assert.deepEqual(story.moments.map(({ kind, pod: name }) => [kind, name]), [["appeared", "c"], ["ready", "c"], ["not ready", "b"], ["ended", "a"]]);
});

test("a pod that claims to have been stopping for a century begins no change of a century", () => {
  for (const [claimed, seconds] of [[3e9, 60], [-3e9, 0], [1.5, 1.5]]) {
    const story = begun();
    const t = 100_000;
    story.hear({ t, pods: [pod("a", "stopping", "1.0", { stop: { since_signal_seconds: claimed, drain_seconds: 2, deadline_seconds: 9 } })] });
    assert.deepEqual(story.moments.map(({ kind, t: at }) => [kind, t - at]), [["SIGTERM", seconds * 1000]]);
  }
});

test("a second Service that is heard of before the first one is told like any other", () => {
  const story = new Story(["one", "two"]);
  story.hear({ t: 0, all: true, pods: [pod("b", "ready", "1.0", { id: "1/b", service: 1 })] });
  for (let t = 300; t <= 600_000; t += 300) story.hear({ t, marks: [ok(t, "1.0", { service: 1 })] });
  assert.ok(story.marks.length < 180_000 / 300 + 200, `${story.marks.length} requests of three minutes`);
  story.hear({ t: 600_100, blind: true });
  story.tick(600_200);
  assert.equal(story.sides[1].since, 0, "nobody looks");
});

test("a page that is opened during an update judges what is left of it, and no pods from nowhere", () => {
  const story = new Story(["service"]);
  const stop = { since_signal_seconds: 0.6, drain_seconds: 2, deadline_seconds: 9 };
  story.hear({ t: 0, all: true, pods: [] });
  story.hear({ t: 50, pods: [pod("a", "stopping", "1.0", { stop })] });
  story.hear({ t: 60, marks: [ok(60), ok(61, "1.1")] });
  story.hear({ t: 100, pods: [pod("b", "ready")] });
  assert.deepEqual(story.moments, []);
  story.hear({ t: 110, pods: [pod("b", "stopping", "1.0", { stop })] });
  story.hear({ t: 120, pods: [pod("c", "ready", "1.1")] });
  story.hear({ t: 3000, pods: [], left: ["0/a", "0/b"] });
  story.tick(9000);
  const { verdict } = story.changes[0];
  // No new pod was seen.
  assert.deepEqual([verdict.kind, verdict.from, verdict.to, verdict.before], ["scale", ["1.0", "1.1"], ["1.1"], 3]);
});

test("a time in which nobody wants requests is no gap", () => {
  const story = begun();
  story.hear({ t: 2000, marks: [ok(2000)] });
  story.pause();
  story.hear({ t: 12_000, marks: [ok(12_000), ok(12_100)] });
  assert.equal(story.side(0).gap, 100);
});

/** Tells a story twenty requests a second from one time to another, of which some fail, and how many did. */
function requests(story, from, to, fails = () => false) {
  let failed = 0;
  for (let t = from; t < to; t += 50) {
    const bad = fails(t);
    failed += Number(bad);
    story.hear({ t, marks: [ok(t, bad ? "" : "1.0", { outcome: bad ? "status 500" : "ok" })] });
    story.tick(t);
  }
  return failed;
}

const sum = (story) => story.changes.reduce((all, { verdict }) => all + verdict.failed, 0);

test("what fails before the page sees a death belongs to its verdict", () => {
  const story = begun(["a", "b"]);
  // Killed at 5000, and seen at 6800.
  const failed = requests(story, 2000, 6800, (t) => t >= 5000 && t % 100 === 0);
  story.hear({ t: 6800, pods: [pod("a", "no answer")] });
  requests(story, 6850, 10_900);
  story.hear({ t: 10_900, pods: [], left: ["0/a"] });
  requests(story, 10_950, 15_000);
  assert.equal(story.changes.length, 1);
  const { verdict, begin } = story.changes[0];
  assert.equal(failed, 18);
  assert.deepEqual([verdict.kind, verdict.failed, story.side(0).failed], ["scale", failed, failed]);
  assert.equal(verdict.at, new Date(4999).toISOString(), "it begins when the first request began that failed");
  assert.equal(begin, 4999 - 5000, "and its replay shows it");
});

test("what failed more than three seconds before a moment is an outage before it, and each failure is in one verdict", () => {
  const story = begun(["a", "b"]);
  const failed = requests(story, 3000, 13_000, (t) => t >= 5000);
  story.hear({ t: 13_000, pods: [pod("a", "no answer")] });
  const more = requests(story, 13_050, 14_000, () => true);
  story.hear({ t: 14_000, pods: [pod("a", "ready")] });
  requests(story, 14_050, 20_000);
  assert.deepEqual(story.changes.map(({ verdict }) => verdict.kind), ["readiness", "outage"]);
  // Those that came from 10 050 to 12 950, and before.
  assert.deepEqual(story.changes.map(({ verdict }) => verdict.failed), [59 + more, failed - 59]);
  assert.equal(sum(story), story.side(0).failed);
});

test("a failure that is heard after the verdict on its time is in one verdict, and the others in no second one", () => {
  const story = begun();
  requests(story, 2000, 10_000, (t) => t >= 5000 && t < 6000);
  assert.equal(story.changes.length, 1);
  story.hear({ t: 11_500, marks: [ok(11_500, "", { outcome: "timed out", took: 6000 })] });
  requests(story, 11_550, 16_000);
  assert.deepEqual(story.changes.map(({ verdict }) => verdict.failed), [1, 20]);
  assert.equal(sum(story), story.side(0).failed);
});

test("an outage without a change of pods is a change of its own", () => {
  const story = begun(["a", "b"]);
  const failed = requests(story, 2000, 20_000, (t) => t >= 5000 && t < 13_000);
  assert.equal(story.changes.length, 1);
  const { verdict } = story.changes[0];
  assert.deepEqual([verdict.kind, verdict.failed, verdict.seconds, verdict.stuck], ["outage", failed, 8, 0]);
  // The last answer before it came at 4950, and the first one after it at 13 000.
  assert.equal(verdict.longest_gap_ms, 8050);
});

test("requests that time out are an outage from when the first one began to when the last one ended", () => {
  const story = begun();
  requests(story, 2000, 5000);
  for (let t = 5000; t < 9000; t += 500) story.hear({ t: t + 2000, marks: [ok(t + 2000, "", { outcome: "timed out", took: 2000 })] });
  requests(story, 10_550, 16_000);
  const { verdict } = story.changes[0];
  assert.deepEqual([verdict.kind, verdict.failed, verdict.seconds], ["outage", 8, 5.5]);
});

test("a gap counts while it is open, also when nothing has been answered yet", () => {
  const story = new Story(["service"]);
  story.hear({ t: 0, all: true, pods: [pod("a", "ready")] });
  requests(story, 2000, 6000, () => true);
  assert.deepEqual([story.side(0).gap, story.side(0).running], [3951, 3951]);
  story.hear({ t: 6000, marks: [ok(6000)] });
  assert.deepEqual([story.side(0).gap, story.side(0).running], [4001, 0]);
});

test("what goes on failing after an update belongs to it for half a minute, and is an outage from then on", () => {
  const story = begun();
  story.hear({ t: 2000, pods: [pod("b", "ready", "1.1")], left: ["0/a"] });
  const failed = requests(story, 2050, 60_000, () => true);
  assert.deepEqual(story.changes.map(({ verdict }) => verdict.kind), ["update"]);
  requests(story, 60_000, 66_000);
  assert.deepEqual(story.changes.map(({ verdict }) => verdict.kind), ["outage", "update"]);
  assert.equal(sum(story), failed);
});

test("an outage of an hour is judged in pieces, and each failure is in one of them", () => {
  const story = begun();
  const failed = requests(story, 2000, 3_600_000, () => true);
  requests(story, 3_600_000, 3_610_000);
  assert.ok(story.changes.length > 5, `${story.changes.length} pieces`);
  assert.equal(sum(story), failed);
});

test("failures now and then push no verdict on pods out of the list", () => {
  const story = begun();
  story.hear({ t: 2000, pods: [pod("b", "ready")] });
  requests(story, 2050, 300_000, (t) => t % 10_000 === 0);
  assert.equal(story.changes.length, 20);
  assert.equal(story.changes.at(-1).verdict.kind, "scale");
});

test("a readiness that fails for twenty seconds is one change of twenty seconds", () => {
  const story = begun(["a", "b"]);
  requests(story, 2000, 5000);
  story.hear({ t: 5000, pods: [pod("a", "not ready")] });
  requests(story, 5000, 25_000);
  assert.deepEqual(story.changes, [], "it goes on");
  story.hear({ t: 25_000, pods: [pod("a", "ready")] });
  requests(story, 25_000, 30_000);
  assert.deepEqual(story.changes.map(({ verdict }) => [verdict.kind, verdict.seconds, verdict.stuck]), [["readiness", 20, 0]]);
});

test("a pod that gets ready after a verdict that it was stuck is a change whose time and requests begin then", () => {
  const story = begun(["a", "b"]);
  story.hear({ t: 5000, pods: [pod("a", "not ready")] });
  requests(story, 5050, 65_000);
  story.hear({ t: 65_000, pods: [pod("a", "ready")] });
  requests(story, 65_000, 70_000);
  const [second, first] = story.changes.map(({ verdict }) => verdict);
  assert.deepEqual([second.kind, second.seconds, second.stuck], ["readiness", 0, 0]);
  assert.ok(second.requests <= 12, `${second.requests} requests of half a second`);
  assert.deepEqual([first.kind, first.stuck], ["readiness", 1]);
  assert.ok(first.seconds >= 27 && first.seconds <= 30, `so far ${first.seconds} s`);
  assert.ok(Math.abs(first.requests - first.seconds * 20) <= 2, `${first.requests} requests in ${first.seconds} s`);
});

test("a scale-down lasts from the first signal to the last answer", () => {
  const story = begun(["a", "b", "c"]);
  const stopping = (name, since) => pod(name, "stopping", "1.0", { stop: { since_signal_seconds: since, drain_seconds: 2, deadline_seconds: 9 } });
  story.hear({ t: 5000, pods: [stopping("a", 0.2), stopping("b", 0.2)] });
  requests(story, 5000, 11_000);
  // It answers no more, and a second later the server takes it for ended.
  story.hear({ t: 11_000, pods: [pod("a", "stopping"), pod("b", "stopping")] });
  story.hear({ t: 12_200, pods: [], left: ["0/a", "0/b"] });
  requests(story, 12_200, 16_000);
  assert.deepEqual(story.changes.map(({ verdict }) => [verdict.kind, verdict.before, verdict.pods, verdict.seconds]), [["scale", 3, 1, 6.2]]);
});

test("a pod that answered nothing for long before it left makes its change no longer", () => {
  const story = begun(["a"]);
  story.hear({ t: 2000, pods: [pod("b", "no answer")] });
  requests(story, 2000, 100_000);
  story.hear({ t: 100_000, pods: [], left: ["0/b"] });
  requests(story, 100_000, 105_000);
  assert.deepEqual(story.changes.map(({ verdict }) => verdict.seconds)[0], 0);
});

test("opening the page beside a canary is no change, however late the canary answers first", () => {
  const story = new Story(["service"]);
  story.hear({ t: 0, all: true, pods: [pod("a", "ready"), pod("b", "ready", "1.1")] });
  requests(story, 2000, 5000);
  story.hear({ t: 5000, marks: [ok(5000, "1.1")] });
  requests(story, 5050, 10_000);
  assert.deepEqual([story.moments, story.changes, story.side(0).open], [[], [], null]);
});

test("a pod that is found late and was there before is no news, and a new one is", () => {
  const story = new Story(["service"]);
  story.hear({ t: 100_000, all: true, pods: [pod("a", "ready", "1.0", { began: 40_000 })] });
  requests(story, 102_000, 105_000);
  story.hear({ t: 105_000, pods: [pod("b", "ready", "1.1", { began: 90_000 })] });
  requests(story, 105_000, 110_000);
  assert.deepEqual(story.moments, []);
  story.hear({ t: 110_000, pods: [pod("c", "ready", "1.1", { began: 109_000 })] });
  requests(story, 110_000, 115_000);
  assert.deepEqual(story.moments.map(({ kind, pod: name }) => [kind, name]), [["appeared", "c"], ["ready", "c"]]);
  assert.deepEqual(story.changes.map(({ verdict }) => [verdict.kind, verdict.before, verdict.pods]), [["scale", 2, 3]]);
});

test("a pod whose containers are found one after the other hasn't become ready", () => {
  const story = new Story(["service"]);
  story.hear({ t: 0, all: true, pods: [] });
  story.hear({ t: 100, pods: [pod("a", "not ready", "1.0")] });
  story.hear({ t: 500, pods: [pod("a", "ready", "1.0")] });
  assert.deepEqual(story.moments, []);
});

test("an added version is no update, and neither is one that is taken away", () => {
  const story = begun(["a", "b"]);
  story.hear({ t: 2000, pods: [pod("c", "ready", "1.1")] });
  requests(story, 2000, 10_000);
  story.hear({ t: 10_000, pods: [], left: ["0/c"] });
  requests(story, 10_000, 16_000);
  assert.deepEqual(story.changes.map(({ verdict }) => [verdict.kind, verdict.from, verdict.to, verdict.pods]), [
    ["scale", ["1.0", "1.1"], ["1.0"], 2],
    ["added", ["1.0"], ["1.0", "1.1"], 1],
  ]);
  // A rollout that stops half way has replaced what it has replaced.
  story.hear({ t: 16_000, pods: [pod("d", "ready", "1.1")], left: ["0/a"] });
  requests(story, 16_000, 20_000);
  assert.deepEqual([story.changes[0].verdict.kind, story.changes[0].verdict.pods], ["replace", 1]);
});

test("a gap stands beside what the rate makes normal, and the longest one is the most above it", () => {
  const story = begun();
  story.setRate(1);
  for (let t = 2000; t <= 6000; t += 1000) story.hear({ t, marks: [ok(t)] });
  assert.deepEqual([story.side(0).gap, story.side(0).normal], [1000, 1000]);
  story.setRate(10);
  for (let t = 6100; t <= 8000; t += 100) story.hear({ t, marks: [ok(t)] });
  assert.deepEqual([story.side(0).gap, story.side(0).normal], [1000, 1000], "from one rate to the other there is no gap");
  story.hear({ t: 8400, marks: [ok(8400)] });
  assert.deepEqual([story.side(0).gap, story.side(0).normal], [400, 100]);
  story.hear({ t: 8500, pods: [pod("a", "not ready")] });
  story.setRate(2);
  story.setRate(10);
  story.hear({ t: 8600, pods: [pod("a", "ready")] });
  requests(story, 8700, 13_000);
  assert.equal(story.changes[0].verdict.normal_gap_ms, 500, "the slowest rate of the change");
});

test("counters that are reset count from then on, and the verdicts stay", () => {
  const story = begun();
  story.hear({ t: 2000, pods: [pod("b", "ready")] });
  requests(story, 2000, 8000, (t) => t === 3000);
  story.reset();
  assert.deepEqual([story.side(0).ok, story.side(0).failed, story.side(0).gap, story.changes[0].verdict.failed], [0, 0, 0, 1]);
  requests(story, 8000, 9000, (t) => t === 8500);
  assert.deepEqual([story.side(0).ok, story.side(0).failed, story.side(0).gap], [19, 1, 100]);
});

test("while an update is under way, the pods that stop count as gone", () => {
  const story = begun(["a", "b"]);
  const stop = { since_signal_seconds: 0, drain_seconds: 2, deadline_seconds: 9 };
  story.hear({ t: 3000, pods: [pod("c", "ready", "1.1"), pod("d", "ready", "1.1")] });
  story.hear({ t: 4000, pods: [pod("a", "stopping", "1.0", { stop }), pod("b", "stopping", "1.0", { stop })] });
  const verdict = story.judge(0, story.side(0).open, 5000);
  assert.deepEqual([verdict.kind, verdict.from, verdict.to, verdict.pods, verdict.stuck], ["update", ["1.0"], ["1.1"], 2, 0]);
});

test("a pod appears when it began, and not when it was found, as far as its clock can be believed", () => {
  for (const [began, seconds] of [[8800, 1.2], [1000, 5], [99_000, 0]]) {
    const story = begun();
    story.hear({ t: 10_000, pods: [pod("b", "ready", "1.0", { began })] });
    requests(story, 10_000, 15_000);
    const { verdict } = story.changes[0];
    assert.deepEqual([verdict.kind, verdict.seconds], ["scale", seconds]);
  }
});

test("a lone failure is an outage of a tenth of a second", () => {
  const story = begun();
  requests(story, 2000, 9000, (t) => t === 3000);
  assert.deepEqual(story.changes.map(({ verdict }) => [verdict.kind, verdict.failed, verdict.seconds]), [["outage", 1, 0.1]]);
});

/** Who is in the first picture of the last change's replay, in which state. */
const firstPicture = (story) => story.changes[0].tape[0].pods.map(({ name, state }) => `${name} ${state}`).sort();
const twin = (name, state, version = "1.0", more = {}) => pod(name, state, version, { id: `1/${name}`, service: 1, ...more });

test("a replay begins with the pods of all Services as they were then, and with no later ones", () => {
  const story = new Story(["one", "two"]);
  // Two that are found at once, and one a little later.
  story.hear({ t: 0, all: true, pods: [pod("a", "ready"), twin("x", "ready")] });
  story.hear({ t: 1000, pods: [twin("y", "not ready")] });
  story.hear({ t: 50_000, pods: [twin("z", "ready")] });
  story.hear({ t: 60_000, pods: [], left: ["1/x"] });
  requests(story, 60_000, 200_000);
  assert.ok(story.tape.every(({ t }) => t > 60_000), "the tape doesn't reach as far back");
  story.hear({ t: 200_000, pods: [twin("y", "ready")] });
  story.tick(206_000);
  // Within the five seconds before the change, and within the change.
  story.hear({ t: 207_000, pods: [twin("late", "ready", "1.1")] });
  story.hear({ t: 208_000, pods: [pod("b", "ready", "1.1")] });
  story.hear({ t: 209_000, pods: [], left: ["0/a", "1/y"] });
  requests(story, 209_000, 215_000);
  assert.deepEqual(story.changes.slice(0, 2).map(({ verdict }) => verdict.service).sort(), [0, 1]);
  assert.deepEqual(firstPicture(story), ["a ready", "y ready", "z ready"]);
  const text = JSON.stringify([...story.pods.values()]);
  const replay = new Story(["one", "two"], -Infinity);
  for (const heard of story.changes[0].tape) replay.hear(heard);
  assert.deepEqual(replay.moments.filter(({ t }) => t > 202_000).map(({ kind, pod: name }) => `${name} ${kind}`), ["late appeared", "late ready", "b appeared", "b ready", "a ended", "y ended"]);
  assert.deepEqual([...replay.pods.keys()].sort(), ["0/b", "1/late", "1/z"]);
  assert.equal(JSON.stringify([...story.pods.values()]), text, "it changes nothing of what is live");
});

test("a pod that left while nobody looked leaves in a replay too, and is in no later one", () => {
  const story = begun(["a", "b"]);
  story.hear({ t: 2000, blind: true });
  story.hear({ t: 2500, all: true, pods: [] });
  story.hear({ t: 2600, pods: [pod("a", "ready")] });
  requests(story, 2650, 20_000);
  const replay = new Story(["service"], -Infinity);
  for (const heard of story.changes[0].tape) replay.hear(heard);
  assert.deepEqual([...replay.pods.keys()], ["0/a"]);
  story.hear({ t: 20_000, pods: [pod("c", "ready")] });
  requests(story, 20_000, 25_000);
  assert.deepEqual(firstPicture(story), ["a ready"]);
});

test("a replay of what happened as soon as the page was opened makes no news of who was there", () => {
  const story = new Story(["one", "two"]);
  story.hear({ t: 0, all: true, pods: [] });
  story.hear({ t: 100, pods: [pod("a", "ready"), twin("x", "ready")] });
  story.hear({ t: 2000, pods: [twin("x", "not ready")] });
  requests(story, 2000, 2500);
  story.hear({ t: 2500, pods: [twin("x", "ready")] });
  requests(story, 2500, 6000);
  assert.deepEqual(firstPicture(story), ["a ready", "x ready"]);
});
