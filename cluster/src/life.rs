//! The life of a namespace: it is made for a test, the test runs, a failure is reported with all that
//! helps to see why, and the namespace is deleted.

use std::{
    fmt::{self, Write as _},
    panic::{self, AssertUnwindSafe},
};

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use crate::{images::Cluster, namespace::Namespace};

/// The label of every namespace that is made here; its value is the run's suffix. By it the
/// namespaces of a run that was interrupted can be found and deleted.
pub const LABEL: &str = "chesterapi-story";

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

/// Creates a namespace, has `test` use it, and deletes it, also when `test` fails or panics. What
/// `test` started in the background ends with it.
///
/// # Errors
/// When `test` fails: why, and then its transcript, the pods, their events and their logs. When
/// the cluster lacks something that it needs: [`Skipped`].
pub fn run<T>(
    cluster: &Cluster,
    name: &str,
    security: Security,
    test: impl FnOnce(&Namespace<'_>) -> Result<T>,
) -> Result<T> {
    let namespace = Namespace::new(cluster, name);
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        create(&namespace, security)?;
        test(&namespace)
    }))
    .unwrap_or_else(|_| Err(anyhow!("it panicked")))
    .map_err(|error| {
        if error.is::<Skipped>() {
            error
        } else {
            report(&namespace, &error)
        }
    });
    let deleted = namespace.kubectl(&format!(
        "delete namespace {name} --ignore-not-found --wait=false"
    ));
    match (result, deleted) {
        (Ok(_), Err(error)) => Err(error),
        (result, _) => result,
    }
}

/// Skips a test unless the API server and all kubelets are of Kubernetes 1.`minor` or newer.
///
/// # Errors
/// [`Skipped`] if one is older; when kubectl fails.
pub fn needs(namespace: &Namespace<'_>, minor: u32, feature: &str) -> Result<()> {
    let server = namespace.json("version")?["serverVersion"]["gitVersion"].take();
    let nodes = namespace.json("get nodes")?;
    let kubelets = nodes["items"].as_array().into_iter().flatten();
    let versions = kubelets
        .map(|node| ("a kubelet", &node["status"]["nodeInfo"]["kubeletVersion"]))
        .chain([("the API server", &server)]);
    for (who, version) in versions {
        let has = minor_of(version).with_context(|| format!("{who} has the version {version}"))?;
        if has < minor {
            let sentence = format!(
                "{feature} needs Kubernetes 1.{minor}, and {who} of this cluster is 1.{has}."
            );
            return Err(Skipped(sentence).into());
        }
    }
    Ok(())
}

/// 35 of `v1.35.4` and of `v1.35.4-gke.100`.
fn minor_of(version: &Value) -> Option<u32> {
    let mut parts = version.as_str()?.trim_start_matches('v').split('.');
    parts.next().filter(|major| *major == "1")?;
    parts.next()?.parse().ok()
}

/// The namespaces that other runs have left on the cluster, or are still using.
///
/// # Errors
/// When kubectl fails.
pub fn namespaces_of_other_runs(cluster: &Cluster) -> Result<Vec<String>> {
    let names = cluster.kubectl.run(&[
        "get",
        "namespaces",
        "-l",
        LABEL,
        "--field-selector=status.phase=Active",
        "--output=name",
    ])?;
    Ok(names
        .lines()
        .map(|name| name.trim_start_matches("namespace/").to_owned())
        .collect())
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
    let mut report = format!(
        "{error:#}\n\n--- transcript\n{}",
        namespace.take_transcript()
    );
    let pods = namespace.output("get pods -o name");
    let logs = pods
        .lines()
        .map(|pod| format!("logs {pod} --all-containers --prefix --tail=50"));
    for words in [
        "get pods -o wide",
        "get events --sort-by=.lastTimestamp",
        "describe pods",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(logs)
    {
        let output = namespace.output(&words);
        writeln!(report, "\n--- kubectl {words}\n{output}").expect("a string takes it");
    }
    anyhow!(report)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_is_read_whatever_a_distribution_appends() {
        for (version, minor) in [
            ("v1.35.4", Some(35)),
            ("v1.9.0", Some(9)),
            ("v1.34.1-gke.1829001", Some(34)),
            ("v1.33.5+k3s1", Some(33)),
            ("unknown", None),
        ] {
            assert_eq!(minor_of(&json!(version)), minor, "{version}");
        }
        assert_eq!(minor_of(&Value::Null), None);
    }
}
