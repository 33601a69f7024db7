//! A node's kubelet, and then its container runtime, are killed, and are back after a while that is shorter than
//! what it takes to count as lost: the node's Pods run on, and no caller notices.

use std::{thread::sleep, time::Duration};

use anyhow::{Context as _, Result, ensure};
use cluster::{Namespace, deployment, pods::name};
use e2e::faults::{Parts, on_three_nodes, under, untouched};
use serde_json::Value;

/// A node that has reported nothing for 50 s counts as lost, or 40 s before Kubernetes 1.32.
const AWAY: Duration = Duration::from_secs(12);

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    let parts = Parts::from_environment()?;
    let (mut load, [node, _]) = on_three_nodes(namespace)?;
    let before = deployment::ready_pods(namespace, 3)?;
    let on_node = |pod: &&Value| pod["spec"]["nodeName"] == *node;
    let pod = name(before.iter().find(on_node).context("each node has a Pod")?);
    let enter = || namespace.kubectl(&format!("exec {pod} -c oneapi -- /oneapi --version"));
    enter()?;
    for part in ["kubelet", "containerd"] {
        let part = format!("{part} {node}");
        let seen = under(namespace, &mut load, &format!("without {part}"), || {
            parts.without(&part, || {
                sleep(AWAY);
                ensure!(enter().is_err(), "{part} is away");
                Ok(())
            })
        })?;
        ensure!(seen.count.failures() == 0, "{seen}");
    }
    untouched(namespace, &before)
}
