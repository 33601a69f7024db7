// What keeps the story small in memory.

/** Takes what is older out of a list, though not for every single one. @template {{ t: number }} T @param {T[]} list @param {number} old */
export function drop(list, old) {
  let count = 0;
  while (count < list.length && list[count].t < old) count += 1;
  return count > 100 ? list.splice(0, count) : [];
}

/**
 * A value with all that is as it was before taken from there, so that it is in memory once.
 * @param {any} before
 * @param {any} now
 * @param {() => void} onNew called for each value that is another one
 * @returns {any}
 */
export function shared(before, now, onNew) {
  if (now === before) return before;
  if (now && typeof now === "object") {
    const keys = Object.keys(now);
    for (const key of keys) now[key] = shared(before?.[key], now[key], onNew);
    const isSame = before && typeof before === "object" && keys.length === Object.keys(before).length;
    if (isSame && keys.every((key) => now[key] === before[key])) return before;
  }
  onNew();
  return now;
}
