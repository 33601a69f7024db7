//! A story is an end-to-end test of one lesson. This is the life of one: it gets a namespace of
//! its own, runs, reports all that helps to see why when it fails, and its namespace is deleted.

use std::fmt::Write as _;
use std::panic::{self, AssertUnwindSafe};

use anyhow::{Result, anyhow};

use crate::{
    cluster::Cluster,
    feature::Skipped,
    namespace::{Namespace, SOON},
};

/// The label of every namespace that a story makes; its value is the run's suffix. By it the
/// namespaces of a run that was interrupted can be found and deleted.
pub const LABEL: &str = "chesterapi-story";

/// What a story's namespace enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// What `k8s/ns.yaml` says: Pod Security `restricted`.
    Restricted,
    /// Nothing, as in the namespace `default`: `kubectl run` sets no security context.
    Unrestricted,
}

/// The name of a story's namespace in this run.
pub fn namespace_name(cluster: &Cluster, story: &str) -> String {
    format!("chester-{}-{}", story.replace('_', "-"), cluster.run)
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

/// The namespaces that other runs have left on the cluster, or are still using.
///
/// # Errors
/// When kubectl fails.
pub fn namespaces_of_other_runs(cluster: &Cluster) -> Result<Vec<String>> {
    let names = Namespace::new(cluster, "default").kubectl(&format!(
        "get namespaces -l {LABEL} --field-selector status.phase=Active -o name"
    ))?;
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
    // Until then, its pods are rejected.
    namespace.until("the namespace has its service account", SOON, || {
        let account = namespace.kubectl("get serviceaccount default --ignore-not-found -o name")?;
        Ok((!account.is_empty()).then_some(()))
    })
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
