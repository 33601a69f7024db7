//! The cluster's nodes: which of them take pods, keeping the Deployment off one of them, and the drain
//! of another.

use anyhow::{Context as _, Result};
use cluster::{
    Namespace, SOON,
    deployment::{self, NAME},
};
use serde_json::{Value, json};

/// The nodes on which pods are scheduled, by their names.
pub fn schedulable(namespace: &Namespace<'_>) -> Result<Vec<String>> {
    let nodes = namespace.json("get nodes")?;
    let nodes = nodes["items"].as_array().context("a list has items")?;
    let names = nodes.iter().filter(|node| takes_pods(node));
    let names = names.filter_map(|node| node["metadata"]["name"].as_str());
    Ok(names.map(str::to_owned).collect())
}

fn takes_pods(node: &Value) -> bool {
    let keeps_off = |taint: &Value| taint["effect"] != "PreferNoSchedule";
    let taints = node["spec"]["taints"].as_array();
    !taints.is_some_and(|taints| taints.iter().any(keeps_off))
}

/// By this label `drain` finds the pods of this run: kubectl looks in all namespaces.
const LABEL: &str = "chesterapi-test";

/// Keeps the Deployment's pods off a node and gives them the label for `drain`; waits until that is done.
pub fn keep_off(namespace: &Namespace<'_>, node: &str) -> Result<()> {
    let elsewhere =
        json!({ "key": "kubernetes.io/hostname", "operator": "NotIn", "values": [node] });
    let required = json!({ "nodeSelectorTerms": [{ "matchExpressions": [elsewhere] }] });
    let affinity = json!({ "requiredDuringSchedulingIgnoredDuringExecution": required });
    let template = json!({
        "metadata": { "labels": { LABEL: namespace.cluster.run } },
        "spec": { "affinity": { "nodeAffinity": affinity } },
    });
    let patch = json!({ "spec": { "template": template } });
    namespace.kubectl(&format!("patch deployment {NAME} -p {patch}"))?;
    deployment::rolled_out(namespace, NAME)
}

/// Drains a node of the Deployment's pods, waits until so many are Ready elsewhere, and uncordons the node.
pub fn drain(namespace: &Namespace<'_>, node: &str, pods: usize) -> Result<()> {
    let (run, timeout) = (&namespace.cluster.run, SOON.as_secs());
    let drained = namespace.kubectl(&format!(
        "drain {node} --ignore-daemonsets --pod-selector={LABEL}={run} --timeout={timeout}s"
    ));
    let ready = drained.and_then(|_| deployment::ready_pods(namespace, pods));
    let uncordoned = namespace.kubectl(&format!("uncordon {node}"));
    ready.and(uncordoned).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_takes_pods_unless_a_taint_keeps_them_off() {
        for (taints, takes) in [
            (json!(null), true),
            (json!([{ "effect": "PreferNoSchedule" }]), true),
            (
                json!([{ "key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule" }]),
                false,
            ),
            (
                json!([{ "effect": "PreferNoSchedule" }, { "effect": "NoExecute" }]),
                false,
            ),
        ] {
            let node = json!({ "spec": { "taints": taints } });
            assert_eq!(takes_pods(&node), takes, "{node}");
        }
    }
}
