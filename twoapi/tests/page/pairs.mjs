// Real pairs of oneapi and twoapi on loopback addresses of this machine (Linux has all of
// 127.0.0.0/8), and in front of each set a small balancer that does what a Service does: it leads
// connections to pods that are ready, and hears of a pod's stop a little later than the pod.

import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";

const ONEAPI = 5100, TWOAPI = 5101;
/** How long the Service goes on with a pod that isn't ready any more. */
const LAG_MS = 300;
const PROBE_MS = 100;

const binaries = process.env.PAGE_BINARIES;
if (!binaries) throw new Error("PAGE_BINARIES is the folder with 1.0/oneapi, 1.0/twoapi and those of 1.1");

/** A Service and its pods. `net` tells sets apart: the pods are 127.0.NET.1 and so on. */
export class Service {
  constructor(network, settings = {}, lag = LAG_MS) {
    this.lag = lag;
    this.network = network;
    this.settings = settings;
    this.host = `127.0.${network}.250`;
    this.url = `http://${this.host}:${TWOAPI}`;
    this.pods = [];
    this.clients = new Set();
    this.turn = 0;
    this.free = 1;
  }

  async start() {
    this.server = net.createServer((client) => this.lead(client));
    this.server.listen(TWOAPI, this.host);
    await once(this.server, "listening");
    return this;
  }

  /** Names that stand for all pods there can be. */
  get names() {
    return Array.from({ length: 20 }, (_, i) => `127.0.${this.network}.${i + 1}`).join();
  }

  /** Starts a pod and returns it; it gets connections when it is ready. */
  startPod(version, settings = {}) {
    const ip = `127.0.${this.network}.${this.free++}`;
    const name = `chesterdeployment-${version === "1.0" ? "5d79c7596" : "6f8b9d4c7"}-${suffix()}`;
    const env = {
      POD_NAME: name, POD_IP: ip, POD_NAMESPACE: "chesterns", NODE_NAME: "worker-1",
      PODS_NAME: this.names, PODS_PORTS: `${ONEAPI},${TWOAPI}`,
      TRAFFIC_URL: `${this.url}/test/calloneapi`, ONEAPI_URL: `http://${ip}:${ONEAPI}/test`,
      DRAIN_DELAY: "2s", RUST_LOG: "warn", ...this.settings, ...settings,
    };
    const run = (service, port, more = {}) =>
      spawn(`${binaries}/${version}/${service}`, ["--listen", `${ip}:${port}`], { env: { ...env, ...more }, stdio: ["ignore", "ignore", "inherit"] });
    // As in the manifests: twoapi's last calls need oneapi.
    const seconds = parseInt(env.DRAIN_DELAY);
    const drain = seconds ? { DRAIN_DELAY: `${seconds + 2}s` } : {};
    const pod = { ip, name, version, ready: false, processes: [run("oneapi", ONEAPI, drain), run("twoapi", TWOAPI)] };
    pod.ended = Promise.all(pod.processes.map((process) => once(process, "exit")));
    this.pods.push(pod);
    this.probe(pod);
    return pod;
  }

  /** One look after the other: an earlier one that answers late would say that a pod is ready again. */
  async probe(pod) {
    while (this.pods.includes(pod)) {
      const codes = await Promise.all([ONEAPI, TWOAPI].map((port) => status(pod.ip, port)));
      if (codes.every((code) => code === 200)) pod.ready = true;
      else if (pod.ready) {
        await sleep(this.lag);
        pod.ready = false;
      }
      await sleep(PROBE_MS);
    }
  }

  async ready(count) {
    while (this.pods.filter((pod) => pod.ready).length < count) await sleep(20);
  }

  /** Stops pods as a kubelet does, and forgets them when they have ended. */
  async stop(pods, signal = "SIGTERM") {
    for (const pod of pods) for (const process of pod.processes) process.kill(signal);
    for (const pod of pods) {
      await pod.ended;
      // A pod that ends at once is led to for as long as one that lingers.
      await sleep(this.lag);
      this.pods = this.pods.filter((other) => other !== pod);
    }
  }

  /** As `kubectl set image` with maxSurge 100 %: new pods first, then the old ones stop, one by one. */
  async update(version, settings = {}, pace = 700) {
    const old = [...this.pods];
    for (const _ of old) this.startPod(version, settings);
    await this.ready(2 * old.length);
    const stopped = [];
    for (const pod of old) {
      stopped.push(this.stop([pod]));
      await sleep(pace);
    }
    await Promise.all(stopped);
  }

  lead(client) {
    this.clients.add(client);
    client.on("close", () => this.clients.delete(client));
    const ready = this.pods.filter((pod) => pod.ready);
    const pod = ready[this.turn++ % ready.length];
    if (!pod) return client.resetAndDestroy();
    const backend = net.connect(TWOAPI, pod.ip);
    client.pipe(backend).pipe(client);
    const end = () => {
      // Node can't reset what it is shutting down, and would not come to its end.
      if (client.writableEnded) client.destroy();
      else client.resetAndDestroy();
      backend.destroy();
    };
    client.on("error", end);
    backend.on("error", end);
  }

  async end() {
    await this.stop([...this.pods], "SIGKILL");
    this.server.close();
    for (const client of this.clients) client.destroy();
  }
}

function suffix() {
  const letters = "bcdfghjklmnpqrstvwxz2456789";
  return Array.from({ length: 5 }, () => letters[Math.floor(Math.random() * letters.length)]).join("");
}

function status(host, port) {
  return new Promise((resolve) => {
    const request = http.get({ host, port, path: "/readyz", timeout: 500, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    request.on("error", () => resolve(0));
    request.on("timeout", () => request.destroy());
  });
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
