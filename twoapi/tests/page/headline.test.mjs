// The headline: what goes on, what has failed, and the verdict that stays.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { axeFinds, launch } from "./browser.mjs";
import { Fakes } from "./fakes.mjs";
import { told } from "./told.mjs";

let browser, fakes;

before(async () => {
  browser = await launch();
  fakes = await new Fakes(82, 1).start();
});
after(async () => {
  await browser?.close();
  await fakes?.end();
});

/** Each half of the headline: its class, its sentence, its figure and its causes. */
const halves = (page) => page.evaluate(() => [...document.querySelectorAll(".half")].map((half) => [half.className.slice(5), ...["said", "figure", "causes"].map((name) => half.querySelector(`.${name}`).textContent)]));

const until = (page, service, wanted) => page.waitForFunction(([service, wanted]) => document.querySelectorAll(".said")[service]?.textContent.match(wanted), [service, wanted]);

for (const [locale, width] of [["en-US", 1440], ["zh-CN", 390]]) {
  test(`one sentence counts while an update goes on, and becomes its verdict: ${locale}, ${width} px`, { timeout: 180_000 }, async () => {
    const zh = locale === "zh-CN";
    const { page, complaints, context } = await told(browser, fakes.url, ["chesterservice"], { locale, width });
    await page.evaluate(() => {
      window.tell("pods", 30, { all: true, pods: ["a", "b", "c"].map((name) => window.pod(name, "1.0", "ready")) });
      window.answers(25, 20);
    });
    await until(page, 0, zh ? "^1.0：3 个 Pod 中 3 个就绪$" : "^1.0: 3 of 3 Pods ready$");
    assert.deepEqual((await halves(page))[0].slice(0, 3).toSpliced(1, 1), ["rest", zh ? "20 个请求，0 个失败" : "0 failed of 20"]);
    await page.evaluate(() => {
      const fresh = (name, state) => window.pod(name, "1.1", state, { started: [new Date(Date.now()).toISOString(), null] });
      window.tell("pods", 3, { pods: [fresh("x", "ready"), fresh("y", "ready"), fresh("z", "starting"), window.pod("a", "1.0", "stopping", { stop: { since_signal_seconds: 0, drain_seconds: 5, deadline_seconds: 30 } })] });
      window.answers(2, 9);
    });
    await until(page, 0, zh ? "^正在更新 1.0 → 1.1：3 个新 Pod 中 2 个就绪，[\\d.]+ 秒$" : "^Updating 1.0 → 1.1: 2 of 3 new Pods ready, [\\d.]+ s$");
    const before = (await halves(page))[0];
    assert.deepEqual([before[0], before[2]], ["going", zh ? "9 个请求，0 个失败" : "0 failed of 9"]);
    await page.waitForFunction((before) => document.querySelector(".said").textContent !== before, before[1]);
    await page.evaluate(() => window.answers(1, 2, "reset"));
    await page.locator(".half.bad").waitFor();
    const [, , figure, causes] = (await halves(page))[0];
    assert.equal(figure, zh ? "11 个请求，2 个失败" : "2 failed of 11");
    assert.match(causes, zh ? /^2 个被重置，最长无响应时间 \d+ 毫秒（正常 100）$/ : /^2 reset, longest gap \d+ ms \(normal 100\)$/);
    const sizes = await page.evaluate(() => [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility() && one.childNodes[0]?.nodeType === 3).map((one) => [parseFloat(getComputedStyle(one).fontSize), one.className]).sort((a, b) => b[0] - a[0]));
    assert.ok(sizes[0][1] === "figure" && sizes[0][0] > sizes[1][0], `the largest: ${sizes.slice(0, 2)}`);
    await page.evaluate(() => window.tell("pods", 0, { pods: ["x", "y", "z"].map((name) => window.pod(name, "1.1", "ready")), left: ["0/a", "0/b", "0/c"] }));
    await until(page, 0, zh ? "^1.0 → 1.1：3 个 Pod，用时 [\\d.]+ 秒$" : "^1.0 → 1.1: 3 Pods in [\\d.]+ s$");
    assert.deepEqual((await halves(page))[0].toSpliced(1, 1).slice(0, 2), ["bad", zh ? "11 个请求，2 个失败" : "2 failed of 11"]);
    assert.deepEqual(await axeFinds(page), []);
    assert.deepEqual(complaints, []);
    await context.close();
  });
}

test("the verdict on one Service stands beside the other's, green and red, until the counters are reset", { timeout: 180_000 }, async () => {
  const { page, complaints, context } = await told(browser, fakes.url, ["chesterservice", "chestertwin"]);
  await page.evaluate(() => {
    const twins = (version, state, more) => [0, 1].map((service) => window.pod(`${service}${version[2]}`, version, state, { id: `${service}/${version}`, service, ...more }));
    window.tell("pods", 60, { all: true, pods: twins("1.0", "ready") });
    window.tell("pods", 30, { pods: twins("1.1", "ready", { started: [new Date(Date.now()).toISOString(), null] }) });
    window.answers(29, 8);
    window.answers(29, 6, "ok", 1);
    window.answers(28, 2, "refused", 1);
    window.tell("pods", 28, { left: ["0/1.0", "1/1.0"] });
  });
  await until(page, 1, "^1.0 → 1.1: 1 Pod");
  assert.deepEqual((await halves(page)).map(([kind, said, figure]) => [kind, said.slice(0, 16), figure]), [["good", "1.0 → 1.1: 1 Pod", "0 failed of 8"], ["bad", "1.0 → 1.1: 1 Pod", "2 failed of 8"]]);
  assert.deepEqual(await page.locator(".half h3").allInnerTexts(), ["chesterservice", "chestertwin"]);
  const tops = await page.evaluate(() => [...document.querySelectorAll(".figure")].map((figure) => figure.getBoundingClientRect().top));
  assert.equal(tops[0], tops[1], "side by side");
  await page.locator("#reset").click();
  await page.locator(".half.rest").nth(1).waitFor();
  assert.deepEqual((await halves(page)).map(([kind, said, figure]) => [kind, said, figure]), Array(2).fill(["rest", "1.1: 1 of 1 Pod ready", "0 failed of 0"]));
  // A change that begins right after that is a headline.
  await page.evaluate(() => window.tell("pods", 0, { left: ["0/1.1"] }));
  await page.locator(".half.good", { hasText: "1 → 0 Pods" }).waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});
