// What a reader of the screen is told, and where the focus stays.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { Fakes } from "./fakes.mjs";
import { told, update } from "./told.mjs";

let browser, fakes;

before(async () => {
  browser = await launch();
  fakes = await new Fakes(84, 1).start();
});
after(async () => {
  await browser?.close();
  await fakes?.end();
});

const rest = (page) => page.evaluate(() => {
  window.tell("pods", 60, { all: true, pods: ["a", "b", "c"].map((name) => window.pod(`k${name}`, "1.0", "ready")) });
  window.answers(59, 20);
});

test("one polite sentence in four seconds tells what goes on, what has failed, and the verdict; viewers aren't told", { timeout: 120_000 }, async () => {
  const { page, complaints, context } = await told(browser, fakes.url);
  assert.equal(await page.locator("[aria-live], [role=status]:not(#answer), [role=alert]").count(), 1);
  await page.evaluate(() => {
    window.said = [];
    const region = document.querySelector("[aria-live=polite]");
    new MutationObserver(() => window.said.push({ at: performance.now(), text: region.textContent })).observe(region, { childList: true, characterData: true, subtree: true });
  });
  const said = (wanted) => page.waitForFunction((wanted) => window.said.some(({ text }) => text.match(wanted)), wanted);
  await rest(page);
  await said("^1.0: 3 of 3 Pods ready; no request failed$");
  await page.evaluate(() => {
    for (let viewers = 2; viewers < 6; viewers++) window.tell("status", 0, { viewers, rate: 10 });
    window.tell("pods", 0, { pods: ["a", "b", "c"].map((name) => window.pod(name, "1.1", name === "c" ? "starting" : "ready", { started: [new Date().toISOString(), null] })), left: ["0/ka"] });
  });
  await said("^Updating 1.0 → 1.1: 2 of 3 new Pods ready; no request failed$");
  await page.evaluate(() => {
    window.answers(0.1, 2, "reset");
    window.answers(0, 3);
    window.tell("pods", 0, { pods: [window.pod("c", "1.1", "ready")], left: ["0/kb", "0/kc"] });
  });
  await said("^1.0 → 1.1: 3 Pods in [\\d.]+ s; failed: 2$");
  const all = await page.evaluate(() => window.said);
  for (let i = 1; i < all.length; i++) assert.ok(all[i].at - all[i - 1].at > 3900, JSON.stringify(all));
  assert.ok(!JSON.stringify(all).includes("viewer"), JSON.stringify(all));
  assert.deepEqual(complaints, []);
  await context.close();
});

test("the focus stays where it is when a change arrives", { timeout: 120_000 }, async () => {
  const { page, complaints, context } = await told(browser, fakes.url);
  await rest(page);
  await update(page, 50, "x", "k", "1.1");
  const lines = page.locator("#changes strong");
  await lines.first().waitFor();
  const focused = page.getByRole("button", { name: "Copy", exact: true });
  await focused.focus();
  await page.evaluate(() => document.activeElement.addEventListener("blur", () => (window.blurred = true)));
  await update(page, 40, "y", "x", "1.2");
  await lines.nth(1).waitFor();
  await update(page, 1, "z", "y", "1.3");
  await lines.nth(2).waitFor();
  assert.deepEqual(await page.evaluate(() => [document.activeElement.closest("li").textContent.match(/1.\d → 1.\d/)?.[0], document.activeElement.textContent, window.blurred]), ["1.0 → 1.1", "Copy", undefined]);
  // Nor does it go to the top of the page with the card of a pod that has left.
  await page.locator(".card.ready .act").first().focus();
  await page.evaluate(() => window.tell("pods", 0, { left: ["a", "b", "c"].map((name) => `0/z${name}`) }));
  await page.waitForFunction(() => !document.querySelector(".act"));
  assert.equal(await page.evaluate(() => document.activeElement.className), "cards");
  assert.deepEqual(complaints, []);
  await context.close();
});
