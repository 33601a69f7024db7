// The pointer, a finger or the arrows choose a request on the axis, which tells what it is.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { axeFinds, launch, seek } from "./browser.mjs";
import { Fakes } from "./fakes.mjs";
import { told } from "./told.mjs";

let browser, fakes;

before(async () => {
  browser = await launch();
  fakes = await new Fakes(86, 1).start();
});
after(async () => {
  await browser?.close();
  await fakes?.end();
});

/** A page with these requests, each as seconds ago, lane, outcome and pod, whose picture stands still. */
async function still(marks, options) {
  const seen = await told(browser, fakes.url, ["a"], options);
  await seen.page.evaluate(async (marks) => {
    const now = performance.timeOrigin + performance.now();
    window.tell("traffic", 0, { marks: marks.map(([ago, lane, outcome, pod, late = null]) => [now - ago * 1000, 1.5, 0, lane, outcome, pod, pod && "1.0", late]) });
    for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
    window.late = (performance.timeOrigin + performance.now() - now) / 1000 - 0.15;
    window.frame = window.requestAnimationFrame;
    window.requestAnimationFrame = (frame) => void (window.waiting = frame);
    await new Promise(window.frame);
    // What is written into the picture.
    const { fillText } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.fillText = function (text, ...at) {
      window.written.push(text);
      return fillText.call(this, text, ...at);
    };
    window.written = [];
  }, marks);
  const canvas = seen.page.locator("#lanes canvas");
  const box = await canvas.boundingBox();
  const late = await seen.page.evaluate(() => window.late);
  const span = Math.min(20, (box.width / 5) * (box.width < 500 ? 1 : 2) * 0.1);
  /** Where a mark is. */
  const place = (ago, lane) => [box.x + box.width * (1 - (ago + late) / span), box.y + lane * 52 + 23];
  /** What the picture says of a mark since this was asked last. */
  const said = () => seen.page.evaluate(() => window.written.splice(0).find((text) => text.includes(" ms"))?.replace(/\d\d:\d\d:\d\d\.\d{3}Z/, "TIME"));
  return { ...seen, canvas, place, said };
}

const MARKS = [[9, 0, "ok", "chester-5d79c7596-old11"], [6, 1, "reset", "chester-5d79c7596-gone1"], [5, 0, "refused", null], [4, 0, "status 503", "chester-5d79c7596-bad11"], [2, 1, "ok", "chester-6f8b9d4c7-new11", 120]];

test("under the pointer a mark says what it is; a failure, whom it hit if that is known", { timeout: 120_000 }, async () => {
  const { page, complaints, context, place, said } = await still(MARKS);
  for (const [ago, lane, text] of [
    [9, 0, "ok, 1.5 ms, TIME, 1.0 old11"], [6, 1, "reset, 1.5 ms, TIME, 1.0 gone1"], [5, 0, "refused, 1.5 ms, TIME, no answer"],
    [4, 0, "status 503, 1.5 ms, TIME, 1.0 bad11"], [2, 1, "ok, 1.5 ms, TIME, 1.0 new11"], [7.5, 0, undefined], [9, 1, undefined],
  ]) {
    const [x, y] = place(ago, lane);
    await page.mouse.move(x + 3, y + 4);
    assert.equal(await said(), text, `${ago} s ago`);
  }
  await page.mouse.move(...place(4, 0));
  assert.match(await said(), /bad11/);
  await page.mouse.move(10, 10);
  assert.equal(await said(), undefined);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a mark that is chosen stays chosen while the axis moves", { timeout: 120_000 }, async () => {
  const { page, context, place, said } = await still(MARKS);
  await page.mouse.move(...place(5, 0));
  assert.match(await said(), /refused/);
  // Half a second later it is elsewhere, and the pointer is where it was.
  await page.waitForTimeout(500);
  await page.evaluate(() => {
    window.written = [];
    window.frame(window.waiting);
    return new Promise(window.frame);
  });
  assert.match(await said(), /refused/);
  await context.close();
});

test("arrows, Home and End go from mark to mark, and each is said as the value of a slider", { timeout: 120_000 }, async () => {
  const { page, complaints, context, canvas, said } = await still(MARKS);
  await canvas.focus();
  const value = () => canvas.getAttribute("aria-valuetext");
  for (const [key, name] of [["ArrowLeft", "new11"], ["ArrowLeft", "bad11"], ["ArrowLeft", "no answer"], ["ArrowRight", "bad11"], ["Home", "old11"], ["ArrowLeft", "old11"], ["End", "new11"], ["ArrowRight", "new11"]]) {
    await page.keyboard.press(key);
    assert.ok((await value()).endsWith(name), `${key}: ${await value()}`);
    assert.ok((await said()).endsWith(name), key);
  }
  const { nodes } = await (await context.newCDPSession(page)).send("Accessibility.getFullAXTree");
  assert.ok(nodes.some(({ role, name }) => role?.value === "slider" && /^Requests of the last/.test(name?.value)));
  assert.deepEqual(await axeFinds(page), []);
  // Its name, which changes every few seconds, stays while it has the focus.
  const label = await canvas.getAttribute("aria-label");
  await page.evaluate(async () => {
    window.answers(0, 9);
    window.labelled = 0;
    new MutationObserver(() => window.labelled++).observe(document.querySelector("#lanes canvas"), { attributeFilter: ["aria-label"] });
    window.requestAnimationFrame = window.frame;
    window.frame(window.waiting);
    await new Promise((resolve) => setTimeout(resolve, 4500));
  });
  assert.deepEqual([await page.evaluate(() => window.labelled), await canvas.getAttribute("aria-label")], [0, label]);
  await canvas.blur();
  await page.waitForFunction(() => window.labelled);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("a finger chooses a mark, on a phone with its one lane", { timeout: 120_000 }, async () => {
  const { page, complaints, context, place, said } = await still(MARKS, { width: 390, height: 844, hasTouch: true, isMobile: true });
  for (const [ago, lane, text] of [[5, 0, /^refused/], [2, 0, /new11$/]]) {
    await page.touchscreen.tap(...place(ago, lane));
    await page.waitForFunction(() => window.written.length);
    assert.match(await said(), text);
  }
  assert.deepEqual(complaints, []);
  await context.close();
});

test("in a replay the arrows move the mark on the axis, or the replay, and never both", { timeout: 120_000 }, async () => {
  const { page, context } = await told(browser, fakes.url);
  await page.evaluate(() => {
    window.tell("pods", 40, { all: true, pods: ["a", "b"].map((name) => window.pod(name, "1.0", "ready")) });
    window.tell("pods", 30, { pods: [window.pod("c", "1.1", "ready", { started: [new Date().toISOString(), null] })], left: ["0/a"] });
    window.answers(29.9, 20);
  });
  await page.getByRole("button", { name: "Replay" }).first().click();
  const at = () => page.locator("#replay-at").getAttribute("aria-valuetext");
  await page.locator("#replay-play").getByText("Pause", { exact: true }).waitFor();
  await seek(page, 0.9);
  const before = await at();
  await page.locator("#lanes canvas").focus();
  await page.keyboard.press("ArrowLeft");
  assert.match(await page.locator("#lanes canvas").getAttribute("aria-valuetext"), /^ok/);
  assert.equal(await at(), before);
  await context.close();
});
