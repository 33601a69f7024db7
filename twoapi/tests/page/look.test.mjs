// How the page looks: colours and words; and what keys and fingers do.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import UPNG from "upng-js";
import { cards, launch, view } from "./browser.mjs";
import { Fakes } from "./fakes.mjs";
import { told } from "./told.mjs";

const PATIENCE = 60_000;
let browser, fakes;

before(async () => {
  browser = await launch();
  fakes = await new Fakes(68, 4).start({ PAGE_ACTIONS: "true" });
});
after(async () => {
  await browser?.close();
  await fakes?.end();
});

/** A page with requests, of which some have failed. */
async function busy(options) {
  const seen = await view(browser, fakes.url + "/", options);
  await cards(seen.page).nth(3).waitFor({ timeout: PATIENCE });
  await seen.page.getByText("50", { exact: true }).click();
  await seen.page.waitForFunction(() => window.page.live.side(0).ok > 60, null, { timeout: PATIENCE });
  return seen;
}

/** The colours of a picture that make up at least a two-thousandth of it, as [r, g, b]. */
function colours(png) {
  const { data } = { data: new Uint8Array(UPNG.toRGBA8(UPNG.decode(png))[0]) };
  const counts = new Map();
  for (let i = 0; i < data.length; i += 4) {
    const key = [data[i], data[i + 1], data[i + 2]].join();
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].filter(([, count]) => count > data.length / 4 / 2000).map(([key]) => key.split(",").map(Number));
}

const apart = (a, b) => Math.hypot(...a.map((part, i) => part - b[i]));

for (const [what, options, deficiency] of [
  ["light", { colorScheme: "light" }], ["dark", { colorScheme: "dark" }],
  ["light, deuteranopia", { colorScheme: "light" }, "deuteranopia"], ["dark, deuteranopia", { colorScheme: "dark" }, "deuteranopia"],
]) {
  test(`marks and bars are seen: ${what}`, { timeout: 120_000 }, async () => {
    const { page, context } = await busy(options);
    const session = await context.newCDPSession(page);
    await session.send("Emulation.setEmulatedVisionDeficiency", { type: deficiency ?? "none" });
    for (const canvas of ["#lanes canvas"]) {
      const found = colours(await page.locator(canvas).screenshot());
      assert.ok(found.some((one) => found.some((other) => apart(one, other) > 80)), `${canvas}: ${JSON.stringify(found)}`);
    }
    // Each look and the red of failures, as they are seen.
    const seen = await page.evaluate(() => {
      const names = ["lane", "failure", ...Array.from({ length: 4 }, (_, i) => `v${i}`)];
      const row = document.body.appendChild(document.createElement("div"));
      row.id = "row";
      row.style.cssText = "position:fixed;top:0;left:0;z-index:9;display:flex;forced-color-adjust:none";
      for (const name of names) row.appendChild(document.createElement("i")).style.cssText = `width:10px;height:10px;background:var(--${name})`;
      return names;
    });
    const image = UPNG.decode(await page.locator("#row").screenshot());
    const data = new Uint8Array(UPNG.toRGBA8(image)[0]);
    const [lane, failure, ...looks] = seen.map((_, i) => [...data.slice(4 * (5 * image.width + i * 10 + 5)).slice(0, 3)]);
    // Each is told from the next one.
    looks.forEach((look, i) => assert.ok(i === 0 || apart(look, looks[i - 1]) > 55, `v${i} ${look} beside ${looks[i - 1]}`));
    looks.forEach((look, i) => {
      assert.ok(apart(look, lane) > 70, `v${i} ${look} on the lane ${lane}`);
      assert.ok(apart(look, failure) > 55, `v${i} ${look} beside failures ${failure}`);
    });
    await context.close();
  });
}

test("a pod that stops well isn't red, and one that doesn't answer is", { timeout: 60_000 }, async () => {
  const { page, context } = await view(browser, fakes.url + "/");
  await cards(page).nth(3).waitFor({ timeout: PATIENCE });
  const colour = (state) => page.evaluate((state) => {
    const card = document.querySelector(".card");
    card.className = `card ${state}`;
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = "var(--failure)";
    const is = getComputedStyle(card.querySelector(".state")).color === getComputedStyle(probe).color;
    probe.remove();
    return is;
  }, state);
  assert.deepEqual([await colour("stopping"), await colour("not-ready"), await colour("no-answer")], [false, false, true]);
  await context.close();
});

test("reasons and answers are Chinese in Chinese", { timeout: 60_000 }, async () => {
  const { page, context } = await view(browser, fakes.url + "/", { locale: "zh-CN" });
  await cards(page).nth(3).waitFor({ timeout: PATIENCE });
  fakes.pods[0].ready = false;
  await page.getByText("oneapi：故障开关 readiness 使其失败").waitFor({ timeout: PATIENCE });
  fakes.pods[0].ready = true;
  await page.locator("#all").click();
  await page.locator("[data-do='end burns']").click();
  await page.getByText("oneapi：已在 4 个 Pod 中的 4 个上完成").waitFor({ timeout: PATIENCE });
  await context.close();
});

test("Enter in a field sets the switch", { timeout: 60_000 }, async () => {
  const { page, context } = await view(browser, fakes.url + "/");
  await cards(page).nth(3).waitFor({ timeout: PATIENCE });
  await page.locator("#all").click();
  await page.locator("#fault").focus();
  await page.keyboard.press("Enter");
  await page.getByText("oneapi: done on 4 of 4 Pods").waitFor({ timeout: PATIENCE });
  await context.close();
});

test("a replay is played by keys, from its own buttons and from its slider", { timeout: 120_000 }, async () => {
  const { page, context } = await told(browser, fakes.url);
  await page.evaluate(() => {
    window.tell("pods", 40, { all: true, pods: ["a", "b"].map((name) => window.pod(name, "1.0", "ready")) });
    window.tell("pods", 30, { pods: [window.pod("c", "1.1", "ready", { started: [new Date().toISOString(), null] })], left: ["0/a"] });
  });
  await page.getByRole("button", { name: "Replay" }).focus();
  await page.keyboard.press("Enter");
  const at = () => page.locator("#replay-at").getAttribute("aria-valuetext");
  assert.match(await at(), /^\d+\.\d s of \d+\.\d s$/);
  const play = page.locator("#replay-play");
  await page.keyboard.press(" ");
  await play.getByText("Play", { exact: true }).waitFor();
  for (const id of ["replay-step", "replay-at"]) {
    await page.locator(`#${id}`).focus();
    const earlier = parseFloat(await at());
    await page.keyboard.press("ArrowRight");
    assert.ok(Math.abs(parseFloat(await at()) - earlier - 0.1) < 0.051, `${id}: ${earlier} ${await at()}`);
    await page.keyboard.press(" ");
    await play.getByText("Pause", { exact: true }).waitFor();
    await page.keyboard.press(" ");
    await play.getByText("Play", { exact: true }).waitFor();
  }
  await page.keyboard.press("Escape");
  await page.locator("#replay").waitFor({ state: "hidden" });
  await context.close();
});

test("fingers have targets of 44 pixels", { timeout: 60_000 }, async () => {
  const { page, context } = await view(browser, fakes.url + "/", { width: 390, height: 844, hasTouch: true, isMobile: true });
  await cards(page).nth(3).waitFor({ timeout: PATIENCE });
  const small = () => page.evaluate(() => [...document.querySelectorAll("button, input, select")].flatMap((element) => {
    const { width, height } = (/radio|checkbox/.test(element.type) ? element.closest("label") : element).getBoundingClientRect();
    return width && (width < 44 || height < 44) ? `${element.id || element.className || element.name} ${width} × ${height}` : [];
  }));
  assert.deepEqual(await small(), []);
  await page.locator("#all").click();
  assert.deepEqual(await small(), []);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 390, `${wide} px`);
  await context.close();
});
