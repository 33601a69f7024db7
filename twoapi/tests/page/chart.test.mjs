// The chart's pixels: known requests in a real browser, and what is drawn for them. And what the page does
// while it is hidden.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, view } from "./browser.mjs";
import { Fakes } from "./fakes.mjs";

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

const answer = (secondsAgo, version, pod, outcome = "ok") => ({ secondsAgo, version, pod, outcome });
const many = (count, ...of) => Array.from({ length: count }, () => answer(...of));

/**
 * Draws these requests and looks at the result: for each of these seconds the colours of its bar from
 * below, with their heights; the texts and where they stand; and the colours that the style sheet has.
 */
async function drawn(page, requests, seconds, by = "version") {
  return page.evaluate(({ requests, seconds, by }) => {
    const { live, chart } = window.page;
    const story = new live.constructor(["a"]);
    // The middle of a second.
    const now = Math.floor(Date.now() / 1000) * 1000 + 500;
    const of = ({ secondsAgo, ...request }) => ({ t: now - secondsAgo * 1000, took: 1, service: 0, lane: 0, late: null, look: Number(request.version.slice(2)) % 8, ...request });
    story.hear({ t: now, marks: requests.map(of) });
    const texts = [];
    const own = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
      texts.push({ text, x, y });
      own.call(this, text, x, y);
    };
    const before = chart.by;
    chart.by = by;
    chart.draw(story, now);
    chart.by = before;
    CanvasRenderingContext2D.prototype.fillText = own;
    const [canvas] = chart.canvases;
    const ratio = canvas.width / canvas.clientWidth;
    const g = canvas.getContext("2d");
    const probe = document.body.appendChild(document.createElement("i"));
    const colours = Object.fromEntries(["v0", "v1", "v2", "v3", "failure", "muted", "ground", "line"].map((name) => {
      probe.style.color = `var(--${name})`;
      return [name, getComputedStyle(probe).color];
    }));
    probe.remove();
    // Between the pieces of its pattern a bar has a tint of its colour.
    const near = (data, i, name) => colours[name].match(/\d+/g).every((part, n) => Math.abs(part - data[i + n]) < 4);
    const nameOf = (data, i) => (data[i + 3] === 0 ? "nothing" : Object.keys(colours).find((name) => near(data, i, name)) ?? "mixed");
    const left = texts.find(({ text }) => text === "-120 s").x;
    const bars = seconds.map((second) => {
      const x = left + ((120 - second + 0.5) / 120) * (canvas.clientWidth - left);
      const { data } = g.getImageData(Math.floor(x * ratio), 0, 1, canvas.height);
      const bar = [];
      // From the axis upwards: its number stands 4 px lower than its line.
      for (let y = Math.round((texts.find(({ text }) => text === "0").y - 4) * ratio) - 1; y >= 0; y--) {
        const name = nameOf(data, y * 4);
        // A tint on a line of the axis.
        if (bar.at(-1)?.name === name || name === "mixed" && bar.length) bar.at(-1).height += 1 / ratio;
        else bar.push({ name, height: 1 / ratio });
      }
      // Without the lines of the axis.
      return bar.filter(({ name }) => name !== "nothing" && name !== "line");
    });
    return { bars, texts, colours, named: chart.named.map(({ name }) => name), more: chart.more, width: canvas.width, shown: canvas.clientWidth };
  }, { requests, seconds, by });
}

/** Where the axis has a number: its text stands round its line. */
const heightOf = (texts, number) => texts.find(({ text }) => text === "0").y - texts.find(({ text }) => text === String(number)).y;

function assertBar(bar, expected, full) {
  assert.deepEqual(bar.map(({ name }) => name), expected.map(([name]) => name), JSON.stringify(bar));
  bar.forEach(({ height }, i) => {
    const wanted = expected[i][1] * full;
    assert.ok(Math.abs(height - wanted) <= 1.5, `${bar[i].name} is ${height} px high, and not ${wanted}`);
  });
}

for (const look of [{ colorScheme: "light" }, { colorScheme: "dark", deviceScaleFactor: 2, width: 390, height: 844 }]) {
  test(`each second is a bar of its answers and failures, as high as the axis says: ${JSON.stringify(look)}`, { timeout: 180_000 }, async () => {
    const { page, context, complaints } = await quiet(look);
    const requests = [
      ...many(20, 60, "1.0", "a"), ...many(12, 60, "1.1", "b"), ...many(8, 60, "", "", "reset"),
      ...many(10, 30, "1.0", "a"),
      ...many(4, 1, "1.1", "b"),
      // Of seconds that aren't over and those that the axis hasn't.
      ...many(40, 0, "1.0", "a"), ...many(40, 121, "1.0", "a"),
    ];
    const { bars, texts, colours, named, width, shown } = await drawn(page, requests, [60, 59, 30, 1, 120]);
    assert.deepEqual(texts.map(({ text }) => text), ["0", "10", "20", "30", "40", "-120 s", "-90 s", "-60 s", "-30 s"]);
    // The uppermost number stands a little lower, so as not to be cut off.
    const full = heightOf(texts, 30) / 0.75;
    assert.ok(full > 100, `${full} px`);
    assertBar(bars[0], [["v0", 0.5], ["v1", 0.3], ["failure", 0.2]], full);
    assertBar(bars[1], [], full);
    assertBar(bars[2], [["v0", 0.25]], full);
    assertBar(bars[3], [["v1", 0.1]], full);
    assertBar(bars[4], [], full);
    assert.equal(new Set(Object.values(colours)).size, Object.keys(colours).length, "all colours differ");
    assert.deepEqual(named, ["1.0", "1.1"]);
    assert.equal(width, Math.round(shown * (look.deviceScaleFactor ?? 1)));
    assert.deepEqual(unexpected(complaints), []);
    await context.close();
  });
}

test("answers of twenty pods, of two hundred, and of eight versions are all in the sum", { timeout: 180_000 }, async () => {
  const { page, context } = await quiet();
  for (const [count, by, most] of [[20, "pod", 8], [200, "pod", 8], [8, "version", 8], [3, "pod", 3]]) {
    const requests = Array.from({ length: count }, (_, i) => many(2, 40, `1.${i}`, `pod-${i}`)).flat();
    const { bars: [bar], texts, named, more } = await drawn(page, [...requests, ...many(count * 2, 50, "1.0", "pod-0")], [40], by);
    const sum = bar.reduce((all, { height }) => all + height, 0);
    const numbers = texts.map(({ text }) => Number(text)).filter((number) => number >= 0);
    const full = (heightOf(texts, numbers.at(-2)) / numbers.at(-2)) * count * 2;
    // Between bands of pods there are lines of the ground.
    assert.ok(Math.abs(sum - full) <= 2 + (by === "pod" ? Math.min(count, 62) : 0), `${count} by ${by}: ${sum} px of ${full}`);
    assert.ok(!bar.some(({ name }) => name === "failure"), "nothing failed");
    assert.deepEqual([named.length, more], [most, count - most], named.join());
  }
  await context.close();
});

test("one failure among two hundred answers is seen", { timeout: 180_000 }, async () => {
  const { page, context } = await quiet();
  const { bars: [bar] } = await drawn(page, [...many(200, 40, "1.0", "a"), answer(40, "", "", "refused")], [40]);
  assert.ok(bar.at(-1).name === "failure" && bar.at(-1).height >= 2, JSON.stringify(bar.at(-1)));
  await context.close();
});

test("the page draws what happens, in the theme that is chosen, as wide as the window, and again after it was hidden", { timeout: 180_000 }, async () => {
  const { page, context, complaints } = await view(browser, fakes.url + "/", { colorScheme: "light" });
  await page.waitForFunction(() => window.page, null, { timeout: PATIENCE });
  await page.locator("#rate").getByText("50", { exact: true }).click();
  /** Whether a colour of the style sheet, as it is now, is in the chart. */
  const has = (name) => page.waitForFunction((name) => {
    const canvas = document.querySelector("#chart canvas");
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = `var(--${name})`;
    const wanted = getComputedStyle(probe).color;
    probe.remove();
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] && `rgb(${data[i]}, ${data[i + 1]}, ${data[i + 2]})` === wanted) return true;
    return false;
  }, name, { timeout: PATIENCE });
  await has("v0");
  const light = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.locator("#theme").click();
  assert.notEqual(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), light);
  await has("v0");
  await page.setViewportSize({ width: 390, height: 844 });
  await page.waitForFunction(() => {
    const { width, clientWidth } = document.querySelector("#chart canvas");
    return clientWidth < 390 && width === clientWidth;
  }, null, { timeout: PATIENCE });
  await has("v0");
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
  assert.ok(grown < 20, `${grown} MB are kept`);
  // The dialog offers what the pods allow.
  await page.locator("#all").click();
  assert.equal(await page.locator("#container").inputValue(), "twoapi");
  assert.deepEqual(await page.locator("#container option:disabled").allTextContents(), ["oneapi"]);
  assert.deepEqual(unexpected(complaints), []);
  await context.close();
});

test("a pod keeps its colour and its place in the chart, whoever answers first", { timeout: 60_000 }, async () => {
  const { page, context } = await quiet();
  const seen = await page.evaluate(() => {
    const { live, chart } = window.page;
    const bands = (pods) => {
      const story = new live.constructor(["a"]);
      const marks = pods.map((pod, i) => ({ t: 1000 + i, took: 1, service: 0, lane: 0, late: null, outcome: "ok", version: "1.0", look: 0, pod }));
      story.hear({ t: 2000, marks });
      return chart.count(story, 0, 0).slice(0, -2).map(({ name, fill }) => `${name} ${fill}`);
    };
    chart.by = "pod";
    return [bands(["a", "b", "c"]), bands(["c", "b", "a"]), bands(["c", "a"])];
  });
  assert.equal(new Set(seen[0].map((band) => band.slice(2))).size, 3, "each has its own");
  assert.deepEqual(seen[1], seen[0]);
  assert.deepEqual(seen[2], [seen[0][0], seen[0][2]]);
  await page.waitForFunction(() => /^(■ p00\d){3}$/.test(document.getElementById("bands").textContent) || window.page.stream.open(10), null, { timeout: PATIENCE, polling: 1000 });
  await context.close();
});

test("what piles up while the page stands still, or while somebody sets its clock, has its own time", { timeout: 60_000 }, async () => {
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

test("each Service has its own bars, on one scale, and nothing of the other's", { timeout: 60_000 }, async () => {
  const { page, context } = await quiet();
  const { heights, counts } = await page.evaluate(() => {
    const { live, chart } = window.page;
    const story = new live.constructor(["a", "b"]);
    const now = Math.floor(Date.now() / 1000) * 1000 + 500;
    const marks = (count, service) => Array.from({ length: count }, () => ({ t: now - 10_000, took: 1, service, lane: 0, late: null, outcome: "ok", version: "1.0", look: 0, pod: `p${service}` }));
    story.hear({ t: now, marks: [...marks(40, 0), ...marks(10, 1)] });
    chart.layOut(["a", "b"]);
    chart.draw(story, now);
    const heights = chart.canvases.map((canvas) => {
      const x = 30 + Math.round((110.5 / 120) * (canvas.clientWidth - 30));
      const { data } = canvas.getContext("2d").getImageData(x, 0, 1, canvas.height);
      const probe = document.body.appendChild(document.createElement("i"));
      probe.style.color = "var(--v0)";
      const wanted = getComputedStyle(probe).color;
      probe.remove();
      const near = (a, b) => a.match(/\d+/g).every((part, n) => Math.abs(part - b.match(/\d+/g)[n]) < 4);
      return Array.from({ length: canvas.height }, (_, y) => `rgb(${data[4 * y]}, ${data[4 * y + 1]}, ${data[4 * y + 2]})`).filter((colour) => near(colour, wanted)).length;
    });
    const counts = [0, 1].map((service) => chart.count(story, Math.floor(now / 1000) - 120, service).map((band) => band.counts[110]));
    return { heights, counts };
  });
  assert.deepEqual(counts, [[40, 0, 0], [10, 0, 0]]);
  assert.ok(heights[0] > 60 && Math.abs(heights[0] / 4 - heights[1]) <= 1, `${heights} px`);
  await context.close();
});
