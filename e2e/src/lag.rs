//! How long after the stop signal a pod still gets new connections: endpoints lag behind, on each node by
//! as much as its kube-proxy needs. From each node a pod requests the Service over a new connection a
//! hundred times a second, and names its node in the query. A pod that stops has all of it in its log.

use std::fmt;

use anyhow::{Context as _, Result, ensure};
use cluster::{
    Namespace, SOON,
    background::Background,
    deployment::{self, NAME},
    pods,
};
use serde_json::{Value, json};

/// A pod that is stopped gets a request from each node every 30 ms: a third of a hundred a second.
const RATE: u32 = 100;

/// From how many nodes at most, since each adds load.
pub const MOST_NODES: usize = 5;

/// What the pods that were stopped got from a node.
#[derive(Clone, Debug)]
pub struct Lag {
    /// Its name.
    pub node: String,
    /// For each pod, how many milliseconds after the signal the last request came; 0: none came.
    pub millis: Vec<f64>,
}

/// The columns of a [`Lag`].
pub const HEADER: &str = "requests from                   pods    median      most";

impl fmt::Display for Lag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (node, pods) = (&self.node, self.millis.len());
        let (median, most) = (self.at(0.5), self.at(1.0));
        write!(f, "{node:<30} {pods:>5} {median:>6.0} ms {most:>6.0} ms")
    }
}

impl Lag {
    /// The value below which that share of the pods is.
    pub fn at(&self, share: f64) -> f64 {
        let mut sorted = self.millis.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        let index = (last as f64 * share).round() as usize;
        sorted.get(index).copied().unwrap_or_default()
    }
}

/// Replaces all pods of the Deployment that many times, and returns what each node sent to those that
/// stopped.
pub fn measure(namespace: &Namespace<'_>, nodes: &[String], times: u32) -> Result<Vec<Lag>> {
    // From here on each request is in the log, with its query.
    let log = format!("set env deployment/{NAME} --containers=oneapi RUST_LOG=debug");
    namespace.kubectl(&log)?;
    deployment::rolled_out(namespace, NAME)?;
    for node in nodes {
        let pod = sender(namespace, node).to_string();
        namespace.apply_text("the pod that sends", &pod)?;
        pods::ready(namespace, &name(node))?;
    }
    let of_node = |node: &String| Lag {
        node: node.clone(),
        millis: Vec::new(),
    };
    let mut lags: Vec<Lag> = nodes.iter().map(of_node).collect();
    for _ in 0..times {
        let mut logs = Vec::new();
        for pod in deployment::ready_pods(namespace, 3)? {
            let follow = [
                "logs",
                "--follow",
                "--tail=1",
                pods::name(&pod),
                "-c",
                "oneapi",
            ];
            logs.push(Background::start(namespace.command().args(follow))?);
        }
        namespace.kubectl(&format!("rollout restart deployment/{NAME}"))?;
        deployment::rolled_out(namespace, NAME)?;
        for log in logs {
            let lines = log.wait(SOON)?;
            for lag in &mut lags {
                lag.millis.push(last_after_signal(&lines, &lag.node)?);
            }
        }
    }
    namespace.kubectl(&format!("delete pods -l {SENDER} --now"))?;
    Ok(lags)
}

const SENDER: &str = "app=sender";

fn name(node: &str) -> String {
    format!("sender-{node}")
}

fn sender(namespace: &Namespace<'_>, node: &str) -> Value {
    let Namespace { cluster, .. } = namespace;
    let url = format!("http://chesterservice:5000/test?{}", query(node));
    let rate = format!("--rate={RATE}");
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name(node), "labels": { "app": "sender" } },
        "spec": {
            "nodeName": node,
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [{
                "name": "sender",
                "image": cluster.image("twoapi", &cluster.tag),
                "args": ["load", url, rate, "--fresh", "--for=1h", "--json"],
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "capabilities": { "drop": ["ALL"] },
                },
            }],
        },
    })
}

fn query(node: &str) -> String {
    format!("from={node}")
}

/// How many milliseconds after the signal the last request of a node came, by a pod's log; 0 if none did.
fn last_after_signal(log: &[String], node: &str) -> Result<f64> {
    let lines = log.iter().map(|line| serde_json::from_str::<Value>(line));
    let lines: Vec<Value> = lines.collect::<Result<_, _>>()?;
    let signal = lines
        .iter()
        .position(|line| line["message"] == "signal received");
    let signal = signal.context("the log has the signal")?;
    let query = query(node);
    let from_node = |line: &&Value| {
        let uri = line["uri"].as_str().unwrap_or_default();
        uri.ends_with(&query)
    };
    ensure!(
        lines[..signal].iter().any(|line| from_node(&line)),
        "{node} sent nothing before"
    );
    let Some(last) = lines[signal..].iter().rfind(from_node) else {
        return Ok(0.0);
    };
    let after = pods::seconds_between(&lines[signal]["timestamp"], &last["timestamp"])?;
    Ok(after * 1000.0)
}
