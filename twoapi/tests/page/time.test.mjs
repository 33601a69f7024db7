// The axis of time: which marks and bars are drawn for known requests and pods. And what the page does while
// it is hidden.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, view } from "./browser.mjs";
import { Fakes } from "./fakes.mjs";
import { told } from "./told.mjs";

const PATIENCE = 60_000;
let browser, fakes;

before(async () => {
  browser = await launch();
  fakes = await new Fakes(66, 3).start();
});
after(async () => {
  await browser?.close();
  await fakes?.end();
});

/** A page that has chosen to see no requests, so that all of them are the test's. */
async function quiet(options) {
  const seen = await view(browser, fakes.url + "/", options);
  // A pod has said hello, and what comes from now on is the test's.
  await seen.page.locator("#all:enabled").waitFor({ timeout: PATIENCE });
  await seen.page.evaluate(() => document.querySelector("[name=rate]").click());
  return seen;
}

/** The test reads the pixels more often than the browser likes. */
const unexpected = (complaints) => complaints.filter((complaint) => !complaint.includes("willReadFrequently"));

test("the page draws what happens, in the theme that is chosen, as wide as the window, and again after it was hidden", { timeout: 180_000 }, async () => {
  const { page, context, complaints } = await view(browser, fakes.url + "/", { colorScheme: "light" });
  await page.waitForFunction(() => window.page, null, { timeout: PATIENCE });
  await page.locator("#rate").getByText("50", { exact: true }).click();
  /** Whether a colour of the style sheet, as it is now, is in the lanes. */
  const has = (name) => page.waitForFunction((name) => {
    const canvas = document.querySelector("#lanes canvas");
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = `var(--${name})`;
    const wanted = getComputedStyle(probe).color;
    probe.remove();
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] && `rgb(${data[i]}, ${data[i + 1]}, ${data[i + 2]})` === wanted) return true;
    return false;
  }, name, { timeout: PATIENCE });
  await page.waitForFunction(() => window.page.live.sets.list().length, null, { timeout: PATIENCE });
  const own = await page.evaluate(() => `v${window.page.live.sets.list()[0].look}`);
  await has(own);
  const light = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.locator("#theme").click();
  assert.notEqual(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), light);
  await has(own);
  await page.setViewportSize({ width: 390, height: 844 });
  await page.waitForFunction(() => {
    const { width, clientWidth } = document.querySelector("#lanes canvas");
    return clientWidth < 390 && width === clientWidth;
  }, null, { timeout: PATIENCE });
  await has(own);
  // A browser asks for no frames of a page that is hidden.
  await page.evaluate(() => {
    window.shown = window.requestAnimationFrame;
    window.requestAnimationFrame = (frame) => void (window.waiting = frame);
  });
  await page.waitForFunction(() => window.waiting, null, { polling: 50 });
  const failed = await page.evaluate(() => window.page.live.side(0).failed);
  for (const pod of fakes.pods) pod.answer = (request, response) => request.url === "/test/calloneapi" && response.writeHead(500).end();
  await page.waitForFunction((before) => window.page.live.side(0).failed > before + 20, failed, { polling: 100, timeout: PATIENCE });
  for (const pod of fakes.pods) delete pod.answer;
  await page.evaluate(() => {
    window.requestAnimationFrame = window.shown;
    requestAnimationFrame(window.waiting);
  });
  await has("failure");
  assert.deepEqual(unexpected(complaints), []);
  await context.close();
});

test("an hour of a change in a hidden tab is judged and forgotten", { timeout: 180_000 }, async (t) => {
  const { page, context, complaints } = await quiet();
  const debug = await context.newCDPSession(page);
  await debug.send("Performance.enable");
  const heap = async () => {
    await debug.send("HeapProfiler.collectGarbage");
    const { metrics } = await debug.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "JSHeapUsedSize").value / 1e6;
  };
  const before = await heap();
  await page.evaluate(() => {
    const { live, stream } = window.page;
    window.requestAnimationFrame = (frame) => void (window.waiting = frame);
    // From here on the events and the time are the test's.
    const { listener } = stream;
    stream.listener = { onEvent() {}, onState() {} };
    let now = performance.timeOrigin + performance.now();
    performance.now = () => now - performance.timeOrigin;
    const say = (name, data) => listener.onEvent(name, JSON.parse(JSON.stringify({ now, ...data })));
    const pod = (i, state) => ({
      id: `0/10.0.0.${i}`, service: 0, ip: `10.0.0.${i}`, name: `chesterdeployment-5d79c7596-lgds${i}`, version: "1.0", node: "kind-worker", namespace: "chesterns",
      state, why: "", started: [null, "2026-01-01T00:00:00Z"], cpu: Math.round(now / 1000) % 97, limit: 1000, stop: null, burns: [], probes: [], faults: [], allows_faults: ["twoapi"],
    });
    say("pods", { all: true, pods: [1, 2, 3].map((i) => pod(i, "ready")) });
    for (let second = 0; second < 3600; second++) {
      now += 1000;
      say("traffic", { marks: Array.from({ length: 50 }, (_, i) => [now - i * 20, 1.5, 0, i % 2, "ok", `chesterdeployment-5d79c7596-lgds${i % 3}`, "1.0", null]) });
      say("pods", { pods: [pod(1, second % 4 < 2 ? "not ready" : "ready"), pod(2, "ready"), pod(3, "ready")] });
    }
    return live.changes.length;
  });
  const grown = (await heap()) - before;
  const changes = await page.evaluate(() => window.page.live.changes.map(({ verdict }) => verdict.seconds));
  t.diagnostic(`${grown.toFixed(1)} MB more after an hour; verdicts of ${changes} s`);
  assert.ok(changes.length >= 5 && changes.every((seconds) => seconds <= 600), `verdicts of ${changes} s`);
  assert.ok(grown < 25, `${grown} MB are kept`);
  // The dialog offers what the pods allow.
  await page.locator("#all").click();
  assert.equal(await page.locator("#container").inputValue(), "twoapi");
  assert.deepEqual(await page.locator("#container option:disabled").allTextContents(), ["oneapi"]);
  assert.deepEqual(unexpected(complaints), []);
  await context.close();
});

test("what piles up while the page stands still, or while somebody sets its clock, has its own time", { timeout: 180_000 }, async () => {
  const { page, context } = await view(browser, fakes.url + "/");
  await page.waitForFunction(() => window.page?.live.side(0).ok > 20, null, { timeout: PATIENCE });
  const { inMostSeconds, gap } = await page.evaluate(async () => {
    const own = Date.now;
    Date.now = () => own() - 120_000;
    const { live } = window.page;
    const begin = performance.now();
    while (performance.now() - begin < 5700);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const seconds = live.marks.map(({ t }) => Math.floor(t / 1000));
    const counts = seconds.map((second) => seconds.filter((other) => other === second).length);
    return { inMostSeconds: Math.max(...counts), gap: live.side(0).gap };
  });
  assert.ok(inMostSeconds <= 20, `${inMostSeconds} answers in one second, of ten that were asked for`);
  assert.ok(gap < 2000, `a gap of ${gap} ms`);
  await context.close();
});

/** What is drawn in the next picture of the lanes: bars by their colour and place, lines, and texts. */
const drawn = (page) => page.evaluate(() => new Promise((resolve) => {
  const canvas = document.querySelector("#lanes canvas");
  const own = { ...["fillRect", "fillText", "clearRect"].reduce((all, name) => ({ ...all, [name]: CanvasRenderingContext2D.prototype[name] }), {}) };
  let seen = null;
  const record = (name) => function (...given) {
    if (this.canvas === canvas && name === "clearRect") {
      if (seen) {
        Object.assign(CanvasRenderingContext2D.prototype, own);
        resolve({ ...seen, width: canvas.clientWidth, height: canvas.clientHeight });
      }
      seen = { rects: [], texts: [] };
    }
    if (seen && this.canvas === canvas && name === "fillRect") seen.rects.push([this.fillStyle, this.globalAlpha, ...given]);
    if (seen && this.canvas === canvas && name === "fillText") seen.texts.push(given);
    return own[name].apply(this, given);
  };
  for (const name of Object.keys(own)) CanvasRenderingContext2D.prototype[name] = record(name);
}));

/** The bars of what is ready, which may be in pieces: from where to where. */
const readyBars = (rects) => [...new Map(rects.filter(([, alpha, , top, wide, high]) => alpha === 1 && top >= 104 && wide > 4 && high !== 13).map(([, , left, top, wide]) => [`${Math.floor((top - 104) / 18)} ${left}`, [left, left + wide]])).values()];

/** An update of pods: the new ones come 9 s ago and are ready 6 s ago, and the old ones stop 5 s ago. */
const update = (page, count) => page.evaluate((count) => {
  const names = (letter) => Array.from({ length: count }, (_, i) => letter + i);
  const fresh = (state) => names("x").map((name) => window.pod(name, "1.1", state, { started: [new Date().toISOString(), null] }));
  window.tell("pods", 40, { all: true, pods: names("a").map((name) => window.pod(name, "1.0", "ready")) });
  window.tell("pods", 9, { pods: fresh("starting") });
  window.tell("pods", 6, { pods: fresh("ready") });
  window.tell("pods", 4, { pods: names("a").map((name) => window.pod(name, "1.0", "stopping", { stop: { since_signal_seconds: 1, drain_seconds: 60, deadline_seconds: 90 } })) });
}, count);

test("each pod has a bar on the axis of the requests: hatched, ready, and stopping since its signal", { timeout: 180_000 }, async () => {
  const { page, complaints, context } = await told(browser, fakes.url);
  await update(page, 3);
  await page.locator(".said", { hasText: "Updating" }).waitFor();
  const begin = Date.now();
  const { rects, texts, width, height } = await drawn(page);
  const slow = (Date.now() - begin) / 1000 + 3;
  const x = (ago) => width - (ago / 20) * width;
  const bars = readyBars(rects);
  assert.equal(bars.length, 6, JSON.stringify(bars));
  // Three were ready before the axis begins until their signal, and three are since then, up to now.
  // The page knows the pods' clock to a tenth of a second or two.
  assert.equal(bars.filter(([left, right]) => left === 0 && right <= x(4.8) && right > x(5 + slow)).length, 3, JSON.stringify(bars));
  assert.equal(bars.filter(([left, right]) => left <= x(5.8) && left > x(6 + slow) && right === width).length, 3, JSON.stringify(bars));
  const [end] = bars.find(([left]) => left === 0).slice(1);
  const ticks = rects.filter(([, , , , wide, high]) => wide === 3 && high === 20);
  assert.equal(ticks.length, 3);
  assert.ok(ticks.every(([, , left]) => Math.abs(left + 1.5 - end) < 0.01), "a tick where it stops being ready");
  assert.deepEqual(["a0", "a1", "a2", "x0", "x1", "x2"].filter((name) => !texts.some(([text]) => text === name)), []);
  const seconds = texts.filter(([text]) => /^5\d\.\d s$/.test(text));
  assert.equal(seconds.length, 3, "the seconds of the drain run down");
  const later = (await drawn(page)).texts.filter(([text]) => /^[45]\d\.\d s$/.test(text));
  assert.ok(parseFloat(later[0][0]) <= parseFloat(seconds[0][0]));
  assert.ok(height > 2 * 46 + 6 * 18, `${height} px`);
  // Two minutes have the whole life of the old ones.
  await page.locator("#zoom").check();
  const far = readyBars((await drawn(page)).rects);
  assert.ok(far.length >= 6 && far.every(([left]) => left > 0), JSON.stringify(far));
  assert.deepEqual(unexpected(complaints), []);
  await context.close();
});

test("from twelve pods on the bars are thin, and from fifty on they are an area", { timeout: 180_000 }, async () => {
  for (const [count, bar, most] of [[11, 16, 22 * 18], [12, 6, 24 * 8], [49, 6, 98 * 8], [50, null, 96]]) {
    const { page, complaints, context } = await told(browser, fakes.url);
    await update(page, count);
    await page.locator(".said", { hasText: `${count} new Pods` }).waitFor();
    const { rects, height } = await drawn(page);
    for (const size of [16, 6]) assert.equal(rects.some(([, alpha, , , , high]) => alpha < 0.2 && high === size), size === bar, `${count} pods: ${size} px`);
    assert.ok(height <= 2 * 46 + 2 * 6 + most + 18, `${count} pods: ${height} px`);
    if (bar === null) assert.ok(rects.some(([, alpha, , , wide, high]) => alpha === 1 && wide === 4 && Math.abs(high - 48) <= 1), "half of the height are 50 of 100");
    assert.deepEqual(complaints, []);
    await context.close();
  }
});

test("marks are at least five pixels apart: the more requests there are, the less time is seen", { timeout: 180_000 }, async () => {
  for (const [rate, width] of [[10, 1440], [50, 1440], [50, 390]]) {
    const { page, context } = await told(browser, fakes.url, ["a"], { width });
    await page.evaluate((rate) => {
      window.tell("status", 0, { viewers: 1, rate });
      const now = performance.timeOrigin + performance.now();
      const marks = Array.from({ length: rate * 25 }, (_, i) => [now - (i * 1000) / rate, 1, 0, i % 2, "ok", "p", "1.0", null]);
      window.tell("traffic", 0, { marks: marks.reverse() });
    }, rate);
    const { rects } = await drawn(page);
    const lane = rects.filter(([, , , top, wide]) => wide === 2.5 && top < 46).map(([, , left]) => left).sort((a, b) => a - b);
    const apart = lane.slice(1).map((left, i) => left - lane[i]);
    assert.ok(lane.length > 20 && Math.min(...apart) > 4.5, `${rate} a second on ${width} px: ${Math.min(...apart)} px apart`);
    await context.close();
  }
});

test("from a distance each second is a column of its answers, with its failures on top", { timeout: 180_000 }, async () => {
  const { page, context } = await told(browser, fakes.url);
  await page.evaluate(() => {
    window.answers(60, 20);
    window.answers(30, 1, "reset");
  });
  await page.locator("#zoom").check();
  await page.waitForTimeout(100);
  const { rects } = await drawn(page);
  const failure = await page.evaluate(() => {
    const g = document.createElement("canvas").getContext("2d");
    g.fillStyle = getComputedStyle(document.querySelector(".bad .figure")).color;
    return g.fillStyle;
  });
  const columns = rects.filter(([, , , top, wide, high]) => wide > 2 && wide < 15 && top < 100 && high <= 46 && high !== 13);
  // Ten on each lane, of at most ten: as high as the lane. Some may stand in the second after.
  const whole = columns.filter(([fill]) => fill !== failure).reduce((sum, [, , , , , high]) => sum + high, 0);
  assert.ok(whole >= 46 * 2 - 1, JSON.stringify(columns));
  assert.ok(columns.some(([fill, , , top, , high]) => fill === failure && top === 0 && high >= 3), JSON.stringify(columns));
  await context.close();
});

test("a hundred and a thousand pods cost a frame a few milliseconds of CPU time", { timeout: 180_000 }, async (t) => {
  for (const count of [100, 1000]) {
    const { page, complaints, context } = await told(browser, fakes.url);
    const debug = await context.newCDPSession(page);
    // Not the time in which others have the CPU.
    await debug.send("Performance.enable", { timeDomain: "threadTicks" });
    await update(page, count / 2);
    await page.locator(".said", { hasText: `${count / 2} new Pods` }).waitFor();
    const spent = async () => (await debug.send("Performance.getMetrics")).metrics.find(({ name }) => name === "ScriptDuration").value * 1000;
    const before = await spent();
    const frames = await page.evaluate(async () => {
      const end = performance.now() + 3000;
      let frames = 0;
      for (; performance.now() < end; frames++) await new Promise(requestAnimationFrame);
      return frames;
    });
    const each = ((await spent()) - before) / frames;
    t.diagnostic(`${count} pods: ${each.toFixed(1)} ms a frame, ${frames} frames in 3 s`);
    assert.ok(each < 8, `${count} pods: ${each} ms`);
    assert.deepEqual(complaints, []);
    await context.close();
  }
});
