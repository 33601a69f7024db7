// The page on a projector and on a phone.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { axeFinds, launch } from "./browser.mjs";
import { Fakes } from "./fakes.mjs";
import { told } from "./told.mjs";

let browser, fakes;

before(async () => {
  browser = await launch();
  fakes = await new Fakes(83, 1).start();
});
after(async () => {
  await browser?.close();
  await fakes?.end();
});

const update = (page) => page.evaluate(() => {
  const pods = (names, version, state, more) => names.map((name) => window.pod(name, version, state, more));
  window.tell("pods", 40, { all: true, pods: pods(["a", "b", "c"], "1.0", "ready") });
  window.tell("pods", 5, { pods: pods(["x", "y", "z"], "1.1", "ready", { started: [new Date().toISOString(), null] }) });
  window.tell("pods", 4, { pods: pods(["a", "b", "c"], "1.0", "stopping", { stop: { since_signal_seconds: 0, drain_seconds: 90, deadline_seconds: 99 } }) });
  window.answers(3, 20);
});

const isProjected = (page) => page.evaluate(() => document.documentElement.classList.contains("projector"));
const shown = (page) => page.evaluate(() => ["#halves", "#lanes", "#status", "#rate", "#pods", "#verdicts", "#all"].filter((one) => document.querySelector(one).checkVisibility()));

test("a room sees the headline and the time alone, in large letters: by itself when it is wide, and by the key F", { timeout: 180_000 }, async () => {
  for (const [width, height, locale] of [[1920, 1080, "zh-CN"], [1280, 800, "en-US"]]) {
    const { page, complaints, context } = await told(browser, fakes.url, ["chesterservice"], { width, height, locale });
    await update(page);
    assert.equal(await isProjected(page), width === 1920);
    assert.equal((await shown(page)).length, width === 1920 ? 3 : 7);
    if (width < 1600) await page.keyboard.press("f");
    assert.deepEqual(await shown(page), ["#halves", "#lanes", "#status"]);
    await page.locator(".figure", { hasText: "20" }).waitFor();
    const sizes = await page.evaluate(() => [getComputedStyle(document.documentElement).fontSize, ...["said", "figure"].map((name) => parseFloat(getComputedStyle(document.querySelector(`.${name}`)).fontSize)), document.documentElement.scrollHeight - innerHeight, document.documentElement.scrollWidth - innerWidth]);
    assert.equal(sizes[0], "24px");
    // In a picture reduced to a quarter they are still 9 and 16 pixels high.
    assert.ok(sizes[1] >= 36 && sizes[2] >= 64, sizes.join());
    assert.ok(sizes[3] <= 0 && sizes[4] <= 0, `all of an update fits: ${sizes}`);
    assert.deepEqual(await axeFinds(page), []);
    await page.keyboard.press("F");
    assert.equal((await shown(page)).length, 7);
    assert.equal(await page.locator("#projector").getAttribute("aria-pressed"), "false");
    // Who writes an f writes.
    await page.locator("#all").click();
    await page.locator("#millicores").press("f");
    assert.equal(await isProjected(page), false);
    assert.deepEqual(complaints, []);
    await context.close();
  }
});

test("a room sees two Services side by side, each below its half of the headline", { timeout: 180_000 }, async () => {
  const { page, context } = await told(browser, fakes.url, ["a", "b"], { width: 1920, height: 1080 });
  const lefts = (what) => page.evaluate((what) => [...document.querySelectorAll(what)].map((one) => Math.round(one.getBoundingClientRect().left)), what);
  const [halves, lanes] = [await lefts(".half"), await lefts("#lanes figure")];
  assert.ok(halves[1] > 900 && lanes[1] > 900, `${halves} ${lanes}`);
  await context.close();
});

test("a phone has the headline, one lane and the pods as chips, in this order", { timeout: 180_000 }, async () => {
  const { page, complaints, context } = await told(browser, fakes.url, ["chesterservice"], { width: 390, height: 844 });
  await update(page);
  await page.locator(".card").nth(5).waitFor();
  await page.locator(".figure", { hasText: "20" }).waitFor();
  const tops = await page.evaluate(() => [...document.querySelectorAll("main > section")].map((one) => one.getBoundingClientRect().top));
  assert.deepEqual(tops, tops.toSorted((a, b) => a - b), "the order of the document is that of the eye");
  const [lane, chip, end] = await page.evaluate(() => [document.querySelector("#lanes canvas").clientHeight, document.querySelector(".card").getBoundingClientRect(), document.querySelector("#cards").getBoundingClientRect().bottom]);
  assert.ok(lane < 80, `a lane of ${lane} px`);
  assert.ok(chip.width < 130 && chip.height < 100, JSON.stringify(chip));
  assert.ok(end <= 844, `all pods are on the first screen: ${end} px`);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll(".card .state")].filter((state) => state.getBoundingClientRect().bottom > state.closest(".card").getBoundingClientRect().bottom).length), 0);
  assert.deepEqual(await axeFinds(page), []);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("each ReplicaSet says how many pods it had and has", { timeout: 180_000 }, async () => {
  const { page, complaints, context } = await told(browser, fakes.url);
  const groups = (wanted) => page.waitForFunction((wanted) => [...document.querySelectorAll(".groups li")].map((group) => group.textContent).join() === wanted, wanted);
  await page.evaluate(() => window.tell("pods", 60, { all: true, pods: ["a", "b", "c"].map((name) => window.pod(name, "1.0", "ready")) }));
  await groups("3 1.0 5d79c7596");
  await update(page);
  await groups("3 → 0 1.0 5d79c7596,0 → 3 1.1 6f8b9d4c7");
  await page.evaluate(() => window.tell("pods", 0, { left: ["a", "b", "c"].map((name) => `0/${name}`) }));
  await groups("3 1.1 6f8b9d4c7");
  assert.deepEqual(complaints, []);
  await context.close();
});
