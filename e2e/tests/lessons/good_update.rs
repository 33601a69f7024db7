//! A good update, from one version to the next: each pod is replaced by one that reports
//! the new version.

use e2e::{
    Namespace, Result, ask, deployment, ensure,
    pods::{image, name},
};

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    let old = deployment::deploy(namespace)?;
    let cluster = namespace.cluster;
    let oneapi = cluster.image("oneapi", &cluster.next);
    deployment::update_to(namespace, &cluster.next)?;
    deployment::rolled_out(namespace)?;
    for pod in &deployment::ready_pods(namespace, 3)? {
        ensure!(
            old.iter().all(|before| name(before) != name(pod)),
            "{} is a new pod",
            name(pod)
        );
        ensure!(
            image(pod, "oneapi") == oneapi,
            "{} has the new image",
            name(pod)
        );
        for port in [5000, 5001] {
            let info = ask::info(namespace, name(pod), port)?;
            ensure!(
                info["version"] == cluster.next.as_str(),
                "/info on port {port} says {}: {info}",
                cluster.next
            );
        }
    }
    Ok(())
}
