// The page with pods that real ones can't be made to be: very many, or hostile.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { axeFinds, cards, launch, view } from "./browser.mjs";
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

test("the page is light, and its first paint comes at once", { timeout: 60_000 }, async (t) => {
  const fakes = await new Fakes(64, 3).start();
  const paints = [];
  try {
    for (const locale of ["en-US", "zh-CN", "en-US", "zh-CN", "en-US"]) {
      // Each one has an empty cache.
      const { page, context } = await view(browser, fakes.url + "/", { locale });
      await cards(page).nth(2).waitFor({ timeout: PATIENCE });
      const { paint, sizes } = await page.evaluate(() => {
        const entries = ["navigation", "resource"].flatMap((type) => performance.getEntriesByType(type));
        const files = entries.filter((entry) => !entry.name.includes("/page/events"));
        const sum = (key) => files.reduce((all, file) => all + file[key], 0);
        return {
          paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
          sizes: { files: files.length, plain: sum("decodedBodySize"), sent: sum("encodedBodySize") },
        };
      });
      paints.push(paint);
      t.diagnostic(`${locale}: ${sizes.files} files, ${sizes.plain} bytes, ${sizes.sent} as sent; first paint after ${paint.toFixed(0)} ms`);
      assert.equal(sizes.files, 1, "the document is all");
      assert.ok(sizes.plain < 60_000, `${sizes.plain} bytes`);
      assert.ok(sizes.sent < 20_000, `${sizes.sent} bytes as sent`);
      await context.close();
    }
    const median = paints.sort((a, b) => a - b)[2];
    assert.ok(median < 500, `the first paint comes after ${median} ms`);
  } finally {
    await fakes.end();
  }
});

test("the styles that a browser reads in the document are those of the style sheet", { timeout: 60_000 }, async () => {
  const source = await readFile(new URL("../../page/style.css", import.meta.url), "utf8");
  const fakes = await new Fakes(71, 1).start();
  const { page, context } = await view(browser, fakes.url + "/");
  try {
    // But for the spaces in the values of custom properties, which stay as they are written.
    const [served, written] = await page.evaluate((source) => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(source);
      return [document.styleSheets[0], sheet].map(({ cssRules }) => [...cssRules].map(({ cssText }) => cssText.replaceAll(", ", ",")));
    }, source);
    assert.deepEqual(served, written);
  } finally {
    await context.close();
    await fakes.end();
  }
});

test("a hundred pods stay fluent", { timeout: 120_000 }, async (t) => {
  const fakes = await new Fakes(61, 100).start();
  const { page, complaints, context } = await view(browser, fakes.url + "/");
  try {
    await page.locator("#rate").getByText("50", { exact: true }).click();
    await cards(page).nth(99).waitFor({ timeout: PATIENCE });
    await sleep(2000);
    await page.evaluate(() => {
      Object.assign(window, { frames: [], tasks: [] });
      let last = performance.now();
      const frame = (now) => {
        window.frames.push(now - last);
        last = now;
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
      new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((task) => task.duration))).observe({ type: "longtask" });
    });
    const asked = fakes.asked;
    const seconds = 10;
    for (let i = 0; i < seconds * 5; i++) {
      // Ten pods a second change.
      for (const pod of [2 * i, 2 * i + 1].map((n) => fakes.pods[n % 100])) pod.ready = !pod.ready;
      await sleep(200);
    }
    const { frames, tasks } = await page.evaluate(() => ({ frames: window.frames, tasks: window.tasks }));
    frames.sort((a, b) => a - b);
    const [median, p95] = [0.5, 0.95].map((share) => frames[Math.floor(frames.length * share)]);
    const each = (fakes.asked - asked) / seconds / 100;
    t.diagnostic(`frames: median ${median.toFixed(0)} ms, 95 % within ${p95.toFixed(0)} ms; ${tasks.length} tasks above 50 ms, the longest ${Math.max(0, ...tasks)} ms; ${each.toFixed(1)} requests a second to each pod`);
    assert.ok(median < 50, `half of the frames take more than ${median} ms`);
    assert.ok(Math.max(0, ...tasks) < 300, `a task took ${Math.max(...tasks)} ms`);
    assert.ok(each < 6, `${each} requests a second to each pod`);
    assert.ok(await page.locator(".cards.many").count(), "the cards are small");
    assert.deepEqual(await axeFinds(page), [], "axe-core");
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
    await fakes.end();
  }
});

test("what pods say of themselves is text, whatever it is", { timeout: 120_000 }, async () => {
  const html = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>';
  const endless = (_, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const more = setInterval(() => response.write("[".repeat(10_000)), 5);
    response.on("close", () => clearInterval(more));
    return true;
  };
  const hostile = [
    { name: html, header: html, version: html, info: { node: html, namespace: html } },
    { name: "\u202egnp.exe\u0007\u2066", header: "x", info: { version: "1.0\u0000\u202e\n2", node: "\u202eedon\u001b[31m" } },
    { name: "x".repeat(100_000), header: "x".repeat(8000), version: "y".repeat(8000) },
    { answer: (_, response) => response.writeHead(200).end("\u0000\ufffd{]") },
    { answer: endless },
    { info: { started: html, limits: { cpu_millicores: "many" }, usage: { cpu_seconds: -1e300 }, pod: { a: 1 }, version: ["1.0"], stop: { drain_seconds: html, deadline_seconds: null, since_signal_seconds: html } } },
    { answer: (request, response) => /burns|faults|probes/.test(request.url) && response.writeHead(200).end(JSON.stringify({ length: 1e9, readiness: { last: html } })) },
    { info: { readiness: { ready: false, why: html.repeat(1000) }, faults_allowed: html } },
    // An older version, which doesn't say whether it is ready.
    { info: { readiness: undefined, faults_allowed: undefined } },
    { answer: (_, response) => Boolean(response.socket.destroy()) },
    // Answers the head of its response and nothing more.
    { answer: (_, response) => Boolean(response.writeHead(200, { "content-length": 10 }).flushHeaders() ?? true) },
    {},
  ];
  const fakes = await new Fakes(62, hostile.length, (number) => hostile[number - 1]).start();
  const { page, complaints, context } = await view(browser, fakes.url + "/");
  try {
    await page.locator("#rate").getByText("20", { exact: true }).click();
    await page.locator(".card.ready").getByText("p012").waitFor({ timeout: PATIENCE });
    await page.waitForFunction(() => window.page.live.side(0).ok > 100, null, { timeout: PATIENCE });
    assert.equal(await page.evaluate(() => window.hacked), undefined, "no script of a pod runs");
    assert.equal(await page.locator("main img, main script").count(), 0, "and nothing of its HTML is there");
    const text = await page.locator("main").innerText();
    assert.ok(!/[\u0000-\u0008\u000e-\u001f\u202a-\u202e\u2066-\u2069]/.test(text), JSON.stringify(text));
    assert.ok(!/NaN|undefined|\[object|Infinity/.test(text), text);
    await page.locator("#try").click();
    const commands = await page.locator("#commands code").allInnerTexts();
    assert.equal(commands.length, 9);
    assert.equal(commands.pop(), `${fakes.url}/?watch`);
    for (const command of commands) assert.match(command, /^(kubectl|make) [\w ./=-]+$/, "a command to copy into a shell");
    await page.locator("#lessons [value=close]").click();
    const longest = await page.evaluate(() => Math.max(...window.page.live.marks.map((mark) => Math.max(mark.pod.length, mark.version.length))));
    assert.ok(longest <= 256, `a mark has a name of ${longest} characters`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `the page is ${wide} px too wide`);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
    await fakes.end();
  }
});

test("cards are in the order of their names, and a long name without hyphens hides nothing", { timeout: 60_000 }, async () => {
  const names = ["web-2", "x".repeat(63), "web-1", ...Array.from({ length: 23 }, (_, i) => `db-${i + 10}`)];
  for (const [network, count] of [[67, 3], [68, names.length]]) {
    const fakes = await new Fakes(network, count, (number) => ({ name: names[number - 1] })).start();
    const { page, complaints, context } = await view(browser, fakes.url + "/");
    try {
      await cards(page).nth(count - 1).waitFor({ timeout: PATIENCE });
      const sorted = names.slice(0, count).sort().join();
      await page.waitForFunction((sorted) => [...document.querySelectorAll(".card:not(.free) .name")].map((name) => name.textContent).join() === sorted, sorted, { timeout: PATIENCE });
      const hidden = await page.evaluate(() => [...document.querySelectorAll(".card:not(.free)")].filter((card) => {
        const bottom = card.querySelector(".state").getBoundingClientRect().bottom;
        return bottom > card.getBoundingClientRect().bottom;
      }).map((card) => card.textContent));
      assert.deepEqual(hidden, [], "each state is seen");
      // A card that is moved keeps the focus.
      await cards(page).first().locator(".act").focus();
      const before = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
      fakes.pods[0].name = "a-1";
      await page.waitForFunction(() => document.querySelector(".card:not(.free):not(.left) .name")?.textContent === "a-1", null, { timeout: PATIENCE });
      assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), before);
      assert.deepEqual(complaints, []);
    } finally {
      await context.close();
      await fakes.end();
    }
  }
});

test("the dark page is printed dark on white", { timeout: 60_000 }, async () => {
  const fakes = await new Fakes(69, 2).start();
  const { page, complaints, context } = await view(browser, fakes.url + "/", { colorScheme: "dark" });
  try {
    await cards(page).nth(1).waitFor({ timeout: PATIENCE });
    /** How bright the ground, the text and a lane are, from 0 to 255. */
    const brightness = () => page.evaluate(() => {
      const mean = (numbers) => numbers.slice(0, 3).reduce((a, b) => Number(a) + Number(b)) / 3;
      const { backgroundColor, color } = getComputedStyle(document.body);
      const lane = document.querySelector("#lanes canvas").getContext("2d").getImageData(200, 40, 1, 1).data;
      return [backgroundColor.match(/\d+/g), color.match(/\d+/g), [...lane]].map(mean);
    });
    const isDark = ([ground, text, lane]) => ground < 50 && text > 200 && lane < 50;
    const isLight = ([ground, text, lane]) => ground > 200 && text < 50 && lane > 200;
    for (const choose of [false, true]) {
      if (choose) for (const _ of ["light", "dark"]) await page.locator("#theme").click();
      assert.ok(isDark(await brightness()), `on the screen: ${await brightness()}`);
      await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
      assert.ok(isLight(await brightness()), `on paper: ${await brightness()}`);
      await page.evaluate(() => dispatchEvent(new Event("afterprint")));
      assert.ok(isDark(await brightness()), `on the screen again: ${await brightness()}`);
    }
    assert.deepEqual(complaints.filter((complaint) => !complaint.includes("willReadFrequently")), []);
  } finally {
    await context.close();
    await fakes.end();
  }
});

test("a name that somebody else has let lead to the page can look and not act", { timeout: 60_000 }, async () => {
  const fakes = await new Fakes(63, 2).start({ PAGE_HOSTS: "lab.example.com" });
  const own = new URL(fakes.url).hostname;
  // As the DNS of such a name would, at the moment at which it suits its owner.
  const rebound = await launch(`--host-resolver-rules=MAP *.example ${own},MAP *.example.com ${own},MAP lab ${own}`);
  try {
    for (const [host, refused] of [["evil.example", true], ["lab.example.com", false], ["lab", false], [own, false]]) {
      const { page, context } = await view(rebound, `http://${host}:5202/`);
      await cards(page).nth(1).waitFor({ timeout: PATIENCE });
      await page.locator("#all").click();
      await page.locator("[data-do='end burns']").click();
      await page.waitForFunction(() => document.getElementById("answer").textContent.length > 1, null, { timeout: PATIENCE });
      const answer = await page.locator("#answer").innerText();
      assert.equal(answer.includes("PAGE_HOSTS"), refused, `${host}: ${answer}`);
      assert.equal(answer === "oneapi: done on 2 of 2 Pods", !refused, `${host}: ${answer}`);
      await context.close();
    }
  } finally {
    await rebound.close();
    await fakes.end();
  }
});

test("the panel of a pod says which of its probes spoke HTTP/2", { timeout: 60_000 }, async () => {
  const asked = (protocol, status = 200) => [{ status: 200, protocol: "HTTP/1.1" }, { status, protocol }];
  const answer = (request, response) => request.url === "/probes" &&
    response.writeHead(200).end(JSON.stringify({ liveness: asked("HTTP/2"), readiness: asked("HTTP/2", 503), startup: asked("HTTP/1.1"), grpc: asked("gRPC") }));
  const fakes = await new Fakes(70, 1, () => ({ answer })).start();
  const { page, complaints, context } = await view(browser, fakes.url + "/");
  try {
    await page.locator(".act").click({ timeout: PATIENCE });
    const probes = "probes: liveness HTTP/2 200, readiness HTTP/2 503, startup 200, grpc 200";
    for (const container of ["oneapi", "twoapi"]) await page.locator("#facts li", { hasText: `${container}: ready, CPU ` }).getByText(probes).waitFor({ timeout: PATIENCE });
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
    await fakes.end();
  }
});
