// The events of the server, and how the page goes on with another pod when that one stops.

/**
 * @typedef {{ onEvent: (name: string, data: any) => void,
 *   onState: (state: "live" | "moved" | "lost", detail: { pod: string, why?: string }) => void }} Listener
 */

/** A Service leads to pods that stop for a while longer, so the first attempts may meet one of these. */
const RETRY_MS = [30, 50, 50, 50, 100, 100, 100, 200, 200, 500, 1000];

/** The server sends something every two seconds. */
const SILENCE_MS = 6000;

export class Stream {
  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener;
    this.rate = 0;
    this.pod = "";
    this.attempts = 0;
    /** @type {AbortController | null} */
    this.current = null;
    /** @type {number | undefined} */
    this.timer = undefined;
  }

  /** Connects, or again with another rate. @param {number} rate */
  open(rate) {
    this.rate = rate;
    clearTimeout(this.timer);
    this.current?.abort();
    this.run();
  }

  async run() {
    const control = (this.current = new AbortController());
    let silence = 0;
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => control.abort(), SILENCE_MS);
    };
    let why = "";
    try {
      heard();
      const answer = await fetch(`page/events?rate=${this.rate}`, { signal: control.signal, cache: "no-store" });
      if (!answer.ok || !answer.body) throw new Error((await answer.text()).slice(0, 200) || String(answer.status));
      this.pod = answer.headers.get("pod") ?? "";
      this.attempts = 0;
      this.listener.onState("live", { pod: this.pod });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        heard();
        const events = (text + value).split("\n\n");
        text = events.pop() ?? "";
        for (const event of events) this.take(event);
      }
    } catch (error) {
      why = error instanceof Error ? error.message : String(error);
    }
    clearTimeout(silence);
    // Another rate was chosen: a new stream has taken over.
    if (this.current !== control) return;
    const wait = RETRY_MS[Math.min(this.attempts, RETRY_MS.length - 1)];
    this.attempts += 1;
    // The first attempts fail as long as the Service still leads to the pod that stops.
    this.listener.onState(this.attempts < RETRY_MS.length ? "moved" : "lost", { pod: this.pod, why });
    this.timer = setTimeout(() => this.run(), wait);
  }

  /** @param {string} event */
  take(event) {
    const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(event) ?? [];
    if (name) this.listener.onEvent(name, JSON.parse(data));
  }
}
