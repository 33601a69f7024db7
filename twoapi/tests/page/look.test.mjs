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

/** The pixels of what is shown there, as [r, g, b] of a place. */
async function pixels(locator) {
  const image = UPNG.decode(await locator.screenshot());
  const data = new Uint8Array(UPNG.toRGBA8(image)[0]);
  return { width: image.width, at: (x, y) => [...data.slice(4 * (y * image.width + x)).slice(0, 3)] };
}

const apart = (a, b) => Math.hypot(...a.map((part, i) => part - b[i]));

/** The contrast of two colours. <https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio> */
function contrast(...colours) {
  const [dark, light] = colours.map((colour) => {
    const [r, g, b] = colour.map((part) => (part <= 10 ? part / 3294 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }).sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

const LOOKS = [0, 1, 2, 3, 4, 5].map((look) => `v${look}`);

for (const [what, options, deficiency] of [
  ["light", { colorScheme: "light" }], ["dark", { colorScheme: "dark" }],
  ["light, deuteranopia", { colorScheme: "light" }, "deuteranopia"], ["dark, deuteranopia", { colorScheme: "dark" }, "deuteranopia"],
  ["forced colours, light", { colorScheme: "light", forcedColors: "active" }], ["forced colours, dark", { colorScheme: "dark", forcedColors: "active" }],
]) {
  test(`each look, and failures, are seen: ${what}`, { timeout: 120_000 }, async () => {
    const { page, context } = await told(browser, fakes.url, ["a"], options);
    const session = await context.newCDPSession(page);
    await session.send("Emulation.setEmulatedVisionDeficiency", { type: deficiency ?? "none" });
    // The picture has a second of each ReplicaSet, whose pods are ready, and some of failures. Then it stands still.
    const { looks, late } = await page.evaluate(async () => {
      const now = performance.timeOrigin + performance.now();
      const names = ["5d79c7596", "6f8b9d4c7", "7d9f8c6b5", "84c5d6f7b", "9b8d7c6f5", "bcdf45678"].map((hash) => `chester-${hash}-bcdfg`);
      window.tell("pods", 130, { all: true, pods: names.map((name, i) => ({ ...window.pod(String(i), "1.0", "ready"), name })) });
      const marks = (from, to, of) => Array.from({ length: 20 }, (_, i) => [now + (from + ((to - from) * i) / 20) * 1000, 1, 0, 0, ...of]);
      window.tell("traffic", 0, { marks: [...names.flatMap((name, i) => marks(-19 + 2 * i, -18 + 2 * i, ["ok", name, "1.0", null])), ...marks(-7, -4, ["reset", null, null, null])] });
      // The first one is drawn before the second one begins.
      for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
      const late = (performance.timeOrigin + performance.now() - now) / 1000;
      window.requestAnimationFrame = () => 0;
      return { looks: window.page.live.sets.list().map(({ look }) => look), late };
    });
    assert.deepEqual([...looks].sort(), [0, 1, 2, 3, 4, 5]);
    const drawn = await pixels(page.locator("#lanes canvas"));
    /** The colour that is most apart from the lane within these seconds. */
    const lane = drawn.at(drawn.width - 40, 20);
    const farthest = (from, to) => {
      let most = lane;
      for (let x = Math.round(drawn.width * (1 + (from - late) / 20)); x < drawn.width * (1 + (to - late) / 20); x++) {
        for (let y = 14; y < 44; y++) if (apart(drawn.at(x, y), lane) > apart(most, lane)) most = drawn.at(x, y);
      }
      return most;
    };
    const failure = farthest(-6, -4.5);
    assert.ok(contrast(failure, lane) >= 3, `failures ${failure} on the lane ${lane}`);
    looks.forEach((look, i) => {
      const mark = farthest(-18.7 + 2 * i, -18.3 + 2 * i);
      assert.ok(contrast(mark, lane) >= 3, `v${look}: ${mark} on the lane ${lane}: ${contrast(mark, lane)}`);
      assert.ok(apart(mark, failure) > 55, `v${look}: ${mark} beside failures ${failure}`);
    });
    // The bars of two ReplicaSets are no two alike, by their colours or by their pieces. Their text stands at the left.
    const bars = looks.map((_, row) => Array.from({ length: 16 }, (_, i) => drawn.at(drawn.width - 40, 104 + row * 18 + i)));
    bars.forEach((bar, i) => bars.slice(0, i).forEach((other) => {
      const differ = bar.filter((pixel, y) => apart(pixel, other[y]) > 55).length;
      assert.ok(differ >= 2, `${JSON.stringify(bar)} and ${JSON.stringify(other)}`);
    }));
    if (deficiency || options.forcedColors) return context.close();
    // Versions are written in these colours too.
    await page.evaluate((names) => {
      const row = document.body.appendChild(document.createElement("div"));
      row.id = "row";
      row.style.cssText = "position:fixed;top:0;left:0;z-index:9;display:flex";
      for (const name of names) row.appendChild(document.createElement("i")).style.cssText = `width:10px;height:10px;background:var(--${name})`;
    }, ["raised", ...LOOKS]);
    const { at } = await pixels(page.locator("#row"));
    LOOKS.forEach((look, i) => assert.ok(contrast(at(15 + 10 * i, 5), at(5, 5)) >= 4.5, `${look} as text: ${contrast(at(15 + 10 * i, 5), at(5, 5))}`));
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
