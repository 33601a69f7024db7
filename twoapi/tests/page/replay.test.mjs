// What the page says of two Services at once: beside the rate that somebody else has chosen, in a replay, and in the
// verdict on what follows a change that was cut.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, seek } from "./browser.mjs";
import { Fakes } from "./fakes.mjs";
import { told } from "./told.mjs";

let browser, fakes;

before(async () => {
  browser = await launch();
  fakes = await new Fakes(85, 1).start();
});
after(async () => {
  await browser?.close();
  await fakes?.end();
});

const shoot = async (page, name) => {
  if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${name}.png` });
};

for (const locale of ["en-US", "zh-CN"]) {
  const zh = locale === "zh-CN";

  test(`the rate that another viewer has chosen moves nothing: ${locale}`, { timeout: 120_000 }, async () => {
    const { page, complaints, context } = await told(browser, fakes.url, ["a", "b"], { locale, colorScheme: "light" });
    const sent = async (rate) => {
      await page.evaluate((rate) => window.tell("status", 0, { viewers: 2, rate }), rate);
      await page.waitForFunction((isOther) => Boolean(document.getElementById("sent").textContent) === isOther, rate !== 10);
    };
    const place = () => page.evaluate(() => ["main", "#problem"].map((one) => {
      const { left, top, width } = document.querySelector(one).getBoundingClientRect();
      return [one, left, top, width];
    }));
    for (const width of [390, 800, 1024, 1280, 1366, 1440, 1540]) {
      await page.setViewportSize({ width, height: 960 });
      await sent(10);
      const before = await place();
      await sent(20);
      await shoot(page, `sent-${locale}-${width}`);
      assert.deepEqual(await place(), before, `${width} px`);
    }
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test(`a replay has the Pods of both Services as they were, and no later ones: ${locale}`, { timeout: 120_000 }, async () => {
    const { page, complaints, context } = await told(browser, fakes.url, ["a", "b"], { locale, colorScheme: "light" });
    await page.evaluate(() => {
      const pod = (service, name, version, state, more) => window.pod(name, version, state, { id: `${service}/${name}`, service, ...more });
      const started = (ago) => ({ started: [new Date(Date.now() - ago * 1000).toISOString(), null] });
      const stop = { since_signal_seconds: 0, drain_seconds: 1.3, deadline_seconds: 30 };
      window.tell("pods", 60, { all: true, pods: [pod(0, "aa", "1.0", "ready"), pod(0, "ab", "1.0", "ready"), pod(1, "ba", "1.0", "ready"), pod(1, "bb", "1.0", "ready")] });
      for (let ago = 50; ago > 20; ago -= 1) for (const service of [0, 1]) window.answers(ago, 2, "ok", service);
      window.tell("pods", 20, { pods: [pod(0, "ac", "1.1", "ready", started(20))] });
      window.tell("pods", 19, { pods: [pod(1, "bc", "1.1", "ready", started(19)), pod(0, "aa", "1.0", "stopping", { stop })] });
      window.answers(19, 5);
      window.tell("pods", 18, { left: ["0/aa"] });
      window.tell("pods", 17, { left: ["1/ba"] });
      window.tell("pods", 4, { pods: [pod(0, "ad", "1.1", "ready", started(4))] });
    });
    const replays = page.locator("#changes li button:first-of-type");
    await replays.nth(2).waitFor();
    const seen = () => page.evaluate(() => ({
      said: [...document.querySelectorAll(".said")].map((said) => said.textContent),
      causes: [...document.querySelectorAll(".causes")].map((causes) => causes.textContent),
      cards: [...document.querySelectorAll(".card:not(.free)")].map((card) => `${card.querySelector(".name").textContent.split("-").at(-1)} ${card.querySelector(".state").textContent}`).sort(),
      details: [...document.querySelectorAll(".left .detail")].filter((one) => one.textContent && one.checkVisibility({ visibilityProperty: true })).map((one) => one.textContent),
    }));
    const drawn = () => page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 400)));
    const show = async (share) => {
      await seek(page, share);
      await drawn();
    };
    const ready = zh ? "就绪" : "ready";
    const rest = zh ? "1.0：2 个 Pod 中 2 个就绪" : "1.0: 2 of 2 Pods ready";
    // The first one of the list is that of the Pod which came last.
    for (const i of [1, 2]) {
      await replays.nth(i).click();
      await drawn();
      await show(0.1);
      await shoot(page, `replay-${locale}-${i}-begin`);
      let { said, causes, cards } = await seen();
      assert.deepEqual(said, [rest, rest]);
      assert.deepEqual(cards, ["aa", "ab", "ba", "bb"].map((name) => `${name} ${ready}`));
      for (const one of causes) assert.doesNotMatch(one, /–/);
      await show(1);
      await shoot(page, `replay-${locale}-${i}-end`);
      ({ said, causes, cards } = await seen());
      for (const one of said) assert.match(one, zh ? /^正在更新 1.0 → 1.1：1 个新 Pod 中 1 个就绪/ : /^Updating 1.0 → 1.1: 1 of 1 new Pod ready/);
      assert.match(causes[0], zh ? /正常 100/ : /normal 100/);
      assert.deepEqual(cards.filter((card) => card.endsWith(ready)), ["ab", "ac", "bb", "bc"].map((name) => `${name} ${ready}`));
      assert.deepEqual((await seen()).details, [], "what has ended accepts nothing");
      await page.locator("#replay-play").click();
      await page.locator("#replay-play", { hasText: zh ? "暂停" : "Pause" }).waitFor();
      await page.waitForFunction(() => Number(document.getElementById("replay-at").value) < 1000);
      await show(0.1);
      assert.deepEqual((await seen()).cards, ["aa", "ab", "ba", "bb"].map((name) => `${name} ${ready}`), "back at its beginning");
      await page.locator("#replay-end").click();
      await drawn();
      assert.deepEqual((await seen()).cards, ["ab", "ac", "ad", "bb", "bc"].map((name) => `${name} ${ready}`), "and live again");
    }
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test(`the verdict on what follows a cut counts time and requests from the same moment: ${locale}`, { timeout: 120_000 }, async () => {
    const { page, complaints, context } = await told(browser, fakes.url, ["a", "b"], { locale, colorScheme: "light" });
    await page.evaluate(() => {
      window.tell("pods", 60, { all: true, pods: ["a", "b"].map((name) => window.pod(name, "1.0", "ready")) });
      for (let tenths = 550; tenths > 0; tenths--) {
        window.answers(tenths / 10, 1);
        if (tenths === 500) window.tell("pods", 49.95, { pods: [window.pod("a", "1.0", "not ready")] });
        if (tenths === 197) window.tell("pods", 19.65, { pods: [window.pod("a", "1.0", "ready")] });
      }
    });
    await page.locator("#changes li").nth(1).waitFor();
    await shoot(page, `cut-${locale}`);
    const verdicts = await page.locator("#changes p").allInnerTexts();
    assert.match(verdicts[0], zh ? /^a：1.0：就绪状态变化，5 个请求/ : /^a: 1.0: readiness changed, 5 requests/);
    assert.match(verdicts[1], zh ? /^a：1.0：就绪状态变化，持续 27.1 秒，271 个请求.*1 个未就绪/ : /^a: 1.0: readiness changed for 27.1 s, 271 requests.*1 not ready/);
    assert.deepEqual(complaints, []);
    await context.close();
  });
}
