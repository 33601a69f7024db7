//! The shipped Deployment: bringing it up, changing it, and waiting until its pods have followed.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::{
    manifest,
    namespace::Namespace,
    pods::{self, is_ready, is_stopping},
    wait::SOON,
};

/// Its name.
pub const NAME: &str = "chesterdeployment";

/// Its pods, by their label.
const SELECTOR: &str = "app=chesterapi";

/// Applies the shipped Deployment, its Service and its disruption budget; waits until all pods are Ready.
pub fn deploy(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/deployment.yaml")?;
    namespace.apply("k8s/service.yaml")?;
    namespace.apply("k8s/pdb.yaml")?;
    rolled_out(namespace, NAME)?;
    ready_pods(namespace, 3).map(drop)
}

/// Deletes the Deployment, if there is one, and creates it anew with these patches.
pub fn redeploy(namespace: &Namespace<'_>, patches: &[&str]) -> Result<()> {
    // It is gone when its pods are.
    let delete = "delete deployment chesterdeployment --cascade=foreground --ignore-not-found";
    namespace.kubectl(delete)?;
    namespace.apply("k8s/deployment.yaml")?;
    patches.iter().try_for_each(|file| patch(namespace, file))?;
    rolled_out(namespace, NAME)
}

/// The pods, with those that are stopping.
pub fn all_pods(namespace: &Namespace<'_>) -> Result<Vec<Value>> {
    pods::list(namespace, SELECTOR)
}

/// Waits until there are exactly `count` pods that aren't stopping, all of them Ready.
pub fn ready_pods(namespace: &Namespace<'_>, count: usize) -> Result<Vec<Value>> {
    namespace.until(&format!("{count} pods are Ready"), || {
        let mut pods = all_pods(namespace)?;
        pods.retain(|pod| !is_stopping(pod));
        Ok((pods.len() == count && pods.iter().all(is_ready)).then_some(pods))
    })
}

/// Applies a shipped patch to the Deployment. One that changes nothing is an error.
pub fn patch(namespace: &Namespace<'_>, file: &str) -> Result<()> {
    let path = manifest::path(file);
    let patch = format!(
        "patch deployment chesterdeployment --patch-file {}",
        path.display()
    );
    let output = namespace.kubectl(&patch)?;
    ensure!(!output.contains("no change"), "{file} changes nothing");
    Ok(())
}

/// Gives both containers the images of that version, and waits until the rollout is complete.
pub fn update_to(namespace: &Namespace<'_>, tag: &str) -> Result<()> {
    let [oneapi, twoapi] = ["oneapi", "twoapi"].map(|it| namespace.cluster.image(it, tag));
    namespace.kubectl(&format!(
        "set image deployment/chesterdeployment oneapi={oneapi} twoapi={twoapi}"
    ))?;
    rolled_out(namespace, NAME)
}

/// Waits until a Deployment's rollout is complete.
pub fn rolled_out(namespace: &Namespace<'_>, name: &str) -> Result<()> {
    let timeout = SOON.as_secs();
    let status = format!("rollout status deployment/{name} --timeout={timeout}s");
    let output = namespace.kubectl(&status)?;
    let complete = output.contains("successfully rolled out");
    ensure!(complete, "rollout status says: {output}");
    Ok(())
}

/// Requests a pod's eviction, as the drain of a node does. It is an error when the disruption budget
/// doesn't allow it now.
pub fn evict(namespace: &Namespace<'_>, pod: &str) -> Result<()> {
    let name = &namespace.name;
    let eviction = json!({
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": { "name": pod, "namespace": name },
    });
    let create = format!("create --raw /api/v1/namespaces/{name}/pods/{pod}/eviction -f -");
    namespace.kubectl_with(&create, &eviction.to_string())?;
    Ok(())
}
