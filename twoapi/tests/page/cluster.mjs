// Watches the page on a cluster through whatever changes there, for the end-to-end test of it:
//
//     node cluster.mjs NAME=URL…
//
// It prints "watching" when each viewer sees pods and answers, and then a line of JSON for each verdict:
// the viewer's name, the verdict, and what the viewer has seen up to then. It goes on until it is
// ended.

import { axeFinds, cards, launch, view } from "./browser.mjs";

const PATIENCE = 60_000;
const viewers = process.argv.slice(2).map((argument) => {
  const [, name, url] = /^(\w+)=(.*)$/.exec(argument);
  return { name, url, told: new Set() };
});
if (!viewers.length) throw new Error("which pages? NAME=URL…");

const browser = await launch();
for (const viewer of viewers) {
  const { page, complaints } = await view(browser, viewer.url, { width: 1440, height: 1200 });
  Object.assign(viewer, { page, complaints });
  await cards(page).first().waitFor({ timeout: PATIENCE });
  await page.locator("#rate").getByText("50", { exact: true }).click();
  await page.waitForFunction(() => window.page.live.labels.every((_, i) => window.page.live.side(i).ok > 50), null, { timeout: PATIENCE });
  // Which versions the cards of each Service show together, in the order of time.
  await page.evaluate(() => {
    // The choice of another rate, above, was a moment without a stream too.
    window.since = Date.now();
    window.seen = window.page.live.labels.map(() => []);
    setInterval(() => {
      document.querySelectorAll("ul.cards").forEach((list, i) => {
        const versions = [...list.querySelectorAll(".card:not(.free):not(.left) .version")].map((it) => it.textContent).filter(Boolean);
        const text = [...new Set(versions)].sort().join(" and ");
        if (window.seen[i].at(-1) !== text) window.seen[i].push(text);
      });
    }, 100);
  });
}
console.log("watching");

for (;;) {
  for (const { name, page, complaints, told } of viewers) {
    const { changes, away_ms, seen, pod } = await page.evaluate(() => ({
      changes: window.page.live.changes.map((change) => change.verdict),
      away_ms: window.page.live.blind.filter(([from]) => from > window.since).map(([from, to]) => (to === Infinity ? null : Math.round(to - from))),
      seen: window.seen,
      pod: window.page.stream.pod,
    }));
    for (const verdict of changes.reverse()) {
      const key = `${verdict.service} ${verdict.at}`;
      if (told.has(key)) continue;
      told.add(key);
      const axe = await axeFinds(page);
      console.log(JSON.stringify({ viewer: name, verdict, seen: seen[verdict.service], away_ms, pod, complaints, axe }));
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
}
