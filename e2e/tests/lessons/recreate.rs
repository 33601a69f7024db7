//! The strategy Recreate: all old pods are gone before the first new one is there, and for a
//! while nobody answers.

use e2e::{
    Context, Namespace, Result, deployment, ensure,
    namespace::SOON,
    pods::{self, image, name},
    watch::Watch,
};

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    let old = deployment::deploy(namespace)?;
    // A client in the cluster: any pod that doesn't belong to the Service.
    namespace.apply("k8s/lessons/prestop.yaml")?;
    pods::ready(namespace, "prestop")?;
    deployment::patch(namespace, "k8s/lessons/recreate.patch.yaml")?;

    let watch = Watch::start(namespace)?;
    let next = namespace.cluster.image("oneapi", &namespace.cluster.next);
    deployment::update_to(namespace, &namespace.cluster.next)?;
    nobody_is_ready(namespace)?;
    deployment::rolled_out(namespace)?;
    deployment::ready_pods(namespace, 3)?;
    let changes = watch.end();

    let is_old = |pod: &e2e::Value| old.iter().any(|before| name(before) == name(pod));
    let ended = |pod: &e2e::Value| {
        let phase = &pod["status"]["phase"];
        phase == "Succeeded" || phase == "Failed"
    };
    let first_new = changes
        .iter()
        .position(|change| !is_old(&change.pod) && image(&change.pod, "oneapi") == next);
    ensure!(first_new.is_some(), "new pods were seen");
    for pod in &old {
        let end = changes.iter().position(|change| {
            name(&change.pod) == name(pod) && (change.kind == "DELETED" || ended(&change.pod))
        });
        ensure!(
            end.is_some() && end < first_new,
            "{} has ended before the first new pod is made",
            name(pod)
        );
    }
    Ok(())
}

/// While all pods are stopping, the API server reaches none of them; kube-proxy does, until their
/// readiness probes have failed.
fn nobody_is_ready(namespace: &Namespace<'_>) -> Result<()> {
    namespace.until("all old pods are stopping", SOON, || {
        Ok(deployment::pods(namespace)?.is_empty().then_some(()))
    })?;
    let ask = "exec prestop -- /oneapi probe http://chesterservice:5001/test/calloneapi";
    namespace
        .kubectl(ask)
        .context("kube-proxy sends to pods that are stopping when none is ready")?;
    let proxied = namespace.fails(&format!(
        "get --raw /api/v1/namespaces/{}/services/chesterservice:5001/proxy/test/calloneapi",
        namespace.name
    ))?;
    ensure!(
        proxied.contains("no endpoints available"),
        "the API server sends to ready pods only: {proxied}"
    );
    namespace.until("nobody answers", SOON, || {
        Ok(namespace.kubectl(ask).is_err().then_some(()))
    })
}
