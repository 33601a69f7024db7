//! The life of a namespace: it is made for a test, the test runs, a failure is reported with all that
//! helps to see why, and the namespace is deleted.

use std::{
    fmt::{self, Write as _},
    panic::{self, AssertUnwindSafe},
};

use anyhow::{Result, anyhow};

use crate::{images::Cluster, namespace::Namespace};

/// The label of every namespace that is made here; its value is the run's suffix. By it the
/// namespaces of a run that was interrupted can be found and deleted.
pub const LABEL: &str = "chesterapi-test";

/// Why a test can't run here: one sentence.
#[derive(Clone, Debug)]
pub struct Skipped(pub String);

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skipped {}

/// What a namespace enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// What `k8s/ns.yaml` says: Pod Security `restricted`.
    Restricted,
    /// Nothing, as in the namespace `default`: `kubectl run` sets no security context.
    Unrestricted,
}

/// The name of a test's namespace in this run.
pub fn namespace_name(cluster: &Cluster, test: &str) -> String {
    format!("chester-{}-{}", test.replace('_', "-"), cluster.run)
}

/// Has a test use a namespace of its own. The namespace is deleted, also when the test fails or panics,
/// and what it started in the background ends with it. The error is [`Skipped`], or why it failed, with
/// the transcript, the pods, their events and their logs.
pub fn run<T>(
    cluster: &Cluster,
    name: &str,
    security: Security,
    test: impl FnOnce(&Namespace<'_>) -> Result<T>,
) -> Result<T> {
    let name = &namespace_name(cluster, name);
    let namespace = Namespace::new(cluster, name);
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        create(&namespace, security)?;
        test(&namespace)
    }))
    .unwrap_or_else(|_| Err(anyhow!("it panicked")))
    .map_err(|error| match error.is::<Skipped>() {
        true => error,
        false => report(&namespace, &error),
    });
    let deleted = namespace.kubectl(&format!(
        "delete namespace {name} --ignore-not-found --wait=false"
    ));
    result.and_then(|value| deleted.map(|_| value))
}

/// Skips a test if a feature gate is off in the API server or in a kubelet. Their metrics tell of each gate
/// that they have; one that isn't among them was removed, because its feature is stable. (A node's
/// `declaredFeatures` has only those gates that the scheduler chooses nodes by.)
pub fn needs(namespace: &Namespace<'_>, gate: &str) -> Result<()> {
    let nodes = namespace.kubectl("get nodes -o name")?;
    let nodes = nodes.lines().map(|it| it.trim_start_matches("node/"));
    let kubelets = nodes.map(|node| format!("/api/v1/nodes/{node}/proxy/metrics"));
    for metrics in kubelets.chain(["/metrics".to_owned()]) {
        if is_off(&namespace.output(&format!("get --raw {metrics}")), gate) {
            let sentence = format!("The feature gate {gate} is off, as {metrics} says.");
            return Err(Skipped(sentence).into());
        }
    }
    Ok(())
}

fn is_off(metrics: &str, gate: &str) -> bool {
    let gate = format!("kubernetes_feature_enabled{{name=\"{gate}\",");
    let mut lines = metrics.lines();
    lines.any(|line| line.starts_with(&gate) && line.ends_with(" 0"))
}

fn create(namespace: &Namespace<'_>, security: Security) -> Result<()> {
    let (name, run) = (&namespace.name, &namespace.cluster.run);
    match security {
        Security::Restricted => namespace.apply("k8s/ns.yaml")?,
        Security::Unrestricted => drop(namespace.kubectl(&format!("create namespace {name}"))?),
    }
    namespace.kubectl(&format!("label namespace {name} {LABEL}={run}"))?;
    namespace.cluster.kubectl.wait_for_account(name)
}

fn report(namespace: &Namespace<'_>, error: &anyhow::Error) -> anyhow::Error {
    let transcript = namespace.take_transcript();
    let mut report = format!("{error:#}\n\n--- transcript\n{transcript}");
    let all = "get pods -o wide|get events --sort-by=.lastTimestamp|describe pods".split('|');
    let pods = namespace.output("get pods -o name");
    let logs = |pod| format!("logs {pod} --all-containers --prefix --tail=50");
    for words in all.map(str::to_owned).chain(pods.lines().map(logs)) {
        let output = namespace.output(&words);
        writeln!(report, "\n--- kubectl {words}\n{output}").expect("a string takes it");
    }
    anyhow!(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_off_where_the_metrics_say_so() {
        let metrics = "# TYPE kubernetes_feature_enabled gauge\n\
            kubernetes_feature_enabled{name=\"Resize\",stage=\"BETA\"} 0\n\
            kubernetes_feature_enabled{name=\"ResizePods\",stage=\"\"} 1\n";
        for (gate, off) in [("Resize", true), ("ResizePods", false), ("Pods", false)] {
            assert_eq!(is_off(metrics, gate), off, "{gate}");
        }
    }
}
