// The headline of each Service: one sentence on what goes on, and how many of its requests have failed. When a
// change is over, they are its verdict, which stays until the next one.

import { isWaiting } from "./change.js";
import { by, make, write } from "./dom.js";
import { clock, live } from "./live.js";
import { language, outcomeName, plural, t } from "./text.js";
import { versionsOf } from "./verdict.js";
import { sayWhat } from "./verdicts.js";

/** @typedef {import("./story.js").Story} Story */
/** @typedef {import("./types.js").Open} Open */
/** @typedef {import("./types.js").Pod} Pod */
/** @typedef {import("./types.js").Verdict} Verdict */

/** When the counters were reset. */
let reset = 0;

by("reset").onclick = () => {
  live.reset();
  reset = clock();
};

/** Makes a place for each Service. @param {string[]} labels */
export function layOutHeadline(labels) {
  by("halves").replaceChildren(...labels.map((label) => make(
    "div",
    "half",
    ...(labels[1] ? [make("h3", "", label)] : []),
    ...["said", "figure", "causes", "since"].map((name) => make("p", name)),
  )));
}

/** @param {Pod[]} pods */
const sayVersions = (pods) => versionsOf(pods).join(" + ");

/** What goes on, in a sentence. @param {Story} story @param {number} service @param {Open | null} open @param {number} now */
function sayGoing(story, service, open, now) {
  const pods = story.podsOf(service);
  const staying = pods.filter((pod) => pod.state !== "stopping");
  const ready = (/** @type {Pod[]} */ list) => list.filter((pod) => pod.state === "ready").length;
  const from = open?.from ?? [];
  const fresh = staying.filter((pod) => !from.some(({ name }) => name === pod.name));
  const isLeaving = from.some(({ name }) => !staying.some((pod) => pod.name === name));
  const isNew = fresh.some((pod) => pod.version && from.length && !from.some(({ version }) => version === pod.version));
  let kind = "rest";
  if (open?.first === null) kind = "goOutage";
  else if (open) kind = fresh.length ? isLeaving ? isNew ? "goUpdate" : "goReplace" : isNew ? "goAdded" : "goScale" : isLeaving ? "goScale" : "goReadiness";
  const counted = kind.match(/Update|Added|Replace/) ? fresh : staying;
  const what = t(kind, { from: sayVersions(from), to: sayVersions(staying) || t("pods"), fresh: sayVersions(fresh), before: from.length, n: staying.length, k: fresh.length, r: ready(counted) });
  return plural(open ? t("going", { what, s: Math.max(0, (now - (open.first ?? open.begin)) / 1000).toFixed(1) }) : what);
}

/** @param {Story} story what is shown @param {number} now */
export function headline(story, now) {
  const since = reset ? t("since", { time: new Date(reset).toLocaleTimeString(language()) }) : t("counts");
  /** @type {HTMLElement[]} */ ([...by("halves").children]).forEach((half, service) => {
    const side = story.side(service);
    const { open } = side;
    const over = story.changes.find(({ verdict }) => verdict.service === service && Date.parse(verdict.at) > reset)?.verdict;
    /** @type {Pick<Verdict, "requests" | "failed" | "outcomes" | "longest_gap_ms" | "normal_gap_ms">} */
    const total = { requests: side.ok + side.failed, failed: side.failed, outcomes: {}, longest_gap_ms: side.gap && Math.round(side.gap), normal_gap_ms: Math.round(side.normal || story.normal) };
    const shown = open ? story.judge(service, open, now) : over ?? total;
    const number = (/** @type {number} */ n) => n.toLocaleString(language());
    half.className = `half ${shown.failed ? "bad" : open ? "going" : over ? "good" : "rest"}`;
    half.dataset.failed = String(shown.failed);
    const [said, figure, causes, all] = half.querySelectorAll("p");
    write(said, open || !over ? sayGoing(story, service, open, now) : sayWhat(over));
    write(figure, t("figure", { f: number(shown.failed), n: number(shown.requests) }));
    const parts = Object.entries(shown.outcomes).map(([outcome, count]) => t("counted", { n: number(count), what: outcomeName(outcome) }));
    if (shown.longest_gap_ms) parts.push(t("longest", { g: shown.longest_gap_ms, n: shown.normal_gap_ms || "–" }));
    write(causes, parts.join(t("comma")));
    write(all, shown === total ? since : t("figureSince", { since, f: number(total.failed), n: number(total.requests) }));
  });
}
