// The ReplicaSets whose pods are seen. Each has a look, which is a colour and a pattern. Its hash chooses the look, so
// that all viewers see the same one, whichever pod serves their page. If a ReplicaSet that has been seen before has
// that look, it takes the next one.

/** @typedef {{ key: string, version: string, look: number, order: number }} ReplicaSet */

/** So many looks are told apart with and without colours. When there are more ReplicaSets, the one that has not
 * been heard of for the longest time loses its own. */
export const LOOKS = 6;

/** The name of a pod of a ReplicaSet ends in the ReplicaSet's hash, and in letters of its own. */
const NAME = /-([b-z\d]{4,10})-[b-z\d]{5}$/;

/** That of a pod which hasn't said yet who it is. @type {ReplicaSet} */
const UNKNOWN = { key: "", version: "", look: 0, order: 0 };

export class Sets {
  /** @type {Map<string, ReplicaSet>} those that have been heard of last are the last ones */
  known = new Map();
  #count = 0;

  /** The ReplicaSet of a pod. A pod that belongs to none goes with those of its version. @param {string} name @param {string} version */
  of(name, version) {
    const key = NAME.exec(name)?.[1] ?? version;
    if (!key) return UNKNOWN;
    const set = this.known.get(key) ?? { key, version, look: this.look(key), order: this.#count++ };
    set.version ||= version;
    this.known.delete(key);
    this.known.set(key, set);
    return set;
  }

  /** A look that is free. @param {string} key */
  look(key) {
    if (this.known.size === LOOKS) this.known.delete([...this.known.keys()][0]);
    let look = [...key].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % LOOKS;
    const taken = [...this.known.values()].map((set) => set.look);
    while (taken.includes(look)) look = (look + 1) % LOOKS;
    return look;
  }

  /** In the order in which they were first seen. */
  list() {
    return [...this.known.values()].sort((a, b) => a.order - b.order);
  }
}

/** What it is called. @param {ReplicaSet} set */
export const titleOf = ({ key, version }) => (key === version ? version : `${version} ${key}`);
