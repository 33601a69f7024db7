//! The registry is away, under load. A Pod whose images are on its node starts without it. With
//! `imagePullPolicy: Always` it doesn't: an update waits, its old Pods answer, and it is complete by itself when
//! the registry is back.

use anyhow::{Result, ensure};
use cluster::{Namespace, deployment};
use e2e::faults::{self, Parts, on_three_nodes, under};
use serde_json::Value;

const ALWAYS: &str = r#"{"spec":{"template":{"spec":{"containers":[{"name":"oneapi","imagePullPolicy":"Always"},{"name":"twoapi","imagePullPolicy":"Always"}]}}}}"#;

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    let parts = Parts::from_environment()?;
    let (mut load, _) = on_three_nodes(namespace)?;
    let present = under(
        namespace,
        &mut load,
        "Pods replaced without a registry",
        || {
            parts.without("registry", || {
                namespace.kubectl("rollout restart deployment/chesterdeployment")?;
                deployment::rolled_out(namespace, deployment::NAME)?;
                faults::well(namespace)
            })
        },
    )?;
    let pulled = under(
        namespace,
        &mut load,
        "an update that needs the registry",
        || {
            parts.without("registry", || {
                namespace.kubectl(&format!("patch deployment chesterdeployment -p {ALWAYS}"))?;
                namespace.until("no new Pod can start", || {
                    let pods = deployment::all_pods(namespace)?;
                    let waits = |pod: &&Value| {
                        let reason =
                            &pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"];
                        *reason == "ErrImagePull" || *reason == "ImagePullBackOff"
                    };
                    Ok((pods.iter().filter(waits).count() == 3).then_some(()))
                })
            })?;
            deployment::rolled_out(namespace, deployment::NAME)
        },
    )?;
    for seen in [&present, &pulled] {
        ensure!(seen.count.failures() == 0, "{seen}");
    }
    Ok(())
}
