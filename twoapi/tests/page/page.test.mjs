// The live page in a real browser, against real pairs: `make test-page`.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { axeFinds, cards, launch, seek, view } from "./browser.mjs";
import { Service, sleep } from "./pairs.mjs";

const PATIENCE = 30_000;

let browser, good, twin;

before(async () => {
  browser = await launch();
});
after(async () => {
  await browser?.close();
});

/** Three pods of a Service, and of a twin if there are settings for one. */
async function three(network, settings, lag) {
  const service = await new Service(network, settings, lag).start();
  for (let i = 0; i < 3; i++) service.startPod("1.0");
  await service.ready(3);
  return service;
}

async function axeFindsNothing(page, what) {
  assert.deepEqual(await axeFinds(page), [], `axe-core, ${what}`);
}

test("an update is seen: cards come and go, the page goes on from another pod, nothing fails", { timeout: 90_000 }, async () => {
  good = await three(21);
  const { page, complaints, context } = await view(browser, good.url + "/");
  try {
    await cards(page).nth(2).waitFor({ timeout: PATIENCE });
    await page.locator("#rate").getByText("20", { exact: true }).click();
    await page.waitForFunction(() => window.page.live.side(0).ok > 40, null, { timeout: PATIENCE });
    const firstPod = await page.evaluate(() => window.page.stream.pod);
    await page.evaluate(() => {
      window.shifts = [];
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput && window.page.live.side(0).open) window.shifts.push(`${entry.value.toFixed(4)} ${entry.sources.map(({ node }) => node?.outerHTML?.slice(0, 80) ?? node?.textContent)}`);
      }).observe({ type: "layout-shift" });
    });

    await good.update("1.1");
    await page.locator("#changes strong").first().waitFor({ timeout: PATIENCE });
    const verdict = await page.evaluate(() => window.page.live.changes[0].verdict);
    assert.equal(verdict.kind, "update", JSON.stringify(verdict));
    assert.deepEqual([verdict.from, verdict.to], [["1.0"], ["1.1"]]);
    assert.equal(verdict.pods, 3);
    assert.equal(verdict.failed, 0, JSON.stringify(verdict));
    assert.ok(verdict.requests > 40, JSON.stringify(verdict));
    assert.ok(verdict.late > 0, "answers after SIGTERM are counted: " + JSON.stringify(verdict));
    // The verdict counts what the lanes show.
    const marks = await page.evaluate(() => window.page.live.marks.filter((mark) => mark.outcome !== "ok").length);
    assert.equal(marks, 0);
    const texts = await cards(page).locator(".version").allTextContents();
    assert.deepEqual(texts, ["1.1", "1.1", "1.1"]);
    // The cards move up when those that have left are gone.
    await page.waitForFunction(() => [...document.querySelectorAll(".card")].map((card) => (card.classList.contains("free") ? "-" : "x")).join("") === "xxx---", null, { timeout: PATIENCE });
    const lastPod = await page.evaluate(() => window.page.stream.pod);
    assert.notEqual(lastPod, firstPod, "the pod that served the page has been replaced");
    const blind = await page.evaluate(() => window.page.live.blind.map(([from, to]) => to - from));
    assert.ok(blind.length > 0 && blind.every((ms) => ms < 1000), `away for ${blind} ms`);
    const shifts = await page.evaluate(() => window.shifts);
    assert.deepEqual(shifts, [], "nothing moves by itself while the change goes on");
    await axeFindsNothing(page, "after an update");

    await page.getByRole("button", { name: "Replay" }).click();
    await page.waitForFunction(() => document.getElementById("replay-what").textContent.match(/ 0\.[3-9]|[1-9]\./));
    await page.getByRole("button", { name: "Pause" }).click();
    const at = await page.locator("#replay-what").textContent();
    await sleep(300);
    assert.equal(await page.locator("#replay-what").textContent(), at, "paused");
    await page.getByRole("button", { name: "Step", exact: true }).click();
    const further = await page.locator("#replay-what").textContent();
    assert.notEqual(further, at, "a step further");
    await page.keyboard.press("ArrowRight");
    assert.notEqual(await page.locator("#replay-what").textContent(), further, "one by the key, though a button has the focus");
    await seek(page, 0.55);
    await page.waitForFunction(() => document.querySelectorAll(".card:not(.free):not(.left)").length > 3);
    await axeFindsNothing(page, "in a replay");
    await page.getByRole("button", { name: "Back to live" }).click();
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
    await good.end();
  }
});

test("a Service and its twin side by side: the twin without a drain loses requests, and says so", { timeout: 90_000 }, async () => {
  twin = await three(23, { DRAIN_DELAY: "0s" }, 1000);
  good = await three(22, { TWIN_PODS_NAME: twin.names, TWIN_TRAFFIC_URL: `${twin.url}/test/calloneapi` });
  const { page, complaints, context } = await view(browser, good.url + "/");
  try {
    await cards(page).nth(5).waitFor({ timeout: PATIENCE });
    await page.locator("#rate").getByText("50", { exact: true }).click();
    await page.waitForFunction(() => window.page.live.side(1).ok > 50, null, { timeout: PATIENCE });
    await twin.update("1.1");
    await page.waitForFunction(() => window.page.live.changes.some(({ verdict }) => verdict.service === 1 && verdict.kind !== "outage"), null, { timeout: PATIENCE });
    const { verdict, all, side } = await page.evaluate(() => {
      const verdicts = window.page.live.changes.map((change) => change.verdict).filter(({ service }) => service === 1);
      const side = window.page.live.side(1);
      const open = side.open ? window.page.live.judge(1, side.open, Infinity).failed : 0;
      return { verdict: verdicts.find(({ kind }) => kind !== "outage"), all: verdicts.reduce((sum, { failed }) => sum + failed, open), side };
    });
    await page.locator("#changes li.bad strong").first().waitFor({ timeout: PATIENCE });
    assert.ok(verdict.failed > 0, JSON.stringify(verdict));
    const total = Object.values(verdict.outcomes).reduce((a, b) => a + b, 0);
    assert.equal(total, verdict.failed, "each failure is of a kind");
    assert.equal(all, side.failed, "those that failed before the page knew of it too");
    assert.equal(await page.evaluate(() => window.page.live.side(0).failed), 0, "the other Service lost nothing");
    assert.match(await page.locator("#legend").textContent(), /reset|cut off|refused/);
    await axeFindsNothing(page, "with failures");
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
    await good.end();
    await twin.end();
  }
});

test("a burn is started and ended in the page, in Chinese and in the dark, by keyboard", { timeout: 60_000 }, async () => {
  good = await three(24);
  const { page, complaints, context } = await view(browser, good.url + "/", { locale: "zh-CN", colorScheme: "dark" });
  try {
    await cards(page).nth(2).waitFor({ timeout: PATIENCE });
    await page.getByRole("heading", { name: "请求与 Pod", exact: true }).waitFor();
    await axeFindsNothing(page, "Chinese, dark");
    await cards(page).first().locator(".act").focus();
    await page.keyboard.press("Enter");
    await page.getByRole("region", { name: /^chesterdeployment-/ }).waitFor();
    await axeFindsNothing(page, "the panel");
    await page.locator("#millicores").focus();
    await page.keyboard.press("Enter");
    await page.getByText("oneapi：已在 1 个 Pod 中的 1 个上完成").waitFor({ timeout: PATIENCE });
    await page.waitForFunction(() => [...document.querySelectorAll(".detail")].some((p) => p.textContent.includes("250m")), null, { timeout: PATIENCE });
    await page.getByRole("button", { name: "停止所有 CPU 消耗" }).click();
    await page.waitForFunction(() => [...document.querySelectorAll(".detail")].every((p) => !p.textContent), null, { timeout: PATIENCE });
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "English" }).click();
    await page.getByRole("heading", { name: "Requests and Pods", exact: true }).waitFor();
    // What is written seldom is in the other language too.
    await page.waitForFunction(() => [...document.querySelectorAll(".act")].every((act) => act.getAttribute("aria-label").endsWith(", ready")), null, { timeout: PATIENCE });
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
    await good.end();
  }
});

test("with nobody left to serve it the page says so, and finds its way back", { timeout: 60_000 }, async () => {
  good = await three(25);
  const { page, context } = await view(browser, good.url + "/", { width: 390, height: 844 });
  try {
    await cards(page).nth(2).waitFor({ timeout: PATIENCE });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 390, `a phone needn't scroll sideways: ${wide}`);
    await good.stop([...good.pods], "SIGKILL");
    await page.locator("#status.lost").waitFor({ timeout: PATIENCE });
    await axeFindsNothing(page, "without a connection, on a phone");
    good.startPod("1.0");
    await good.ready(1);
    await page.locator("#status.live").waitFor({ timeout: PATIENCE });
  } finally {
    await context.close();
    await good.end();
  }
});
