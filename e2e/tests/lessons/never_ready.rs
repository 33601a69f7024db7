//! A version that never becomes ready: the rollout stops with all old pods in place and fails
//! after `progressDeadlineSeconds`, and an undo restores it.

use e2e::{
    Namespace, Result, ask, deployment, ensure,
    namespace::SOON,
    pods::{self, is_ready, name},
};

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    let good = deployment::deploy(namespace)?;
    deployment::patch(namespace, "k8s/lessons/never-ready.patch.yaml")?;
    let status = namespace.fails("rollout status deployment/chesterdeployment --timeout=60s")?;
    ensure!(
        status.contains("exceeded its progress deadline"),
        "the rollout fails when its deadline is over: {status}"
    );
    let (old, new): (Vec<_>, Vec<_>) = deployment::pods(namespace)?
        .into_iter()
        .partition(|pod| good.iter().any(|before| name(before) == name(pod)));
    ensure!(
        old.len() == 3 && old.iter().all(is_ready),
        "the three old pods are in place, ready"
    );
    ensure!(
        !new.is_empty() && !new.iter().any(is_ready),
        "the new ones are there, none ready"
    );
    pods::event(
        namespace,
        name(&new[0]),
        "Unhealthy",
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
    )?;
    ask::service(namespace, "chesterservice", 5001, "/test/calloneapi")?;

    namespace.kubectl("rollout undo deployment/chesterdeployment")?;
    // Until the controller has seen the undo, `rollout status` still reports the failure.
    namespace.until("the rollout is well again", SOON, || {
        Ok(deployment::rolled_out(namespace).ok())
    })?;
    let pods = deployment::ready_pods(namespace, 3)?;
    ensure!(
        pods.iter()
            .all(|pod| good.iter().any(|before| name(before) == name(pod))),
        "the same three pods as before, none of which ever stopped"
    );
    Ok(())
}
