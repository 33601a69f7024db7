// The pods as cards, in the order of their names, as kubectl has it. During a change a card keeps its place,
// and a place that gets free is used again: nothing else moves when a pod comes or goes. When the change is
// over, the cards are put in order.

import { make, write } from "./dom.js";
import { pattern, svg } from "./drawing.js";
import { cpuOf, detailsOf } from "./facts.js";
import { showGroups } from "./groups.js";
import { language, t } from "./text.js";

/** @typedef {import("./types.js").Pod} Pod */
/** @typedef {{ item: HTMLElement, pod: Pod | null, cpu: number[], left: number }} Place */

/** How long a card stays after its pod has left. */
const LEAVING_MS = 2500;
const MANY = 23, SPARK = 40;

/** @param {Pod | null} pod */
const nameOf = (pod) => pod?.name ?? pod?.ip ?? "";

/** @param {Element} item @param {string} name @returns {HTMLElement} */
const within = (item, name) => /** @type {HTMLElement} */ (item.querySelector(name));

export class Cards {
  /** @type {Place[]} */
  #places = [];
  /** What is shown, and in which language. @type {import("./story.js").Story | undefined} */
  #story;
  #language = "";

  /** @param {HTMLElement} place @param {string} label @param {number} service @param {(pod: Pod) => void} onAct */
  constructor(place, label, service, onAct) {
    this.service = service;
    this.list = make("ul", "cards");
    this.list.tabIndex = -1;
    this.onAct = onAct;
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
    // In another language all is written anew, and who isn't there at another time hasn't ended by now.
    const isOther = this.#story !== story || this.#language !== language();
    [this.#story, this.#language] = [story, language()];
    const fresh = new Set(pods);
    for (const place of this.#places) {
      const before = place.pod;
      if (!before) continue;
      if (isOther) place.left = -Infinity;
      // A pod may say its name later than its address.
      const pod = pods.find(({ id, name }) => id === before.id && (name === before.name || !before.name));
      if (pod) {
        fresh.delete(pod);
        if (pod !== before || place.left) this.#update(place, pod);
        place.left = 0;
      } else if (!place.left) {
        place.left = now;
        place.item.className = "card left";
        write(within(place.item, ".state"), t("ended"));
      } else if (now - place.left > LEAVING_MS) {
        place.pod = null;
        place.item.className = "card free";
        // What is removed loses the focus, which goes on from here.
        if (place.item.contains(document.activeElement)) this.list.focus({ preventScroll: true });
        place.item.replaceChildren();
      }
    }
    for (const pod of fresh) {
      let place = this.#places.find((free) => !free.pod);
      if (!place) {
        place = { item: this.list.appendChild(make("li", "card")), pod: null, cpu: [], left: 0 };
        this.#places.push(place);
      }
      place.cpu = [];
      place.left = 0;
      this.#fill(place);
      this.#update(place, pod);
    }
    // An update has twice as many for a while, and they don't become dots for that.
    this.list.classList.toggle("many", Math.max(story.side(this.service).open?.from.length ?? pods.length, pods.length / 2) > MANY);
    for (const place of this.#places) if (place.pod && !place.left) this.#progress(place, story, now, isOld);
    if (!story.side(this.service).open) this.#sort();
    write(this.empty, pods.length || this.#places.some((place) => place.pod) ? "" : t("noPods", { names }));
  }

  /** Puts the cards in order. Behind them as many places are free as there are cards: an update may need them. */
  #sort() {
    const free = this.#places.filter((place) => !place.pod);
    const taken = this.#places.filter((place) => place.pod).sort((a, b) => (nameOf(a.pod) < nameOf(b.pod) ? -1 : 1));
    const inOrder = taken.every((place, i) => place === this.#places[i]);
    for (const { item } of free.splice(taken.length)) item.remove();
    this.#places = [...taken, ...free];
    if (inOrder) return;
    // What is moved loses the focus.
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    this.list.append(...this.#places.map(({ item }) => item));
    focused?.focus({ preventScroll: true });
  }

  /** @param {Place} place */
  #fill({ item }) {
    const spark = svg("", "own", "spark", `0 0 ${SPARK - 1} 10`);
    spark.setAttribute("preserveAspectRatio", "none");
    const act = make("button", "act", "⋯");
    item.replaceChildren(make("strong", "name"), act);
    item.dataset.version = "";
    for (const name of ["version", "state", "detail", "cpu"]) item.append(make("p", name));
    item.append(spark);
  }

  /** @param {Place} place @param {Pod} pod */
  #update(place, pod) {
    const { item } = place;
    const before = place.pod;
    place.pod = pod;
    item.className = `card ${pod.state.replace(" ", "-")}`;
    const name = nameOf(pod);
    // The pods of a ReplicaSet begin with its name, which stands above.
    write(within(item, ".name"), name.replace(/.*-(?=[b-z\d]{5}$)/, ""));
    const act = /** @type {HTMLButtonElement} */ (within(item, ".act"));
    act.onclick = () => place.pod && this.onAct(place.pod);
    act.title = `${name}${t("comma")}${t(pod.state)}`;
    act.setAttribute("aria-label", act.title);
    if (pod.cpu !== null && pod !== before) place.cpu = [...place.cpu.slice(1 - SPARK), pod.cpu];
    const most = Math.max(pod.limit ?? 0, 100, ...place.cpu);
    const points = place.cpu.map((cpu, i) => `${i ? "L" : "M"}${SPARK - place.cpu.length + i} ${10 - (cpu / most) * 9.5}`);
    // The limit is a line.
    if (pod.limit) points.push(`M0 ${10 - (pod.limit / most) * 9.5}h${SPARK}`);
    within(item, ".spark path").setAttribute("d", points.join(""));
    write(within(item, ".cpu"), cpuOf(pod));
  }

  /** What goes on by itself. @param {Place} place @param {import("./story.js").Story} story @param {number} now @param {boolean} isOld */
  #progress({ item, pod }, story, now, isOld) {
    if (!pod) return;
    const { version } = pod;
    if (version && version !== item.dataset.version) {
      item.dataset.version = version;
      within(item, ".version").replaceChildren(pattern(pod.set.look), version);
      item.style.setProperty("--own", `var(--v${pod.set.look})`);
    }
    write(within(item, ".state"), t(isOld ? "wasSeen" : pod.state, { state: t(pod.state) }));
    write(within(item, ".detail"), detailsOf(pod, story, now).join(" · "));
  }
}
