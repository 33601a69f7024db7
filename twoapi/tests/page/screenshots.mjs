// Screenshots of eight states, in both languages and both themes: `make screenshots`. They are made
// by real pairs, not drawn: an update, an update of a twin that loses requests, a burn, and so on.

import { mkdirSync } from "node:fs";
import { cards, launch, view } from "./browser.mjs";
import { Service, sleep } from "./pairs.mjs";

const folder = process.argv[2] ?? "screenshots";
mkdirSync(folder, { recursive: true });

const browser = await launch();
const twin = await new Service(32, { DRAIN_DELAY: "0s" }, 1000).start();
const single = await new Service(31).start();
const both = await new Service(33, { TWIN_PODS_NAME: twin.names, TWIN_TRAFFIC_URL: `${twin.url}/test/calloneapi` }).start();
const services = [single, both, twin];

/** A viewer that has twenty requests a second sent. */
async function viewer(url, options = {}) {
  const seen = await view(browser, url, options);
  await seen.page.getByText("20", { exact: true }).click();
  return seen;
}

/** One state in four looks. It goes on meanwhile, by a second or so. */
async function shoot(state, { page }) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    for (const language of ["en", "zh"]) {
      await page.evaluate((lang) => {
        const button = document.getElementById("language");
        if (button.lang === lang) button.click();
      }, language);
      await page.waitForFunction((lang) => document.documentElement.lang.startsWith(lang) && document.getElementById("language").lang !== lang, language);
      await sleep(350);
      await page.screenshot({ path: `${folder}/${state}-${language}-${colorScheme}.png` });
    }
  }
  console.log(state);
}

try {
  for (const service of services) for (let i = 0; i < 3; i++) service.startPod("1.0");
  for (const service of services) await service.ready(3);

  let seen = await viewer(single.url + "/");
  await cards(seen.page).nth(2).waitFor();
  await sleep(12_000);
  await shoot("1-at-rest", seen);

  const update = single.update("1.1");
  await sleep(1500);
  await shoot("2-update", seen);
  await update;
  await seen.page.locator("#changes strong").first().waitFor();
  await shoot("3-verdict", seen);

  await seen.page.locator("#changes button").first().click();
  await seen.page.locator("#replay-at").fill("600");
  await sleep(300);
  await shoot("4-replay", seen);
  await seen.page.locator("#replay-end").click();

  await seen.page.locator("#all").click();
  await seen.page.locator("#millicores").fill("150");
  await seen.page.locator('[data-do="burn"]').click();
  await seen.page.getByText("done on").waitFor();
  await seen.page.keyboard.press("Escape");
  await sleep(8000);
  await shoot("5-burn", seen);
  await seen.context.close();

  seen = await viewer(both.url + "/", { width: 1600, height: 1150 });
  await cards(seen.page).nth(5).waitFor();
  await seen.page.getByText("50", { exact: true }).click();
  await sleep(8000);
  await Promise.all([both.update("1.1"), twin.update("1.1")]);
  await seen.page.locator("#changes li.bad strong").first().waitFor();
  await shoot("6-side-by-side", seen);
  await seen.context.close();

  seen = await viewer(single.url + "/", { width: 390, height: 844 });
  await cards(seen.page).nth(2).waitFor();
  await sleep(8000);
  await shoot("7-phone", seen);
  await seen.context.close();

  seen = await viewer(single.url + "/");
  await cards(seen.page).nth(2).waitFor();
  await sleep(6000);
  await single.stop([...single.pods], "SIGKILL");
  await seen.page.locator("#status.lost").waitFor();
  await shoot("8-no-connection", seen);
} finally {
  await browser.close();
  for (const service of services) await service.end();
}
// Nothing is left to wait for but what a browser keeps open.
process.exit();
