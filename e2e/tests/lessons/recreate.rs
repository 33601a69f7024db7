//! Step 8: the strategy Recreate: all old pods are gone before the first new one is there.

use e2e::{
    Namespace, Result, deployment, ensure,
    pods::{image, name},
    watch::Watch,
};

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    let old = deployment::deploy(namespace)?;
    deployment::patch(namespace, "k8s/lessons/recreate.patch.yaml")?;

    let watch = Watch::start(namespace)?;
    let next = namespace.cluster.image("oneapi", &namespace.cluster.next);
    deployment::update_to(namespace, &namespace.cluster.next)?;
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
