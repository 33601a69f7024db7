//! From three pods to ten, and back.

use std::collections::BTreeSet;

use e2e::{Namespace, Result, ask, deployment, ensure, pods::name};

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    deployment::deploy(namespace)?;
    namespace.kubectl("scale deployment chesterdeployment --replicas=10")?;
    let mut said = BTreeSet::new();
    for pod in &deployment::ready_pods(namespace, 10)? {
        said.insert(ask::pod(namespace, name(pod), 5001, "/test/calloneapi")?);
    }
    ensure!(said.len() == 10, "ten pods say ten IPs: {said:?}");

    namespace.kubectl("scale deployment chesterdeployment --replicas=3")?;
    for pod in &deployment::ready_pods(namespace, 3)? {
        ask::pod(namespace, name(pod), 5001, "/test/calloneapi")?;
    }
    Ok(())
}
