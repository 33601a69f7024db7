// The story of what is seen at the moment, and the clock by which it is told.

import { Story } from "./story.js";

export const live = new Story();

/** Between the time of the server's events and the picture, so that marks come in from the edge. */
export const DELAY_MS = 150;

/** The time of day when the page was opened, and from then on a clock that nobody sets. */
export const clock = () => performance.timeOrigin + performance.now();
