//! A node is short of memory, and another one of disk, under load: the kubelet evicts the Pod without its grace
//! period, the next one is on another node, and when the pressure is over, the node takes Pods again.

use anyhow::{Result, ensure};
use cluster::{
    Namespace,
    deployment::{self, NAME},
    pods::{condition, is_ready},
};
use e2e::faults::{Parts, on_three_nodes, under};
use serde_json::Value;

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    let parts = Parts::from_environment()?;
    let (mut load, nodes) = on_three_nodes(namespace)?;
    let short = [("memory", "MemoryPressure"), ("disk", "DiskPressure")];
    for ((part, kind), node) in short.iter().zip(&nodes) {
        let is_short = || -> Result<bool> {
            let node = namespace.json(&format!("get node {node}"))?;
            Ok(condition(&node, kind)["status"] == "True")
        };
        let there = |pod: &&Value| pod["spec"]["nodeName"] == **node;
        let seen = under(namespace, &mut load, kind, || {
            parts.without(&format!("{part} {node}"), || {
                namespace.until("the node is short of it", || Ok(is_short()?.then_some(())))?;
                namespace.until("its Pod is evicted, and three are elsewhere", || {
                    let pods = deployment::all_pods(namespace)?;
                    let evicted = pods.iter().filter(there);
                    let evicted = evicted.filter(|it| it["status"]["reason"] == "Evicted");
                    let ready = pods.iter().filter(|it| is_ready(it) && !there(it));
                    Ok((evicted.count() > 0 && ready.count() == 3).then_some(()))
                })
            })?;
            namespace.until("the pressure is over", || Ok((!is_short()?).then_some(())))
        })?;
        let (failed, requests) = (seen.count.failures(), seen.count.requests);
        ensure!(
            failed * 20 < requests,
            "for a moment, a third of them: {seen}"
        );
        namespace.kubectl(&format!("rollout restart deployment/{NAME}"))?;
        deployment::rolled_out(namespace, NAME)?;
        namespace.until("a new Pod is on the node", || {
            let pods = deployment::all_pods(namespace)?;
            let ready = pods.iter().filter(there).any(is_ready);
            Ok(ready.then_some(()))
        })?;
    }
    Ok(())
}
