// The stream without a browser: whom it asks, and how often, while no other pod is there.

import assert from "node:assert/strict";
import { mock, test } from "node:test";

// The language that it asks for is that of the document.
globalThis.document = { getElementById: () => ({ textContent: "{}" }), documentElement: { lang: "en" } };
const { Stream } = await import("../../page/stream.js");

test("while a pod drains and no other is there, the Service is asked often for a second and a half and seldom after that", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  /** @type {ReadableStreamDefaultController} */
  let drains;
  let asked = 0;
  mock.method(globalThis, "fetch", async () => {
    asked += 1;
    if (asked > 1) return new Response("stopping", { status: 503 });
    return new Response(new ReadableStream({ start: (control) => (drains = control) }), { headers: { pod: "a" } });
  });
  try {
    /** @type {string[]} */
    const events = [], states = [];
    const stream = new Stream({ onEvent: (name) => events.push(name), onState: (state) => states.push(state) });
    const says = async (name) => {
      drains.enqueue(new TextEncoder().encode(`event: ${name}\ndata: {}\n\n`));
      for (let i = 0; i < 20; i++) await new Promise(setImmediate);
    };
    stream.open(1);
    await says("hello");
    await says("bye");
    for (let ms = 0; ms < 10_000; ms += 50) {
      mock.timers.tick(50);
      await says("pods");
    }
    stream.current?.abort();
    assert.deepEqual([events.length, states], [201, ["live"]], "meanwhile nothing is missed");
    // 1, then 30 within 1.5 s, then one in each of 8.5 s.
    assert.ok(asked > 35 && asked < 45, `${asked} requests in ten seconds`);
  } finally {
    mock.timers.reset();
    mock.restoreAll();
  }
});
