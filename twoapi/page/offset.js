// The server's clock, by its events.

import { clock } from "./live.js";

/** When all events are late by more, for as long, the server's clock has been set back. A few are also late
 * after the page has stood still. */
const CLOCK_SET_MS = 5_000;

let late = Infinity;

/** How far the server's clock is ahead of this browser's. */
export let offset = 0;

/** Learns from an event of the server, written at that time. @param {number} now @param {boolean} isFirst */
export function setOffset(now, isFirst) {
  // The event that took the shortest time tells best.
  const ahead = now - clock();
  late = ahead < offset - CLOCK_SET_MS ? Math.min(late, clock()) : Infinity;
  if (isFirst || ahead > offset || clock() - late > CLOCK_SET_MS) offset = ahead;
}
