// What the page says, compared with counts of the pods' own.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { cards, launch, view } from "./browser.mjs";
import { Fakes } from "./fakes.mjs";
import { sleep } from "./pairs.mjs";

const PATIENCE = 60_000;
let browser;

before(async () => {
  browser = await launch();
});
after(async () => {
  await browser?.close();
});

/** A page that sees so many pods, and sends requests at this rate. */
async function watching(fakes, count, rate, options) {
  const seen = await view(browser, fakes.url + "/", options);
  await cards(seen.page).nth(count - 1).waitFor({ timeout: PATIENCE });
  await seen.page.locator("#rate label").getByText(rate, { exact: true }).click();
  await seen.page.waitForFunction(() => window.page.live.side(0).ok > 20, null, { timeout: PATIENCE });
  return seen;
}

const state = (page) => page.evaluate(() => {
  const { live } = window.page;
  const { failed, gap } = live.side(0);
  return { failed, gap, verdicts: live.changes.map(({ verdict }) => verdict), open: Boolean(live.side(0).open) };
});

/** Waits for so many verdicts, and that nothing goes on. */
async function judged(page, count) {
  await page.waitForFunction((count) => window.page.live.changes.length >= count && !window.page.live.side(0).open, count, { timeout: PATIENCE });
  return state(page);
}

test("after a killed pod the counter and the verdict say what the pods have counted", { timeout: 60_000 }, async () => {
  const fakes = await new Fakes(72, 3).start();
  const { page, complaints, context } = await watching(fakes, 3, "50");
  try {
    assert.equal(fakes.counts.failed, 0);
    fakes.pods[0].gone = true;
    // The page asks the pod, which doesn't answer: it knows after a second.
    while (fakes.counts.failed < 5) await sleep(5);
    assert.equal((await state(page)).verdicts.length, 0);
    fakes.pods[0].removed = true;
    const { failed, verdicts } = await judged(page, 1);
    assert.equal(failed, fakes.counts.failed);
    assert.deepEqual(verdicts.map((verdict) => [verdict.kind, verdict.failed]), [["scale", failed]]);
    assert.match(await page.locator(".since").innerText(), new RegExp(`: ${failed} failed of `));
    assert.match(await page.locator(".figure").innerText(), new RegExp(`^${failed} failed of `));
    assert.match(await page.locator("#changes strong").innerText(), /^3 → 2 Pods$/);
    assert.match(await page.locator("#changes p").innerText(), new RegExp(`, ${failed} failed`));
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
    await fakes.end();
  }
});

for (const locale of ["en-US", "zh-CN"]) {
  test(`an outage without a change of pods stands under the changes, and counts while it goes on: ${locale}`, { timeout: 60_000 }, async () => {
    const fakes = await new Fakes(73, 3).start();
    const { page, complaints, context } = await watching(fakes, 3, "20", { locale });
    try {
      const fails = (request, response) => request.url === "/test/calloneapi" && response.writeHead(500).end();
      for (const pod of fakes.pods) pod.answer = fails;
      const begin = Date.now();
      await page.locator("#status.silent").waitFor({ timeout: PATIENCE });
      assert.match(await page.locator("#status").innerText(), locale === "zh-CN" ? /^1 秒无响应 · 实时/ : /^No answer for 1 s · Live/);
      // While it goes on, its figures are there and grow.
      const said = page.locator(".said", { hasText: locale === "zh-CN" ? "请求失败，3 个 Pod 中 3 个就绪，4." : "Requests fail, 3 of 3 Pods ready, 4." });
      await said.waitFor({ timeout: PATIENCE });
      const { gap } = await state(page);
      assert.ok(gap > 3800 && gap < Date.now() - begin + 500, `a gap of ${gap} ms after ${Date.now() - begin} ms`);
      while (Date.now() - begin < 8000) await sleep(20);
      for (const pod of fakes.pods) delete pod.answer;
      const lasted = Date.now() - begin;
      await page.locator("#status.live").waitFor({ timeout: PATIENCE });
      const { failed, verdicts } = await judged(page, 1);
      assert.ok(failed > 100, `${failed} failed`);
      assert.equal(failed, fakes.counts.failed);
      assert.deepEqual(verdicts.map((verdict) => [verdict.kind, verdict.failed, verdict.outcomes]), [["outage", failed, { "status 500": failed }]]);
      for (const ms of [verdicts[0].seconds * 1000, verdicts[0].longest_gap_ms]) assert.ok(Math.abs(ms - lasted) < 300, `${ms} ms of ${lasted}`);
      assert.deepEqual(complaints, []);
    } finally {
      await context.close();
      await fakes.end();
    }
  });
}

test("a page that is opened during an outage says that nothing is answered", { timeout: 60_000 }, async () => {
  const fails = (request, response) => request.url === "/test/calloneapi" && response.writeHead(500).end();
  const fakes = await new Fakes(74, 2, () => ({ answer: fails })).start();
  const { page, complaints, context } = await view(browser, fakes.url + "/");
  try {
    await page.locator("#status", { hasText: "No answer for 3 s" }).waitFor({ timeout: PATIENCE });
    const { gap, failed } = await state(page);
    assert.ok(gap >= 3000 && failed >= 20, `${failed} failed, with a gap of ${gap} ms`);
    assert.equal(await page.evaluate(() => window.page.live.side(0).ok), 0);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
    await fakes.end();
  }
});

test("a change lasts as long as what has happened: a readiness that fails, and a scale-down", { timeout: 90_000 }, async () => {
  const fakes = await new Fakes(75, 3).start();
  const { page, complaints, context } = await watching(fakes, 3, "10");
  const about = (seconds, ms) => assert.ok(Math.abs(seconds * 1000 - ms) < 700, `${seconds} s, of ${ms} ms`);
  try {
    let begin = Date.now();
    fakes.pods[0].ready = false;
    // Longer than any state that the page takes for the last one.
    await sleep(15_000);
    fakes.pods[0].ready = true;
    let lasted = Date.now() - begin;
    let { verdicts } = await judged(page, 1);
    assert.deepEqual(verdicts.map((verdict) => [verdict.kind, verdict.failed]), [["readiness", 0]]);
    about(verdicts[0].seconds, lasted);
    begin = Date.now();
    for (const pod of fakes.pods.slice(1)) Object.assign(pod, { removed: true, info: { stop: { since_signal_seconds: 0, drain_seconds: 1, deadline_seconds: 9 } } });
    await sleep(4000);
    for (const pod of fakes.pods.slice(1)) pod.answer = (_, response) => Boolean(response.socket.destroy());
    lasted = Date.now() - begin;
    ({ verdicts } = await judged(page, 2));
    assert.deepEqual([verdicts[0].kind, verdicts[0].before, verdicts[0].pods], ["scale", 3, 1]);
    about(verdicts[0].seconds, lasted);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
    await fakes.end();
  }
});

test("opening the page beside a canary is no change, and a version that is added is no update", { timeout: 90_000 }, async () => {
  const fakes = new Fakes(76, 3);
  // One that gets requests a little later, and one that is found later too.
  Object.assign(fakes.pods[1], { version: "1.1", removed: true });
  Object.assign(fakes.pods[2], { version: "1.2", removed: true, gone: true });
  await fakes.start({ PODS_NAME: [1, 2, 3, 4].map((i) => `127.0.76.${i}`).join() });
  const { page, complaints, context } = await watching(fakes, 2, "10");
  try {
    await sleep(3000);
    for (const pod of fakes.pods) pod.removed = pod.gone = false;
    await page.waitForFunction(() => ["1.1", "1.2"].every((version) => window.page.live.marks.some((mark) => mark.version === version)), null, { timeout: PATIENCE });
    await cards(page).nth(2).waitFor({ timeout: PATIENCE });
    await sleep(4000);
    const { verdicts, open } = await state(page);
    assert.deepEqual([verdicts, open], [[], false]);
    assert.equal(await page.locator("#changes button").count(), 0, "there is nothing to replay");
    const began = new Date(Date.now() - 1000).toISOString();
    fakes.pods.push({ ...fakes.pods[0], ip: "127.0.76.4", name: "chesterdeployment-6f8b9d4c7-p004", version: "1.3", info: { started: began } });
    const after = await judged(page, 1);
    assert.deepEqual(after.verdicts.map((verdict) => [verdict.kind, verdict.pods, verdict.to]), [["added", 1, ["1.0", "1.1", "1.2", "1.3"]]]);
    assert.match(await page.locator("#changes strong").innerText(), /^1\.0 \+ 1\.1 \+ 1\.2 \+ 1\.3: 1 Pod added in [12][\d.]* s$/);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
    await fakes.end();
  }
});

for (const locale of ["en-US", "zh-CN"]) {
  test(`the rate that is shown is the one that is sent, and a gap stands beside what it makes normal: ${locale}`, { timeout: 60_000 }, async () => {
    const zh = locale === "zh-CN";
    const fakes = await new Fakes(78, 2).start();
    const { page, complaints, context } = await watching(fakes, 2, "10", { locale });
    try {
      const sent = page.locator("#sent");
      assert.equal(await sent.innerText(), "");
      await page.locator(".causes", { hasText: zh ? "（正常 100）" : "(normal 100)" }).waitFor({ timeout: PATIENCE });
      // Another viewer, who goes on when this one wants none.
      const other = await watching(fakes, 2, "20");
      await page.locator("#rate label").getByText("0", { exact: true }).click();
      await sent.getByText(zh ? "实际发送 20，由其他观看者选择" : "20 are sent, another viewer's choice", { exact: true }).waitFor({ timeout: PATIENCE });
      await page.locator("#status", { hasText: zh ? "此 Pod 有 2 个观看者" : "2 viewers of this Pod" }).waitFor({ timeout: PATIENCE });
      if (process.env.SHOTS) for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        await sleep(300);
        await page.screenshot({ path: `${process.env.SHOTS}/rate-${locale}-${colorScheme}.png` });
      }
      // Counters that are reset have what was sent since.
      const before = fakes.counts.answered;
      await page.locator("#reset").click();
      await sleep(3000);
      const [ok, since] = [await page.evaluate(() => window.page.live.side(0).ok), fakes.counts.answered - before];
      assert.ok(Math.abs(ok - since) <= 8 && ok > 45, `${ok} of ${since}`);
      assert.match(await page.locator(".since").innerText(), zh ? /^自 [\d:]+ 以来$/ : /^Since [\d:]+ [AP]M$/);
      await other.context.close();
      await page.waitForFunction(() => document.getElementById("sent").textContent === "", null, { timeout: PATIENCE });
      assert.deepEqual(complaints, []);
    } finally {
      await context.close();
      await fakes.end();
    }
  });
}

for (const locale of ["en-US", "zh-CN"]) {
  const zh = locale === "zh-CN";
  const shoot = async (page, name) => {
    if (process.env.SHOTS) for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await sleep(300);
      await page.screenshot({ path: `${process.env.SHOTS}/${name}-${locale}-${colorScheme}.png` });
    }
  };

  test(`after an exception in the browser the page goes on, and says that it has failed: ${locale}`, { timeout: 60_000 }, async () => {
    const fakes = await new Fakes(79, 2).start();
    try {
      // While it draws, and while it takes what the server says.
      for (const once of ["live.podsOf", "live.hear"]) {
        const { page, complaints, context } = await watching(fakes, 2, "10", { locale });
        await page.evaluate((once) => {
          const [owner, name] = once.split(".");
          window.page[owner][name] = function () {
            delete this[name];
            throw new Error("a test's");
          };
        }, once);
        await page.locator("#status.broken", { hasText: zh ? "此页面出错" : "This page has failed" }).waitFor({ timeout: PATIENCE });
        assert.match(await page.locator("#problem").innerText(), zh ? /^此后的数字可能有误，请重新加载。.*a test's/ : /^Its figures may be wrong from now on: reload it\. .*a test's/);
        const shown = () => page.locator(".figure").innerText();
        const before = await shown();
        await page.waitForFunction((before) => document.querySelector(".figure").textContent !== before, before, { timeout: PATIENCE });
        assert.equal(await page.locator("#status").getAttribute("class"), "broken", "it stays so");
        assert.equal(complaints.length, 1, complaints.join());
        await shoot(page, "broken");
        await context.close();
      }
    } finally {
      await fakes.end();
    }
  });

  test(`without a connection no pod is said to be ready: ${locale}`, { timeout: 60_000 }, async () => {
    const fakes = await new Fakes(80, 2).start();
    const { page, context } = await watching(fakes, 2, "10", { locale });
    try {
      const states = () => page.locator(".card .state").allInnerTexts();
      const dot = () => page.evaluate(() => getComputedStyle(document.querySelector(".card .state"), "::before").color);
      assert.deepEqual(await states(), zh ? ["就绪", "就绪"] : ["ready", "ready"]);
      const green = await dot();
      fakes.process.kill("SIGKILL");
      await page.locator("#status.lost").waitFor({ timeout: PATIENCE });
      await page.locator(".card", { hasText: zh ? "最后所见：就绪" : "last seen: ready" }).nth(1).waitFor({ timeout: PATIENCE });
      assert.notEqual(await dot(), green);
      await shoot(page, "lost");
    } finally {
      await context.close();
      await fakes.end();
    }
  });
}

test("a script that doesn't run, or a server that doesn't answer, leaves nothing green", { timeout: 60_000 }, async () => {
  const fakes = await new Fakes(81, 1).start();
  const context = await browser.newContext({ locale: "en-US" });
  const page = await context.newPage();
  const dot = () => page.evaluate(() => {
    const { color, visibility } = getComputedStyle(document.getElementById("status"), "::before");
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = "var(--v2)";
    const green = getComputedStyle(probe).color;
    probe.remove();
    return color === green && visibility === "visible" ? "green" : "not green";
  });
  try {
    // As a proxy does that changes the page, whose policy then forbids the script.
    await page.route(fakes.url + "/", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: (await response.text()).replace('<script type="module">', "$&;") });
    });
    await page.goto(fakes.url + "/");
    assert.equal(await dot(), "not green");
    await page.getByText("This page's script doesn't run.").waitFor({ timeout: PATIENCE });
    assert.equal(await dot(), "not green");
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/no-script.png` });
    await page.unroute(fakes.url + "/");
    // Nor does a stream that never begins.
    await page.route("**/page/events*", () => {});
    await page.goto(fakes.url + "/");
    await page.locator("#status", { hasText: "Loading" }).waitFor({ timeout: PATIENCE });
    assert.equal(await dot(), "not green");
    await page.locator("#status.lost").waitFor({ timeout: 12_000 });
  } finally {
    await context.close();
    await fakes.end();
  }
});
