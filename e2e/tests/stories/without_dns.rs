//! No name of the cluster is resolved, under load: the pair needs no DNS, so an update is complete without it, and
//! a load goes on with the addresses that it knows.

use anyhow::{Result, ensure};
use cluster::{Namespace, deployment};
use e2e::faults::{Parts, on_three_nodes, under};

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    let parts = Parts::from_environment()?;
    let (mut load, _) = on_three_nodes(namespace)?;
    let seen = under(namespace, &mut load, "an update without DNS", || {
        parts.without("dns", || {
            namespace.kubectl("rollout restart deployment/chesterdeployment")?;
            deployment::rolled_out(namespace, deployment::NAME)
        })
    })?;
    let told = load.says("can't be resolved any more");
    ensure!(told, "the load says that it finds the Service no more");
    ensure!(seen.count.failures() == 0, "{seen}");
    Ok(())
}
