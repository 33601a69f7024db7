// The events of the server, and how the page goes on with another pod when that one stops.

import { language } from "./text.js";

/**
 * @typedef {{ onEvent: (name: string, data: any) => void,
 *   onState: (state: "live" | "moved" | "lost", detail: { pod: string, why?: string }) => void }} Listener
 */

/** A Service leads to pods that stop for a while longer, so the first attempts may meet one of these. */
const QUICK_ATTEMPTS = 30, RETRY_MS = 50, SLOW_RETRY_MS = 1000;

/** The server sends something every two seconds. */
const SILENCE_MS = 6000;

export class Stream {
  rate = 0;
  pod = "";
  #attempts = 0;
  /** The stream that is listened to. @type {AbortController | null} */
  current = null;
  /** The one that is to take over. @type {AbortController | null} */
  #next = null;
  /** @type {number | undefined} */
  #timer;

  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener;
  }

  /** Connects, or again with another rate. @param {number} rate */
  open(rate) {
    this.rate = rate;
    this.current?.abort();
    this.current = null;
    this.seek();
  }

  /** Looks for a pod that serves the page, now and until it is found. */
  seek() {
    clearTimeout(this.#timer);
    this.#next?.abort();
    this.#attempts = 0;
    this.#run();
  }

  async #run() {
    const control = (this.#next = new AbortController());
    let silence = 0;
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => {
        // Who doesn't even begin to answer is no pod that stops.
        if (this.current !== control) this.#attempts = QUICK_ATTEMPTS;
        control.abort();
      }, SILENCE_MS);
    };
    let why = "";
    try {
      heard();
      const answer = await fetch(`page/events?rate=${this.rate}`, { signal: control.signal, cache: "no-store", headers: { "accept-language": language() } });
      if (!answer.ok || !answer.body) {
        // There are as many viewers as there may be.
        if (answer.headers.has("retry-after")) this.#attempts = QUICK_ATTEMPTS;
        why = (await answer.text()).slice(0, 200) || String(answer.status);
        throw new Error(why);
      }
      this.current?.abort();
      this.current = control;
      this.#next = null;
      this.pod = answer.headers.get("pod") ?? "";
      this.listener.onState("live", { pod: this.pod });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        heard();
        const events = (text + value).split("\n\n");
        text = events.pop() ?? "";
        for (const event of events) if (this.current === control) this.#take(event);
      }
    } catch { /* what a browser says of a connection tells nobody anything */ }
    clearTimeout(silence);
    if (this.current === control) {
      this.current = null;
      // Another one may be on its way already.
      if (!this.#next) this.#again(why);
      else this.listener.onState("moved", { pod: this.pod, why });
    } else if (this.#next === control) this.#again(why);
  }

  /** Tries again, soon at first. @param {string} why */
  #again(why) {
    clearTimeout(this.#timer);
    const quick = this.#attempts++ < QUICK_ATTEMPTS;
    // As long as the pod that stops goes on, nothing is missed.
    if (!this.current) this.listener.onState(quick ? "moved" : "lost", { pod: this.pod, why });
    this.#timer = setTimeout(() => this.#run(), quick ? RETRY_MS : SLOW_RETRY_MS);
  }

  /** @param {string} event */
  #take(event) {
    const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(event) ?? [];
    // Whoever stops goes on telling while another one is looked for.
    if (!this.#next) this.#attempts = 0;
    if (name === "bye") return this.seek();
    // A fault of the page is one to report, and not the end of the stream.
    try { if (name) this.listener.onEvent(name, JSON.parse(data)); } catch (error) { reportError(error); }
  }
}
