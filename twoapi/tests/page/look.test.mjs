// How the page looks and speaks: colours and patterns, forced colours, words, the keyboard, and what a reader
// of the screen is told.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import UPNG from "upng-js";
import { cards, launch, view } from "./browser.mjs";
import { Fakes } from "./fakes.mjs";

const PATIENCE = 60_000;
let browser, fakes;

/** Pods of two ReplicaSets of one version, as after `kubectl rollout restart`. */
const names = (number) => ({ name: `web-${number > 2 ? "6f8b9d4c7" : "5d79c7596"}-lgds${"2456"[number - 1]}` });

before(async () => {
  browser = await launch();
  fakes = await new Fakes(68, 4, names).start({ PAGE_ACTIONS: "true" });
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
  ["light", { colorScheme: "light" }], ["dark", { colorScheme: "dark" }], ["forced colours", { forcedColors: "active" }],
  ["forced colours, dark", { forcedColors: "active", colorScheme: "dark" }],
  ["light, deuteranopia", { colorScheme: "light" }, "deuteranopia"], ["dark, deuteranopia", { colorScheme: "dark" }, "deuteranopia"],
]) {
  test(`marks and bars are seen: ${what}`, { timeout: 120_000 }, async () => {
    const { page, context } = await busy(options);
    const session = await context.newCDPSession(page);
    await session.send("Emulation.setEmulatedVisionDeficiency", { type: deficiency ?? "none" });
    for (const canvas of ["#lanes canvas", "#chart canvas"]) {
      const found = colours(await page.locator(canvas).screenshot());
      assert.ok(found.some((one) => found.some((other) => apart(one, other) > 80)), `${canvas}: ${JSON.stringify(found)}`);
    }
    // Each look and the red of failures, as they are seen.
    const seen = await page.evaluate(() => {
      const names = ["lane", "failure", ...Array.from({ length: 8 }, (_, i) => `v${i}`)];
      const row = document.body.appendChild(document.createElement("div"));
      row.id = "row";
      row.style.cssText = "position:fixed;top:0;left:0;z-index:9;display:flex;forced-color-adjust:none";
      for (const name of names) row.appendChild(document.createElement("i")).style.cssText = `width:10px;height:10px;background:var(--${name})`;
      return names;
    });
    const image = UPNG.decode(await page.locator("#row").screenshot());
    const data = new Uint8Array(UPNG.toRGBA8(image)[0]);
    const [lane, failure, ...looks] = seen.map((_, i) => [...data.slice(4 * (5 * image.width + i * 10 + 5)).slice(0, 3)]);
    looks.forEach((look, i) => {
      assert.ok(apart(look, lane) > 70, `v${i} ${look} on the lane ${lane}`);
      assert.ok(apart(look, failure) > 55, `v${i} ${look} beside failures ${failure}`);
    });
    await context.close();
  });
}

test("two ReplicaSets of one version have looks and labels of their own, the same for every viewer", { timeout: 120_000 }, async () => {
  const seen = [];
  for (const colorScheme of ["light", "dark"]) {
    const { page, context } = await busy({ colorScheme });
    await page.waitForFunction(() => [...document.querySelectorAll(".card .version")].every((label) => label.textContent.includes("·")), null, { timeout: PATIENCE });
    seen.push(await page.evaluate(() => [...document.querySelectorAll(".card:not(.free)")].map((card) => [card.querySelector(".version").textContent, card.querySelector(".version path").getAttribute("d")].join(" "))));
    // What is drawn is each pod's own.
    const marks = await page.evaluate(() => window.page.live.marks.map(({ pod, look }) => [pod.split("-")[1], look].join()));
    assert.equal(new Set(marks).size, 2, [...new Set(marks)].join(" "));
    assert.equal(new Set(marks.map((mark) => mark.split(",")[1])).size, 2);
    await context.close();
  }
  assert.equal(new Set(seen[0]).size, 2, seen[0].join());
  assert.deepEqual(seen[1], seen[0]);
});

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
  // Enter in a field sets the switch.
  await page.locator("#fault").focus();
  await page.keyboard.press("Enter");
  await page.getByText("oneapi：已在 4 个 Pod 中的 4 个上完成").waitFor({ timeout: PATIENCE });
  await context.close();
});

test("what a reader of the screen is told is polite, about pods and requests, and not too often", { timeout: 120_000 }, async () => {
  const { page, context } = await busy();
  assert.equal(await page.locator("[aria-live], [role=status]:not(#answer), [role=alert]").count(), 1);
  await page.evaluate(() => {
    window.told = [];
    new MutationObserver(() => window.told.push({ at: performance.now(), text: document.getElementById("said").textContent }))
      .observe(document.getElementById("said"), { childList: true, characterData: true, subtree: true });
  });
  fakes.pods[0].ready = false;
  await page.waitForFunction(() => window.told.some(({ text }) => text === "3 of 4 pods ready; no request failed"), null, { timeout: PATIENCE });
  fakes.pods[0].ready = true;
  await page.waitForFunction(() => window.told.some(({ text }) => /readiness changed for [\d.]+ s, [\d,]+ requests, 0 failed/.test(text)), null, { timeout: PATIENCE });
  const told = await page.evaluate(() => window.told);
  for (let i = 1; i < told.length; i++) assert.ok(told[i].at - told[i - 1].at > 3500, JSON.stringify(told));
  assert.ok(!told.some(({ text }) => text.includes("viewer")), JSON.stringify(told));

  // The focus stays where it is when the next change arrives.
  const replay = page.getByRole("button", { name: "Replay" }).last();
  await replay.focus();
  await page.evaluate(() => document.activeElement.addEventListener("blur", () => (window.blurred = true)));
  const before = await page.evaluate(() => window.page.live.changes.length);
  fakes.pods[1].ready = false;
  await page.waitForFunction(() => window.page.live.side(0).open, null, { timeout: PATIENCE });
  fakes.pods[1].ready = true;
  await page.waitForFunction((before) => document.querySelectorAll("#changes strong").length > before, before, { timeout: PATIENCE });
  assert.deepEqual(await page.evaluate(() => [document.activeElement.textContent, window.blurred]), ["Replay", undefined]);

  // The replay's keys work from its own buttons and from its slider.
  await page.keyboard.press("Enter");
  const at = () => page.locator("#replay-at").getAttribute("aria-valuetext");
  assert.match(await at(), /^\d+\.\d s of \d+\.\d s$/);
  const play = page.locator("#replay-play");
  await page.keyboard.press(" ");
  await play.getByText("Play").waitFor();
  for (const id of ["replay-step", "replay-at"]) {
    await page.locator(`#${id}`).focus();
    const earlier = parseFloat(await at());
    await page.keyboard.press("ArrowRight");
    assert.ok(Math.abs(parseFloat(await at()) - earlier - 0.1) < 0.051, `${id}: ${earlier} ${await at()}`);
    await page.keyboard.press(" ");
    await play.getByText("Pause").waitFor();
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
    const { width, height } = (element.type === "radio" ? element.closest("label") : element).getBoundingClientRect();
    return width && (width < 44 || height < 44) ? `${element.id || element.className || element.name} ${width} × ${height}` : [];
  }));
  assert.deepEqual(await small(), []);
  await page.locator("#all").click();
  assert.deepEqual(await small(), []);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 390, `${wide} px`);
  await context.close();
});
