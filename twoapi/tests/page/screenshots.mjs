// Screenshots of eight states, in both languages and both themes: `make screenshots`. They are made
// by real pairs, not drawn: an update, an update of a twin that loses requests, a burn, and so on.
// Each is written with a palette of 256 colours, which its few colours fit in. Those that the
// documents show are written into `docs/images` too if that is asked for.

import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import UPNG from "upng-js";
import { cards, launch, seek, view } from "./browser.mjs";
import { Service, sleep } from "./pairs.mjs";

const [folder = "screenshots", documents] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });

/** The states that the documents show, and under which names. */
const SHOWN = { "2-update": "page-update", "6-side-by-side": "page-side-by-side" };

const WIDTH = 1280;

const browser = await launch();
// Pods that drain for longer than a demonstration needs, so that four looks show the same update.
const slow = { DRAIN_DELAY: "8s" };
const single = await new Service(31, slow).start();
const twin = await new Service(32, { DRAIN_DELAY: "0s" }, 600).start();
const both = await new Service(33, { ...slow, TWIN_PODS_NAME: twin.names, TWIN_TRAFFIC_URL: `${twin.url}/test/calloneapi` }).start();
const services = [single, both, twin];

/** A viewer, whose page calls the Services as the manifests do; here they have addresses alone. */
async function viewer(url, rate, options = {}) {
  const seen = await view(browser, url, { width: WIDTH, height: 800, ...options });
  await seen.page.waitForFunction(() => window.page);
  await seen.page.evaluate(() => {
    const { listener } = window.page.stream;
    const { onEvent } = listener;
    listener.onEvent = (name, data) => {
      data.services?.forEach((service, i) => (service.label = ["chesterservice", "chestertwin"][i]));
      onEvent(name, data);
    };
  });
  // Another rate means another stream, which introduces itself again.
  await seen.page.getByText(rate, { exact: true }).click();
  await seen.page.getByRole("heading", { name: "chesterservice" }).or(seen.page.getByText("chesterservice")).first().waitFor();
  return seen;
}

/** Written at the end: to compress them takes this process's time, which the Services need. */
const taken = [];

async function speak(page, language) {
  await page.evaluate((lang) => {
    const button = document.getElementById("language");
    if (button.lang === lang) button.click();
  }, language);
  await page.waitForFunction((lang) => document.documentElement.lang === lang, language);
}

/** One state in four looks. It goes on meanwhile, by a second or so. */
async function shoot(state, { page }) {
  await page.evaluate(() => document.activeElement.blur());
  for (const language of ["en", "zh"]) {
    await speak(page, language);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await sleep(350);
      taken.push({ state, look: `${colorScheme}-${language}.png`, image: await page.screenshot() });
    }
  }
  // What follows looks for English words.
  await speak(page, "en");
  console.log(state);
}

try {
  for (const service of services) for (let i = 0; i < 3; i++) service.startPod("1.0");
  for (const service of services) await service.ready(3);

  let seen = await viewer(single.url + "/", "20");
  await cards(seen.page).nth(2).waitFor();
  await sleep(20_000);
  await shoot("1-at-rest", seen);

  const update = single.update("1.1", {}, 1500);
  await seen.page.waitForFunction(() => document.querySelectorAll(".card.stopping").length > 1);
  await sleep(1000);
  await shoot("2-update", seen);
  await update;
  await seen.page.locator("#changes strong").first().waitFor();
  await sleep(1000);
  await shoot("3-verdict", seen);

  await seen.page.locator("#changes button").first().click();
  await seek(seen.page, 0.4);
  await sleep(300);
  await shoot("4-replay", seen);
  await seen.page.locator("#replay-end").click();

  await seen.page.locator("#all").click();
  await seen.page.locator("#millicores").fill("150");
  await seen.page.locator("#seconds").fill("20");
  await seen.page.locator('[data-do="burn"]').click();
  await seen.page.getByText("done on").waitFor();
  await seen.page.keyboard.press("Escape");
  await sleep(8000);
  await shoot("5-burn", seen);
  await seen.context.close();
  await sleep(8000);

  seen = await viewer(both.url + "/", "20", { height: 1000 });
  await cards(seen.page).nth(5).waitFor();
  await sleep(15_000);
  await Promise.all([both.update("1.1"), twin.update("1.1")]);
  await seen.page.locator("#changes li strong").nth(1).waitFor();
  await sleep(1000);
  await shoot("6-side-by-side", seen);
  await seen.context.close();

  seen = await viewer(single.url + "/", "20", { width: 390, height: 844 });
  await cards(seen.page).nth(2).waitFor();
  await sleep(12_000);
  await shoot("7-phone", seen);
  await seen.context.close();

  seen = await viewer(single.url + "/", "20");
  await cards(seen.page).nth(2).waitFor();
  await sleep(6000);
  // Each language is loaded when it is first spoken, which needs a pod.
  await speak(seen.page, "zh");
  await single.stop([...single.pods], "SIGKILL");
  await seen.page.locator("#status.lost").waitFor();
  await shoot("8-no-connection", seen);
} finally {
  await browser.close();
  for (const service of services) await service.end();
}
for (const { state, look, image } of taken) {
  const { width, height } = UPNG.decode(image);
  const small = UPNG.encode(UPNG.toRGBA8(UPNG.decode(image)), width, height, 256);
  const path = `${folder}/${state}-${look}`;
  writeFileSync(path, Buffer.from(small));
  if (documents && SHOWN[state]) copyFileSync(path, `${documents}/${SHOWN[state]}-${look}`);
}
// Nothing is left to wait for but what a browser keeps open.
process.exit();
