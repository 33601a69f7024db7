// The life of each pod, as far as it has been seen: since when it is in which state. The bars show it.

/** @typedef {import("./types.js").Pod} Pod */
/** @typedef {{ service: number, name: string, states: [number, string][], pod: Pod, seen: number, end: number }} Life */

/** So many are kept at most: a pod may claim whatever name it likes. */
const MAX_LIVES = 1_000;

export class Lives {
  /** @type {Map<string, Life>} by the pod's id and, for those that have ended, its name */
  known = new Map();

  /** @param {Pod} pod @param {number} t */
  note(pod, t) {
    let life = this.known.get(pod.id);
    const name = pod.name ?? pod.ip;
    if (!life || life.end < Infinity) {
      if (life) {
        this.known.delete(pod.id);
        this.known.set(`${pod.id} ${life.end}`, life);
      }
      life = { service: pod.service, name, states: [], pod, seen: t, end: Infinity };
      this.known.set(pod.id, life);
      if (this.known.size > MAX_LIVES) this.known.delete([...this.known.keys()][0]);
    }
    const last = life.states.at(-1)?.[1];
    const since = pod.state === "stopping" && pod.stop ? t - Math.min(60, Math.max(0, pod.stop.since_signal_seconds)) * 1000 : t;
    if (last !== pod.state) life.states.push([Math.max(since, life.states.at(-1)?.[0] ?? -Infinity), pod.state]);
    if (life.states.length > 100) life.states.shift();
    Object.assign(life, { name, pod, seen: t });
  }

  /** @param {string} id @param {number} t */
  end(id, t) {
    const life = this.known.get(id);
    if (life) life.end = t;
  }

  /** @param {number} old what has ended before is forgotten */
  forget(old) {
    for (const [key, life] of this.known) if (life.end < old) this.known.delete(key);
  }

  /** Those of a Service that were there at some time between these. @param {number} service @param {number} from @param {number} to */
  of(service, from, to) {
    return [...this.known.values()].filter((life) => life.service === service && life.end > from && life.states[0][0] <= to);
  }
}
