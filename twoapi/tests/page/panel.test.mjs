// The panel of a pod, the drawer with the events, and what there is for those who teach.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { launch, view } from "./browser.mjs";
import { Fakes } from "./fakes.mjs";
import { told, update } from "./told.mjs";

const PATIENCE = 60_000;

let browser, fakes;

before(async () => {
  browser = await launch();
  fakes = await new Fakes(87, 2).start();
});
after(async () => {
  await browser?.close();
  await fakes?.end();
});

/** Three pods at rest, one of which is told of in full. */
const rest = (page) => page.evaluate(() => {
  const container = (name, more) => ({ name, state: "ready", cpu: 12, limit: 250, probes: [{ kind: "liveness", status: 200 }, { kind: "readiness", protocol: "HTTP/2", status: 503 }], ...more });
  window.tell("pods", 60, { all: true, pods: ["ka", "kb", "kc"].map((name) => window.pod(name, "1.0", "ready", {
    containers: [container("oneapi"), container("twoapi", { state: "not ready", limit: null, probes: [] })],
    burns: [{ id: 1, millicores: 250, left: 300 }], faults: [{ container: "oneapi", name: "readiness", left: 200 }],
  })) });
  window.answers(59, 20);
});

test("a click on a pod opens a panel beside the picture, with both containers; Escape leads back", { timeout: 120_000 }, async () => {
  const { page, complaints, context } = await told(browser, fakes.url, undefined, { width: 1280, height: 800 });
  await rest(page);
  const card = page.locator(".act").nth(1);
  await card.click();
  const panel = page.getByRole("region", { name: "chesterdeployment-5d79c7596-kb", exact: true });
  await panel.waitFor();
  const facts = await page.locator("#facts li").allTextContents();
  assert.equal(facts[0], "1.0 ready");
  assert.match(facts[1], /^10\.0\.0\.1 · 5m · node-1$/);
  assert.match(facts[2], /^burns 250m, \d+ s left$/);
  assert.match(facts[3], /^switch: oneapi readiness, \d+ s$/);
  assert.deepEqual(facts.slice(4), ["oneapi: ready, CPU 12m of 250m, probes: liveness 200, readiness HTTP/2 503", "twoapi: not ready, CPU 12m"]);
  const [left, right] = await page.evaluate(() => [document.querySelector("#panel").getBoundingClientRect().left, document.querySelector("#time").getBoundingClientRect().right]);
  assert.ok(right <= left, `the picture ends at ${right} px, and the panel begins at ${left}`);
  await page.locator("#fault").press("Escape");
  await panel.waitFor({ state: "hidden" });
  assert.equal(await card.evaluate((element) => element === document.activeElement), true, "the focus is where it was");
  // A pod that has gone is one that has ended, and not the next one in its place.
  await card.click();
  await page.evaluate(() => window.tell("pods", 0, { left: ["0/kb"] }));
  await page.waitForFunction(() => document.querySelector("#facts").textContent === "ended");
  assert.deepEqual(complaints, []);
  await context.close();
});

test("each switch is offered in a sentence, and what a reader expects stands beside the verdict", { timeout: 120_000 }, async () => {
  const { page, complaints, context } = await told(browser, fakes.url);
  await rest(page);
  await page.locator(".act").first().click();
  const offered = await page.locator("#fault option").evaluateAll((options) => options.map(({ value, textContent }) => [value, textContent]));
  assert.equal(offered.length, 6);
  assert.deepEqual(offered[0], ["readiness?mode=fail&for=20s", "Readiness fails for 20 s: the Service stops sending here"]);
  for (const [value, text] of offered) {
    const { time } = /for=(?<time>\d+)s/.exec(value)?.groups ?? {};
    assert.ok(!time || text.includes(`${time} s`), `${value}: ${text}`);
  }
  await page.route("**/page/actions", (route) => route.fulfill({ body: "done" }));
  await page.getByRole("combobox", { name: "You expect that" }).selectOption("no request fails");
  await page.getByRole("button", { name: "Set", exact: true }).click();
  await page.waitForFunction(() => document.querySelector("#answer").textContent.length > 1);
  await update(page, 0, "", "k", "1.1");
  await page.locator("#changes p", { hasText: "9 requests, 2 failed" }).getByText("expected: no request fails").waitFor({ timeout: PATIENCE });
  await page.locator("#language").click();
  await page.locator("#changes p").getByText("预测：没有请求失败").waitFor({ timeout: PATIENCE });
  assert.equal(await page.locator("#fault option").first().textContent(), "就绪态探针失败 20 秒：Service 不再向这里发送请求");
  // It was the expectation of that change alone.
  assert.equal(await page.evaluate(() => window.page.live.expected), null);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("the events are listed, a moment can be marked, and a verdict is exported with its replay", { timeout: 120_000 }, async () => {
  const { page, complaints, context } = await told(browser, fakes.url);
  await rest(page);
  await update(page, 30, "", "k", "1.1");
  await page.locator("#changes strong").waitFor({ timeout: PATIENCE });
  await page.locator("#events summary").click();
  await page.getByRole("button", { name: "Mark", exact: true }).click();
  await page.locator("#happened strong", { hasText: "marked" }).waitFor();
  const kinds = await page.locator("#happened strong").allTextContents();
  assert.deepEqual([...new Set(kinds)], ["marked", "ended", "ready", "appeared"], "the last one first");
  assert.equal(kinds.length, 1 + 9, "three pods that came, and three that left");
  const dark = () => page.evaluate(() => {
    const canvas = document.querySelector("#lanes canvas");
    // Between the two lanes nothing else is drawn.
    const row = canvas.getContext("2d").getImageData(0, Math.round(49 * devicePixelRatio), canvas.width, 1).data;
    return Array.from({ length: canvas.width }, (_, i) => i).filter((i) => row[4 * i + 3] > 200 && row[4 * i] < 60);
  });
  await page.waitForTimeout(400);
  const [line] = [await dark()];
  assert.ok(line.length >= 1 && line.length <= 4, `a line of ${line.length} px`);
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export" }).click();
  const file = await download;
  assert.match(file.suggestedFilename(), /^change-\d{4}-\d\d-\d\dT\d+\.\d+Z\.json$/);
  const change = JSON.parse(readFileSync(await file.path(), "utf8"));
  assert.deepEqual([change.verdict.kind, change.verdict.requests, change.verdict.failed], ["update", 9, 2]);
  assert.equal(change.tape.flatMap(({ marks }) => marks ?? []).length, 9, "each request of it");
  assert.deepEqual(complaints.filter((complaint) => !complaint.includes("willReadFrequently")), []);
  await context.close();
});

test("a frozen axis stands still, also after a replay, while the rest of the page goes on", { timeout: 120_000 }, async () => {
  const { page, complaints, context } = await told(browser, fakes.url);
  await rest(page);
  await update(page, 30, "", "k", "1.1");
  await page.locator("#changes strong").waitFor({ timeout: PATIENCE });
  const freeze = page.getByRole("button", { name: "Freeze" });
  const ground = () => freeze.evaluate((element) => getComputedStyle(element).backgroundColor);
  const usual = await ground();
  await freeze.click();
  assert.notEqual(await ground(), usual, "that it is frozen can be seen");
  await page.waitForTimeout(300);
  const picture = () => page.evaluate(() => document.querySelector("#lanes canvas").toDataURL());
  const before = await picture();
  await page.evaluate(() => window.answers(0, 10));
  await page.waitForFunction(() => /of 39$/.test(document.querySelector(".since").textContent), null, { timeout: PATIENCE });
  await page.waitForTimeout(1000);
  assert.equal(await picture(), before);
  await page.getByRole("button", { name: "Replay" }).click();
  await page.waitForTimeout(300);
  assert.notEqual(await picture(), before, "a replay runs");
  await page.locator("#replay-end").click();
  await page.locator(".said", { hasText: "1.0 → 1.1: 3 Pods" }).waitFor({ timeout: PATIENCE });
  await page.waitForTimeout(300);
  assert.equal(await picture(), before);
  // A choice is seen all the same.
  await page.locator("#theme").click();
  await page.waitForTimeout(300);
  assert.notEqual(await picture(), before);
  await page.locator("#theme").click();
  await page.waitForTimeout(300);
  assert.equal(await picture(), before);
  await freeze.click();
  await page.waitForTimeout(300);
  assert.notEqual(await picture(), before);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("the page fills the screen, and hides the button where it can't", { timeout: 120_000 }, async () => {
  for (const can of [true, false]) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    if (!can) await page.addInitScript(() => {
      delete Element.prototype.requestFullscreen;
      Object.defineProperty(document, "fullscreenEnabled", { value: undefined });
    });
    await page.goto(fakes.url);
    await page.locator(".card.ready").first().waitFor({ timeout: PATIENCE });
    const button = page.getByRole("button", { name: "Full screen" });
    assert.equal(await button.isVisible(), can);
    if (can) {
      await button.click();
      await page.waitForFunction(() => document.fullscreenElement === document.documentElement);
      await button.click();
      await page.waitForFunction(() => !document.fullscreenElement);
      // What a browser refuses is no fault of the page.
      await page.evaluate(() => (Element.prototype.requestFullscreen = () => Promise.reject(new Error("no"))));
      await button.click();
      await page.waitForTimeout(300);
    }
    assert.equal(await page.locator("#status.broken").count(), 0);
    assert.deepEqual(complaints, []);
    await context.close();
  }
});

test("a panel acts on the pod that it shows, and on no other one", { timeout: 120_000 }, async () => {
  const { page, complaints, context } = await told(browser, fakes.url);
  await rest(page);
  const enabled = () => page.locator("[data-do]:enabled").count();
  await page.locator(".act").first().click();
  assert.equal(await enabled(), 4);
  // A new pod has its address; and a pod says its name later than its address.
  await page.evaluate(() => window.tell("pods", 0, { pods: [window.pod("ka", "1.1", "ready", { name: "chesterdeployment-6f8b9d4c7-newww" })] }));
  await page.waitForFunction(() => document.querySelector("#facts").textContent === "ended");
  assert.equal(await enabled(), 0);
  await page.evaluate(() => window.tell("pods", 0, { pods: [window.pod("kz", "1.1", "ready", { name: null, ip: "10.0.0.9" })] }));
  await page.locator(".act[aria-label^='10.0.0.9']").click();
  await page.evaluate(() => window.tell("pods", 0, { pods: [window.pod("kz", "1.1", "ready", { ip: "10.0.0.9" })] }));
  await page.getByRole("region", { name: "chesterdeployment-6f8b9d4c7-kz", exact: true }).waitFor();
  assert.equal(await enabled(), 4);
  // What has been chosen survives a stream that begins anew.
  await page.locator("#fault").selectOption("exit?code=3");
  await page.evaluate(() => window.tell("hello", 0, { actions: true, services: [{ label: "chesterservice", pods: "chesterservice", traffic: "chesterservice" }] }));
  const again = await page.evaluate(() => fetch("page/events").then(async (answer) => {
    const { value } = await answer.body.pipeThrough(new TextDecoderStream()).getReader().read();
    const { lessons } = JSON.parse(/data: (.*)/.exec(value)[1]);
    window.tell("hello", 0, { actions: true, lessons, services: [{ label: "chesterservice", pods: "chesterservice", traffic: "chesterservice" }] });
    return lessons.switches.length;
  }));
  assert.equal(again, 6);
  assert.equal(await page.locator("#fault").inputValue(), "exit?code=3");
  // In a replay there is nothing to act on.
  await page.locator("#changes button", { hasText: "Replay" }).first().click({ timeout: PATIENCE });
  await page.waitForFunction(() => document.querySelectorAll("[data-do]:enabled").length === 0);
  await page.locator("#replay-end").click();
  await page.waitForFunction(() => document.querySelectorAll("[data-do]:enabled").length === 4);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("what a reader expects is of the Service that was acted on, and of an action that was taken", { timeout: 120_000 }, async () => {
  const { page, complaints, context } = await told(browser, fakes.url);
  await rest(page);
  await page.locator("#all").click();
  await page.locator("#expected").selectOption({ index: 1 });
  let status = 403;
  await page.route("**/page/actions", (route) => (status ? route.fulfill({ status, body: "said" }) : route.abort()));
  const expected = () => page.evaluate(() => window.page.live.expected?.service ?? null);
  const act = async (name) => {
    await page.getByRole("button", { name, exact: true }).click();
    await page.waitForFunction(() => document.querySelector("#answer").textContent !== "…");
  };
  await act("Set");
  assert.equal(await expected(), null, "it was refused");
  status = 0;
  await act("Set");
  assert.match(await page.locator("#answer").textContent(), /Failed to fetch/);
  status = 200;
  await act("Clear all");
  assert.equal(await expected(), null, "nothing is expected of that");
  await act("Set");
  assert.equal(await expected(), 0);
  assert.equal(await page.locator("#status.broken").count(), 0);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a language that can't be had leaves the other one", { timeout: 120_000 }, async () => {
  const { page, complaints, context } = await view(browser, fakes.url + "/");
  await page.locator(".card.ready").first().waitFor({ timeout: PATIENCE });
  const lang = () => page.evaluate(() => document.documentElement.lang);
  for (const answer of [
    (route) => route.abort(),
    (route) => route.fulfill({ contentType: "text/html", body: "<h1>Sign in</h1>" }),
    // A proxy that has its own idea of the language.
    async (route) => route.fulfill({ response: await route.fetch({ headers: { "accept-language": "en" } }) }),
  ]) {
    await page.route(fakes.url + "/", answer, { times: 1 });
    await page.locator("#language").click();
    await page.waitForTimeout(500);
    assert.equal(await lang(), "en");
    assert.equal(await page.locator("#pods-title").textContent(), "Pods");
  }
  await page.locator("#language").click();
  await page.waitForFunction(() => document.documentElement.lang === "zh");
  assert.equal(await page.locator("#traffic-title").textContent(), "请求与 Pod");
  assert.deepEqual(complaints.filter((complaint) => !complaint.includes("net::ERR")), []);
  await context.close();
});

test("who watches by the address for a class chooses nothing for the others, and can't act", { timeout: 120_000 }, async () => {
  const rates = [];
  const { page, complaints, context } = await view(browser, fakes.url + "/");
  page.on("request", (request) => rates.push(new URL(request.url()).searchParams.get("rate")));
  await page.locator("#all:enabled").waitFor({ timeout: PATIENCE });
  await page.locator("#try").click();
  const address = await page.locator("#commands code").last().textContent();
  const code = page.locator("#commands img");
  await page.waitForFunction(() => document.querySelector("#commands img").naturalWidth > 0);
  assert.equal(decodeURIComponent(new URL(await code.evaluate((image) => image.src)).search.slice(1)), address);
  rates.length = 0;
  // What a messenger adds to an address changes nothing.
  await page.goto(`${address}&utm_source=x`);
  await page.locator(".card.ready").first().waitFor({ timeout: PATIENCE });
  assert.deepEqual(rates.filter((rate) => rate !== null), ["0"], "it asks for no requests");
  for (const id of ["rate", "all", "reset"]) assert.equal(await page.locator(`#${id}`).isVisible(), false, id);
  await page.locator(".act").first().click();
  assert.equal(await page.locator("#answer").textContent(), "Actions are turned off here.");
  assert.equal(await page.locator("[data-do]:enabled").count(), 0);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("from 24 pods on each is a dot, whose state can be seen and read, and the limit of a CPU is a line", { timeout: 120_000 }, async () => {
  for (const [count, isMany] of [[23, false], [24, true]]) {
    const { page, complaints, context } = await told(browser, fakes.url);
    await page.evaluate((count) => window.tell("pods", 60, { all: true, pods: Array.from({ length: count }, (_, i) =>
      window.pod(`k${String(i).padStart(3, "b").replace(/0|1/g, "x")}${i}`, "1.0", i ? "ready" : "no answer")) }), count);
    await page.waitForFunction((count) => document.querySelectorAll(".card:not(.free)").length === count, count);
    assert.equal(await page.locator(".cards.many").count() === 1, isMany, `${count} pods`);
    const { width, height } = await page.locator(".card").first().boundingBox();
    assert.equal(width < 60 && height < 60, isMany, `${width} by ${height} px`);
    assert.equal(await page.getByRole("button", { name: /, no answer$/ }).count(), 1);
    if (!isMany) assert.match(await page.locator(".spark path").first().getAttribute("d"), /M0 0\.5h40$/, "20m of 500m");
    assert.deepEqual(complaints, []);
    await context.close();
  }
  // Twelve that are updated are 24 for a while.
  const { page, context } = await told(browser, fakes.url);
  const pods = (letter, version, more) => page.evaluate(([letter, version, more]) => window.tell("pods", 0, { all: more.all, pods: Array.from({ length: 12 }, (_, i) =>
    window.pod(`${letter}${i}`, version, "ready", { started: [more.all ? null : new Date().toISOString(), null] })) }), [letter, version, more]);
  await pods("k", "1.0", { all: true });
  await page.evaluate(() => (window.page.live.began = window.page.live.found = 0));
  await pods("x", "1.1", {});
  await page.waitForFunction(() => document.querySelectorAll(".card:not(.free)").length === 24);
  assert.equal(await page.locator(".cards.many").count(), 0);
  await context.close();
});
