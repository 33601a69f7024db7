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
    ensure!(seen.count.failures() == 0, "{seen}");
    untouched(namespace, &before)
}
