// The types of what has happened. There is no code here.

/**
 * @typedef {{ name: string, state: string, cpu: number | null, limit: number | null,
 *   probes: { kind: string, protocol?: string, status: number }[] }} Container
 * @typedef {import("./sets.js").ReplicaSet} ReplicaSet
 * @typedef {{ id: string, service: number, ip: string, name: string | null, version: string | null,
 *   namespace: string | null, node: string | null, state: string, why: string[] | "",
 *   started: (string | null)[], began: number | null, restarts: number, cpu: number | null, limit: number | null,
 *   stop: { since_signal_seconds: number, drain_seconds: number, deadline_seconds: number } | null,
 *   burns: { id: number, millicores: number, left: number }[],
 *   containers?: Container[],
 *   faults: { container: string, name: string, left: number | null }[],
 *   allows_faults: string[] | null, set: ReplicaSet }} Pod
 * @typedef {{ t: number, took: number, service: number, lane: number, outcome: string,
 *   pod: string, version: string, late: number | null, set?: ReplicaSet, gap?: number }} Mark
 * @typedef {{ t: number, service: number, kind: string, pod: string, version: string }} Moment
 * @typedef {{ t: number, pods?: Pod[], left?: string[], all?: boolean, marks?: Mark[],
 *   blind?: boolean, marker?: boolean, bytes?: number }} Entry
 * @typedef {{ service: number, label: string, kind: string, from: string[], to: string[],
 *   before: number, pods: number, stuck: number, seconds: number, requests: number, failed: number,
 *   outcomes: Record<string, number>, late: number, longest_gap_ms: number | null, normal_gap_ms: number,
 *   unobserved_seconds: number, at: string }} Verdict
 * @typedef {{ verdict: Verdict, expected: string[] | null, begin: number, end: number, tape: Entry[], bytes: number }} Change
 * @typedef {{ begin: number, last: number, from: Pod[], first: number | null, until: number, noticed: number,
 *   failedUntil: number, normal: number }} Open
 *   a change that goes on: when it began and when something last happened; the pods that were there before it;
 *   its first moment and its last one, and when that was noticed; when a request last failed;
 *   and how far apart its requests were at most
 * @typedef {{ ok: number, failed: number, late: number, outcomes: Record<string, number>, gap: number, normal: number,
 *   since: number, running: number, open: Open | null, over: number }} Side
 *   of a Service: its longest gap, and which one the rate made normal then; since when there is no answer, how long that is if requests fail, and when its last change ended
 */

export {};
