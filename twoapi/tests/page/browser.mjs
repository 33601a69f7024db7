// The system's Chromium, as a viewer has it: what the page complains of is kept, and so is every
// request to somewhere else.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** @param {string[]} more arguments */
export async function launch(...more) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", ...more],
  });
}

/** A viewer's page, and what is wrong with it. */
export async function view(browser, url, { width = 1440, height = 960, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, locale: "en-US", ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // A browser notes every answer that isn't a success, and every connection that ends, here.
    const network = message.text().startsWith("Failed to load resource");
    if (!network && ["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(url)) complaints.push(`a request to ${request.url()}`);
  });
  await page.goto(url);
  return { page, complaints, context };
}

/** What axe-core has against the page as it is now, in sentences. */
export async function axeFinds(page) {
  // Evaluated by the debugger and not by the page, whose policy allows no inline code.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run());
  return violations.map((v) => `${v.id}: ${v.nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`);
}

export const cards = (page) => page.locator(".card:not(.free):not(.left)");

/** Draws the slider of the replay to this share of it. */
export const seek = (page, share) => page.locator("#replay-at").evaluate((slider, share) => {
  slider.value = String(share * slider.max);
  slider.dispatchEvent(new Event("input"));
}, share);
