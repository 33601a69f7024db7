//! The API server is away for a minute, under load. Pods and kube-proxy go on with what they know.

use std::{thread::sleep, time::Duration};

use anyhow::{Result, ensure};
use cluster::{Namespace, deployment};
use e2e::faults::{Parts, on_three_nodes, under, untouched};

const AWAY: Duration = Duration::from_secs(60);

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    let parts = Parts::from_environment()?;
    let (mut load, _) = on_three_nodes(namespace)?;
    let before = deployment::ready_pods(namespace, 3)?;
    let seen = under(namespace, &mut load, "without the API server", || {
        parts.without("api-server", || {
            sleep(AWAY);
            let asked = namespace.kubectl("get pods");
            ensure!(asked.is_err(), "it is away");
            Ok(())
        })
    })?;
    // When it is back, the controller manager may not have heard of a node for 50 s: it takes the node for lost
    // until it has, which is seconds, and its pods get no requests.
    let lost = namespace.kubectl("get events --field-selector reason=NodeNotReady -o name")?;
    let failed = seen.count.failures();
    let some = !lost.is_empty() && failed * 2 < seen.count.requests;
    ensure!(failed == 0 || some, "{seen}");
    untouched(namespace, &before)
}
