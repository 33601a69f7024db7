//! A request to a pod through the API server's proxy, which works wherever the cluster
//! is: on most laptops only the cluster reaches a pod's IP. The proxy passes no headers on. An answer
//! with another status than 2xx is an error, with the status and the body.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::namespace::Namespace;

/// The body of a pod's answer.
pub fn pod(namespace: &Namespace<'_>, pod: &str, port: u16, path: &str) -> Result<String> {
    request(namespace, "get", pod, port, path)
}

/// A pod's answer, which is JSON.
pub fn json(namespace: &Namespace<'_>, name: &str, port: u16, path: &str) -> Result<Value> {
    let body = pod(namespace, name, port, path)?;
    serde_json::from_str(&body).with_context(|| format!("{path} is not JSON: {body}"))
}

/// Has a pod burn until it is done; returns its report.
pub fn burn(namespace: &Namespace<'_>, pod: &str, query: &str) -> Result<Value> {
    json(namespace, pod, 5000, &format!("/test/highcpu?{query}"))
}

/// The first burn that a pod lists; null if none runs.
pub fn first_burn(namespace: &Namespace<'_>, pod: &str) -> Result<Value> {
    let burns = json(namespace, pod, 5000, "/burns")?;
    Ok(burns[0].clone())
}

/// What a pod's first burn has used so far, in CPU seconds, and how many seconds are left of its time: by the
/// pod's own clock, since asking takes seconds on a node whose CPUs all burn. Waits until it burns.
pub fn used_and_left(namespace: &Namespace<'_>, pod: &str) -> Result<(f64, f64)> {
    namespace.until("it burns", || {
        let burn = first_burn(namespace, pod)?;
        let [used, left] = ["achieved_seconds", "left_seconds"].map(|it| burn[it].as_f64());
        Ok(used.zip(left))
    })
}

/// Ends all burns of a pod.
pub fn end_burns(namespace: &Namespace<'_>, pod: &str) -> Result<()> {
    request(namespace, "delete", pod, 5000, "/burns").map(drop)
}

/// Sets a fault switch of a pod's oneapi: `readiness?mode=fail&for=20s`.
pub fn set_fault(namespace: &Namespace<'_>, pod: &str, switch: &str) -> Result<()> {
    // A PUT, with what is on the standard input: nothing.
    let path = format!("/faults/{switch}");
    request(namespace, "replace -f -", pod, 5000, &path).map(drop)
}

/// Clears a fault switch of a pod's oneapi.
pub fn clear_fault(namespace: &Namespace<'_>, pod: &str, name: &str) -> Result<()> {
    let path = format!("/faults/{name}");
    request(namespace, "delete", pod, 5000, &path).map(drop)
}

fn request(
    namespace: &Namespace<'_>,
    verb: &str,
    pod: &str,
    port: u16,
    path: &str,
) -> Result<String> {
    // No `--request-timeout`: kubectl would pass it on to the pod as one more parameter.
    let name = &namespace.name;
    let raw = format!("{verb} --raw /api/v1/namespaces/{name}/pods/{pod}:{port}/proxy{path}");
    let answer = namespace.kubectl(&raw);
    answer.with_context(|| format!("asking the pod {pod} on port {port} for {path}"))
}
