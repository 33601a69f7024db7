//! The shipped Deployment: bringing it up, changing it, and waiting until its pods have followed.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::{
    manifest,
    namespace::Namespace,
    pods::{self, is_ready, is_stopping},
    wait::SOON,
};

/// Its pods, by their label.
pub const SELECTOR: &str = "app=chesterapi";

/// Applies the shipped Deployment, its Service and its disruption budget; returns the pods when
/// all of them are Ready.
///
/// # Errors
/// When it doesn't come up.
pub fn deploy(namespace: &Namespace<'_>) -> Result<Vec<Value>> {
    namespace.apply("k8s/deployment.yaml")?;
    namespace.apply("k8s/service.yaml")?;
    namespace.apply("k8s/pdb.yaml")?;
    rolled_out(namespace)?;
    ready_pods(namespace, 3)
}

/// Deletes the Deployment, if there is one, and creates it anew with these patches.
///
/// # Errors
/// When it doesn't come up.
pub fn redeploy(namespace: &Namespace<'_>, patches: &[&str]) -> Result<()> {
    let timeout = SOON.as_secs();
    namespace.kubectl("delete deployment chesterdeployment --ignore-not-found")?;
    namespace.kubectl(&format!(
        "wait --for=delete pod -l {SELECTOR} --timeout={timeout}s"
    ))?;
    namespace.apply("k8s/deployment.yaml")?;
    patches.iter().try_for_each(|file| patch(namespace, file))?;
    rolled_out(namespace)
}

/// The pods, without those that are stopping.
///
/// # Errors
/// When kubectl fails.
pub fn pods(namespace: &Namespace<'_>) -> Result<Vec<Value>> {
    let mut pods = all_pods(namespace)?;
    pods.retain(|pod| !is_stopping(pod));
    Ok(pods)
}

/// The pods, with those that are stopping.
///
/// # Errors
/// When kubectl fails.
pub fn all_pods(namespace: &Namespace<'_>) -> Result<Vec<Value>> {
    pods::list(namespace, SELECTOR)
}

/// Waits until there are exactly `count` pods that aren't stopping, all of them Ready.
///
/// # Errors
/// When it takes too long.
pub fn ready_pods(namespace: &Namespace<'_>, count: usize) -> Result<Vec<Value>> {
    namespace.until(&format!("{count} pods are Ready"), SOON, || {
        let pods = pods(namespace)?;
        Ok((pods.len() == count && pods.iter().all(is_ready)).then_some(pods))
    })
}

/// Applies a shipped patch to the Deployment.
///
/// # Errors
/// When kubectl fails, or the patch changes nothing.
pub fn patch(namespace: &Namespace<'_>, file: &str) -> Result<()> {
    let output = namespace.kubectl(&format!(
        "patch deployment chesterdeployment --patch-file {}",
        manifest::path(file).display()
    ))?;
    if output.contains("no change") {
        bail!("{file} changes nothing");
    }
    Ok(())
}

/// Gives both containers the images of that version.
///
/// # Errors
/// When kubectl fails.
pub fn update_to(namespace: &Namespace<'_>, tag: &str) -> Result<()> {
    let oneapi = namespace.cluster.image("oneapi", tag);
    let twoapi = namespace.cluster.image("twoapi", tag);
    namespace
        .kubectl(&format!(
            "set image deployment/chesterdeployment oneapi={oneapi} twoapi={twoapi}"
        ))
        .map(drop)
}

/// Waits until the Deployment's rollout is complete.
///
/// # Errors
/// When it fails or takes too long.
pub fn rolled_out(namespace: &Namespace<'_>) -> Result<()> {
    let timeout = SOON.as_secs();
    let output = namespace.kubectl(&format!(
        "rollout status deployment/chesterdeployment --timeout={timeout}s"
    ))?;
    if !output.contains("successfully rolled out") {
        bail!("rollout status says: {output}");
    }
    Ok(())
}

/// Requests a pod's eviction, as the drain of a node does.
///
/// # Errors
/// When the disruption budget doesn't allow it now.
pub fn evict(namespace: &Namespace<'_>, pod: &str) -> Result<()> {
    let name = &namespace.name;
    namespace
        .kubectl_with(
            &format!("create --raw /api/v1/namespaces/{name}/pods/{pod}/eviction -f -"),
            &format!(
                r#"{{"apiVersion":"policy/v1","kind":"Eviction","metadata":{{"name":"{pod}","namespace":"{name}"}}}}"#
            ),
        )
        .map(drop)
}
