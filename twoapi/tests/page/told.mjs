// A page that is told what happens by the test: known pods and requests, at known times.

import { view } from "./browser.mjs";

const PATIENCE = 60_000;

/** A page of this server, which from now on hears the test alone: `window.tell` says an event, so many seconds ago. */
export async function told(browser, url, labels = ["chesterservice"], options = {}) {
  const seen = await view(browser, url + "/", options);
  await seen.page.locator("#all:enabled").waitFor({ state: "attached", timeout: PATIENCE });
  await seen.page.evaluate((labels) => {
    const { stream } = window.page;
    const { listener } = stream;
    stream.listener = { onEvent() {}, onState() {} };
    // What has been told by the server is forgotten.
    Object.assign(window.page.live, new window.page.live.constructor());
    // One moment for all that a test tells at once, however long that takes; a microsecond more for each, so that
    // their order stays.
    let moment;
    const now = () => {
      if (moment === undefined) queueMicrotask(() => { moment = undefined; });
      moment = (moment ?? performance.timeOrigin + performance.now()) + 0.001;
      return moment;
    };
    window.tell = (name, ago, data) => listener.onEvent(name, JSON.parse(JSON.stringify({ now: now() - ago * 1000, ...(name === "pods" && { pods: [], left: [] }), ...data })));
    window.tell("hello", 0, { actions: true, services: labels.map((label) => ({ label, pods: label, traffic: label })) });
    window.tell("status", 0, { viewers: 1, rate: 10 });
    window.pod = (name, version, state, more) => ({
      id: `0/${name}`, service: 0, ip: "10.0.0.1", name: `chesterdeployment-${version === "1.0" ? "5d79c7596" : "6f8b9d4c7"}-${name}`, version, node: "node-1", namespace: "chesterns", state, why: "",
      started: [null, new Date(now() - 300_000).toISOString()], restarts: 0, cpu: 20, limit: 500, stop: null, burns: [], probes: [], faults: [], allows_faults: ["oneapi", "twoapi"], ...more,
    });
    window.answers = (ago, count, outcome = "ok", service = 0) => window.tell("traffic", ago, {
      marks: Array.from({ length: count }, (_, i) => [now() - ago * 1000 + i, 1, service, i % 2, outcome, outcome === "ok" ? "p" : null, outcome === "ok" ? "1.0" : null, null]),
    });
  }, labels);
  return seen;
}

/** An update in which two requests fail, whose first moment is so many seconds ago. */
export const update = (page, ago, letter, from, to) => page.evaluate(([ago, letter, from, to]) => {
  const names = ["a", "b", "c"];
  window.tell("pods", ago, { pods: names.map((name) => window.pod(letter + name, to, "ready", { started: [new Date(Date.now() - ago * 1000 - 100).toISOString(), null] })) });
  window.answers(ago, 7);
  window.answers(ago, 2, "reset");
  window.tell("pods", ago, { left: names.map((name) => `0/${from}${name}`) });
}, [ago, letter, from, to]);
