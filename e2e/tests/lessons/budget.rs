//! A disruption budget: it allows one eviction, or none, and says why it refuses.

use e2e::{
    Namespace, Result, deployment, ensure, manifest,
    namespace::SOON,
    pods::{self, is_ready, name},
};

const BUDGET: &str = "chesterbudget";

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    let pods = deployment::deploy(namespace)?;
    allows(namespace, 1)?;
    namespace.kubectl(&format!(
        "patch pdb {BUDGET} --type merge --patch-file {}",
        manifest::path("k8s/lessons/no-disruption.patch.yaml").display()
    ))?;
    allows(namespace, 0)?;
    let pod = name(&pods[0]);
    let refused = match deployment::evict(namespace, pod) {
        Ok(()) => String::new(),
        Err(error) => format!("{error:#}"),
    };
    ensure!(
        refused.contains("Cannot evict pod as it would violate the pod's disruption budget"),
        "the budget refuses, and says so: {refused}"
    );
    let there = pods::get(namespace, pod)?;
    ensure!(
        is_ready(&there) && !pods::is_stopping(&there),
        "nothing has happened to the pod"
    );
    // What is deleted is not asked for: a budget is about evictions only.
    namespace.kubectl(&format!("delete pod {pod} --wait=false"))?;
    deployment::ready_pods(namespace, 3)?;

    namespace.apply("k8s/pdb.yaml")?;
    allows(namespace, 1)?;
    let pods = deployment::ready_pods(namespace, 3)?;
    deployment::evict(namespace, name(&pods[0]))?;
    let after = deployment::ready_pods(namespace, 3)?;
    ensure!(
        !after.iter().any(|pod| name(pod) == name(&pods[0])),
        "the evicted pod is replaced by another one"
    );
    Ok(())
}

/// The column ALLOWED DISRUPTIONS.
fn allows(namespace: &Namespace<'_>, count: u64) -> Result<()> {
    let what = format!("the budget allows {count} disruptions");
    namespace.until(&what, SOON, || {
        let budget = namespace.json(&format!("get pdb {BUDGET}"))?;
        let current = budget["status"]["observedGeneration"] == budget["metadata"]["generation"];
        Ok((current && budget["status"]["disruptionsAllowed"] == count).then_some(()))
    })
}
