// Pods that aren't there: one server that answers on every address 127.0.NET.1, 127.0.NET.2 … as the
// pod of that number would, in as many ways as pods misbehave; and a real twoapi that watches them.
// The Service in front of them is the same server, on 127.0.NET.250.

import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";

const ONEAPI = 5200, TWOAPI = 5201;

export class Fakes {
  /** @param {number} network @param {(number: number) => object} of what a pod says of itself */
  constructor(network, count, of = () => ({})) {
    this.network = network;
    this.pods = Array.from({ length: count }, (_, i) => ({
      ip: `127.0.${network}.${i + 1}`, name: `chesterdeployment-5d79c7596-p${String(i + 1).padStart(3, "0")}`, version: "1.0", ready: true, ...of(i + 1),
    }));
    this.turn = 0;
    this.asked = 0;
    /** What became of the requests through the Service. */
    this.counts = { answered: 0, failed: 0 };
    this.twin = { answered: 0, failed: 0 };
    this.started = new Date(Date.now() - 60_000).toISOString();
  }

  /** Starts them, and the twoapi on 127.0.NET.251 that shows them. */
  async start(settings = {}) {
    this.servers = [ONEAPI, TWOAPI].map((port) => http.createServer((request, response) => this.answer(request, response)).listen(port, "0.0.0.0"));
    await Promise.all(this.servers.map((server) => once(server, "listening")));
    const own = `127.0.${this.network}.251`;
    this.url = `http://${own}:5202`;
    const env = {
      POD_NAME: "chesterpage", POD_IP: own, RUST_LOG: "warn", PODS_NAME: this.pods.map((pod) => pod.ip).join(), PODS_PORTS: `${ONEAPI},${TWOAPI}`,
      TRAFFIC_URL: `http://127.0.${this.network}.250:${TWOAPI}/test/calloneapi`, ...settings,
    };
    this.process = spawn(`${process.env.PAGE_BINARIES}/1.0/twoapi`, ["--listen", `${own}:5202`], { env, stdio: ["ignore", "ignore", "inherit"] });
    for (;;) {
      try {
        if ((await fetch(`${this.url}/livez`)).ok) return this;
      } catch { /* not yet */ }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  answer(request, response) {
    const number = Number(request.socket.localAddress?.split(".").at(-1));
    // The Service has one address, and its twin another one.
    const counts = { 250: this.counts, 249: this.twin }[number];
    const led = this.pods.filter((pod) => !pod.removed);
    const pod = counts ? led[this.turn++ % led.length] : this.pods[number - 1];
    // A pod that is gone hears nothing, and the Service's connections to it end.
    if (pod?.gone && !counts) return;
    if (counts) response.on("close", () => (counts[response.statusCode === 200 && response.writableFinished ? "answered" : "failed"] += 1));
    if (!pod || pod.gone) return response.socket?.destroy();
    this.asked += 1;
    if (pod.answer?.(request, response)) return;
    const headers = { pod: encodeURI(pod.name) === pod.name ? pod.name : pod.header ?? "", version: pod.version };
    const json = (/** @type {unknown} */ value) => response.writeHead(200, { ...headers, "content-type": "application/json" }).end(JSON.stringify(value));
    switch (request.url?.split("?")[0]) {
      case "/info":
        return json({ pod: pod.name, version: pod.version, node: "node-1", namespace: "chesterns", started: this.started, readiness: { ready: pod.ready, why: pod.ready ? null : "failing, as the fault switch readiness says" }, faults_allowed: true, limits: { cpu_millicores: 500 }, usage: { cpu_seconds: Date.now() / 1000 / 20 }, ...pod.info });
      case "/probes":
        return json({ readiness: [{ at: this.started, status: pod.ready ? 200 : 503, took_seconds: 0.001, since_last_seconds: 1 }] });
      case "/test/calloneapi":
        return response.writeHead(200, headers).end(`one api response is ip is ${pod.ip}`);
      default:
        return json([]);
    }
  }

  async end() {
    const ended = this.process.exitCode ?? this.process.signalCode ?? once(this.process, "exit");
    this.process.kill("SIGKILL");
    // Or the next one at its address would find the address taken.
    await ended;
    for (const server of this.servers) {
      server.closeAllConnections();
      server.close();
    }
  }
}
