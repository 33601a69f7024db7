//! `make bench-cluster`: how long pods take to be Ready, beside the same container without a probe, the
//! least that a pod takes on this cluster; and how long a rolling update of ten replicas takes.

use std::time::Instant;

use anyhow::Result;
use cluster::{
    Cluster, Namespace, deployment,
    life::{self, Security},
};
use serde_json::{Value, json};

use crate::table::{Table, Tables, Unit};

/// How often each is measured in turn.
const ROUNDS: usize = 5;

/// The replicas of the rolling update.
const REPLICAS: usize = 10;

/// Measures on the cluster of the environment. Returns the tables, and of what: Kubernetes and the images.
pub fn run() -> Result<(Tables, String)> {
    let cluster = Cluster::from_environment()?;
    life::run(&cluster, "bench", Security::Unrestricted, |namespace| {
        let of = format!("Kubernetes {} · images {}", cluster.version()?, cluster.tag);
        let (starts, updates) = (starts(namespace)?, updates(namespace)?);
        Ok((vec![("starts", starts), ("updates", updates)], of))
    })
}

fn starts(namespace: &Namespace<'_>) -> Result<Table> {
    start(namespace, true, 1)?; // the node has the image then
    let mut table = Table::new(["oneapi", "without a probe"]);
    for (what, count) in [
        ("1 Pod from kubectl create to Ready", 1),
        ("30 Pods from kubectl create to Ready", 30),
    ] {
        let mut samples = [Vec::new(), Vec::new()];
        for turn in 0..2 * ROUNDS {
            // Forwards, and then backwards.
            let which = turn.div_ceil(2) % 2;
            samples[which].push(start(namespace, which == 0, count)?);
        }
        table.add(what, Unit::Seconds, &samples);
    }
    Ok(table)
}

/// The seconds from `kubectl create` of so many pods until all are Ready.
fn start(namespace: &Namespace<'_>, has_probe: bool, count: usize) -> Result<f64> {
    let image = namespace.cluster.image("oneapi", &namespace.cluster.tag);
    let pods: Vec<Value> = (0..count).map(|it| pod(&image, has_probe, it)).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": pods}).to_string();
    let begun = Instant::now();
    namespace.kubectl_with("create -f -", &list)?;
    namespace.kubectl("wait pods --for=condition=Ready --timeout=120s -l app=chesterapi")?;
    let took = begun.elapsed().as_secs_f64();
    namespace.kubectl("delete pods --wait -l app=chesterapi")?;
    Ok(took)
}

/// A pod of oneapi alone. Without a probe it is Ready when its container runs.
fn pod(image: &str, has_probe: bool, number: usize) -> Value {
    let probe = json!({"httpGet": {"path": "/readyz", "port": 5000}, "periodSeconds": 1});
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": format!("oneapi-{number}"), "labels": {"app": "chesterapi"}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "oneapi",
                "image": image,
                "readinessProbe": has_probe.then_some(probe),
            }],
        },
    })
}

fn updates(namespace: &Namespace<'_>) -> Result<Table> {
    namespace.apply("k8s/deployment.yaml")?;
    let scale = format!("scale deployment chesterdeployment --replicas={REPLICAS}");
    namespace.kubectl(&scale)?;
    deployment::rolled_out(namespace, deployment::NAME)?;
    let (mut complete, mut drained) = (Vec::new(), Vec::new());
    // The first one, which isn't counted, has the node pull the next version's images.
    for number in 0..=ROUNDS {
        let Cluster { tag, next, .. } = namespace.cluster;
        let begun = Instant::now();
        deployment::update_to(namespace, if number % 2 == 0 { next } else { tag })?;
        let rolled_out = begun.elapsed().as_secs_f64();
        namespace.until("the old pods are gone", || {
            let pods = deployment::all_pods(namespace)?;
            Ok((pods.len() == REPLICAS).then_some(()))
        })?;
        if number > 0 {
            complete.push(rolled_out);
            drained.push(begun.elapsed().as_secs_f64() - rolled_out);
        }
    }
    let mut table = Table::new(["rolling update of 10 replicas"]);
    let what = "from kubectl set image to the end of the rollout";
    table.add(what, Unit::Seconds, &[complete]);
    let what = "from then until the last old Pod has gone";
    table.add(what, Unit::Seconds, &[drained]);
    Ok(table)
}
