// The pods as cards, in the order of their names, as kubectl has it. During a change a card keeps its place,
// and a place that gets free is used again: nothing else moves when a pod comes or goes. When the change is
// over, the cards are put in order.

import { make, write } from "./dom.js";
import { calm, pattern, svg } from "./drawing.js";
import { showGroups } from "./groups.js";
import { inLanguage, language, t } from "./text.js";

/** @typedef {import("./types.js").Pod} Pod */
/** @typedef {{ item: HTMLElement, pod: Pod | null, cpu: number[], seen: number, left: number }} Place */

/** How long a card stays after its pod has left. */
const LEAVING_MS = 2500;
const MANY = 24, SPARK = 40;

/** So much of the end of a name stands in large letters. */
const MAX_END = 12;

/** @param {Pod | null} pod */
const nameOf = (pod) => pod?.name ?? pod?.ip ?? "";

/** @param {Element} item @param {string} name @returns {HTMLElement} */
const within = (item, name) => /** @type {HTMLElement} */ (item.querySelector(name));

export class Cards {
  /** @type {Place[]} */
  places = [];

  /** @param {HTMLElement} place @param {string} label @param {number} service @param {(pod: Pod) => void} onAct */
  constructor(place, label, service, onAct) {
    this.service = service;
    this.list = make("ul", "cards");
    this.list.tabIndex = -1;
    this.onAct = onAct;
    this.language = language();
    this.empty = make("p", "note empty");
    this.groups = make("ul", "legend groups");
    place.append(make("div", "", make("h3", "", label), this.groups, this.list, this.empty));
  }

  /**
   * @param {Pod[]} pods @param {import("./story.js").Story} story @param {number} now @param {string} names
   * @param {boolean} isOld whether that is how the pods were when they were seen last
   */
  show(pods, story, now, names, isOld) {
    this.list.classList.toggle("old", isOld);
    showGroups(this.groups, story, this.service);
    const retold = this.language !== language();
    this.language = language();
    const fresh = new Set(pods);
    for (const place of this.places) {
      const before = place.pod;
      if (!before) continue;
      // A pod may say its name later than its address.
      const pod = pods.find(({ id, name }) => id === before.id && (name === before.name || !before.name));
      if (pod) {
        fresh.delete(pod);
        if (pod !== before || place.left || retold) this.update(place, pod, now);
        place.left = 0;
      } else if (!place.left) {
        place.left = now;
        place.item.className = "card left";
        write(within(place.item, ".state"), t("ended"));
      } else if (Math.abs(now - place.left) > LEAVING_MS) {
        place.pod = null;
        place.item.className = "card free";
        // What is removed loses the focus, which goes on from here.
        if (place.item.contains(document.activeElement)) this.list.focus({ preventScroll: true });
        place.item.replaceChildren();
      }
    }
    for (const pod of fresh) {
      let place = this.places.find((free) => !free.pod);
      if (!place) {
        place = { item: this.list.appendChild(make("li", "card")), pod: null, cpu: [], seen: 0, left: 0 };
        this.places.push(place);
      }
      place.cpu = [];
      place.left = 0;
      this.fill(place);
      this.update(place, pod, now);
    }
    this.list.classList.toggle("many", this.places.length > MANY);
    for (const place of this.places) if (place.pod && !place.left) this.progress(place, now, isOld);
    if (!story.side(this.service).open) this.sort();
    write(this.empty, pods.length || this.places.some((place) => place.pod) ? "" : t("noPods", { names }));
  }

  /** Puts the cards in order. Behind them as many places are free as there are cards: an update may need them. */
  sort() {
    const free = this.places.filter((place) => !place.pod);
    const taken = this.places.filter((place) => place.pod).sort((a, b) => (nameOf(a.pod) < nameOf(b.pod) ? -1 : 1));
    const inOrder = taken.every((place, i) => place === this.places[i]);
    const before = inOrder ? [] : taken.map(({ item }) => item.getBoundingClientRect());
    for (const { item } of free.splice(taken.length)) item.remove();
    this.places = [...taken, ...free];
    if (inOrder) return;
    // What is moved loses the focus.
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    this.list.append(...this.places.map(({ item }) => item));
    focused?.focus({ preventScroll: true });
    if (calm()) return;
    taken.forEach(({ item }, i) => {
      const { x, y } = item.getBoundingClientRect();
      item.animate({ transform: [`translate(${before[i].x - x}px, ${before[i].y - y}px)`, "none"] }, { duration: 500, easing: "ease" });
    });
  }

  /** @param {Place} place */
  fill({ item }) {
    const spark = svg("", "own", "spark", `0 0 ${SPARK - 1} 10`);
    spark.setAttribute("preserveAspectRatio", "none");
    const act = make("button", "act", "⋯");
    item.replaceChildren(make("strong", "name"), act);
    item.dataset.name = item.dataset.version = "";
    for (const name of ["version", "state", "detail", "cpu"]) item.append(make("p", name));
    item.append(spark);
    for (const name of ["probes", "where"]) item.append(make("p", name));
  }

  /** @param {Place} place @param {Pod} pod @param {number} now */
  update(place, pod, now) {
    const { item } = place;
    const before = place.pod;
    place.pod = pod;
    if (pod !== before) place.seen = now;
    item.className = `card ${pod.state.replace(" ", "-")}`;
    const name = nameOf(pod);
    const cut = Math.max(name.lastIndexOf("-") + 1, name.length - MAX_END);
    if (item.dataset.name !== name) {
      item.dataset.name = name;
      within(item, ".name").replaceChildren(make("small", "", name.slice(0, cut)), name.slice(cut));
    }
    const act = /** @type {HTMLButtonElement} */ (within(item, ".act"));
    act.onclick = () => place.pod && this.onAct(place.pod);
    act.setAttribute("aria-label", t("actOn", { pod: name }));
    if (pod.cpu !== null && pod !== before) place.cpu = [...place.cpu.slice(1 - SPARK), pod.cpu];
    const most = Math.max(pod.limit ?? 0, 100, ...place.cpu);
    const points = place.cpu.map((cpu, i) => `${i ? "L" : "M"}${SPARK - place.cpu.length + i} ${10 - (cpu / most) * 9.5}`);
    within(item, ".spark path").setAttribute("d", points.join(""));
    const cpu = pod.cpu === null ? "–" : `${pod.cpu}m`;
    write(within(item, ".cpu"), `${t("cpu")} ${pod.limit ? t("of", { n: cpu, limit: pod.limit }) : cpu}`);
    const probes = pod.probes.map((probe) => Object.values(probe).join(" "));
    write(within(item, ".probes"), probes.length ? `${t("probes")}${t("colon")}${[...new Set(probes)].join(t("comma"))}` : "");
  }

  /** What goes on by itself. @param {Place} place @param {number} now @param {boolean} isOld */
  progress({ item, pod, seen }, now, isOld) {
    if (!pod) return;
    const version = pod.version ?? "";
    if (item.dataset.version !== version && version) {
      item.dataset.version = version;
      within(item, ".version").replaceChildren(pattern(pod.set.look), version);
      item.style.setProperty("--own", `var(--v${pod.set.look})`);
    }
    const left = (/** @type {number} */ s) => Math.max(0, s - (now - seen) / 1000);
    const details = pod.why ? [inLanguage(pod.why)] : [];
    if (pod.state === "stopping" && pod.stop) {
      const drain = left(pod.stop.drain_seconds);
      const last = left(pod.stop.deadline_seconds);
      details.push(drain > 0 ? t("drains", { s: drain.toFixed(1) }) : t("finishes", { s: last.toFixed(1) }));
    }
    for (const burn of pod.burns) details.push(t("burns", { m: burn.millicores, s: Math.round(left(burn.left)) }));
    for (const fault of pod.faults) {
      details.push(t("switched", { name: `${fault.container} ${fault.name}` }) + (fault.left ? t("lasts", { s: Math.round(left(fault.left)) }) : ""));
    }
    write(within(item, ".state"), t(isOld ? "wasSeen" : pod.state, { state: t(pod.state) }));
    write(within(item, ".detail"), details.join(" · "));
    const age = pod.began ? duration((now - pod.began) / 1000) : "";
    const restarts = pod.restarts ? ` · ${t("restarts")}${t("colon")}${pod.restarts}` : "";
    write(within(item, ".where"), `${pod.ip}${age ? ` · ${age}` : ""}${pod.node ? ` · ${pod.node}` : ""}${restarts}`);
  }
}

/** As kubectl writes it. @param {number} s */
function duration(s) {
  const [size, unit] = [[86400, "d"], [3600, "h"], [60, "m"]].find(([size]) => s >= 2 * Number(size)) ?? [1, "s"];
  return Math.max(0, Math.floor(s / Number(size))) + String(unit);
}
