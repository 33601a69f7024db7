// Half an hour of fifty requests a second in a browser: `scripts/test-page.sh endurance MINUTES`. It
// prints what the page needs at intervals, and ends with an error if that grows. The page keeps three
// minutes of what has happened, so the figures before that don't count.

import assert from "node:assert/strict";
import { cards, launch, view } from "./browser.mjs";
import { Service, sleep } from "./pairs.mjs";

const minutes = Number(process.argv[2] ?? 30);
assert.ok(minutes > 0, "how many minutes? A number above 0");
const WARM_MINUTES = 4;
/** What the heap may have grown by at the end; its figures are those after a collection. */
const GROWTH = 1.1;

const browser = await launch();
const service = await new Service(41).start();
const rows = [];
try {
  for (let i = 0; i < 3; i++) service.startPod("1.0");
  await service.ready(3);
  const { page, complaints, context } = await view(browser, service.url + "/");
  const debug = await context.newCDPSession(page);
  await debug.send("Performance.enable");
  await cards(page).nth(2).waitFor({ timeout: 30_000 });
  await page.locator("#rate").getByText("50", { exact: true }).click();
  const start = Date.now();
  console.log("minutes  heap MB  DOM nodes  listeners  marks kept  requests  failed");
  const interval = Math.min(1, minutes / 4);
  for (let at = 0; at <= minutes; at += interval) {
    await sleep(start + at * 60_000 - Date.now());
    await debug.send("HeapProfiler.collectGarbage");
    const { metrics } = await debug.send("Performance.getMetrics");
    const metric = (name) => metrics.find((it) => it.name === name).value;
    const { kept, ok, failed } = await page.evaluate(() => ({ kept: window.page.live.marks.length, ...window.page.live.side(0) }));
    const row = { at, heap: metric("JSHeapUsedSize") / 1e6, nodes: metric("Nodes"), listeners: metric("JSEventListeners") };
    rows.push(row);
    console.log(at.toFixed(1).padStart(7), row.heap.toFixed(2).padStart(8), String(row.nodes).padStart(10), String(row.listeners).padStart(10), String(kept).padStart(11), String(ok + failed).padStart(9), String(failed).padStart(7));
  }
  const { ok } = await page.evaluate(() => window.page.live.side(0));
  assert.ok(ok > minutes * 60, `${ok} requests were answered: that is no load`);
  const warm = rows.filter((row) => row.at >= WARM_MINUTES);
  if (warm.length > 1) {
    const [first, last] = [warm[0], warm.at(-1)];
    assert.ok(last.heap < first.heap * GROWTH, `the heap grew from ${first.heap} to ${last.heap} MB`);
    assert.ok(last.nodes < first.nodes + 100, `there were ${first.nodes} DOM nodes, and there are ${last.nodes}`);
    assert.ok(last.listeners < first.listeners + 20, "no listeners are left behind");
  }
  assert.deepEqual(complaints, []);
} finally {
  await browser.close();
  await service.end();
}
process.exit();
