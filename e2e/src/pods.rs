//! What the stories read from a pod's JSON, under the names that kubectl shows.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::story::{SOON, Story};

/// A pod's name.
pub fn name(pod: &Value) -> &str {
    pod["metadata"]["name"].as_str().unwrap_or_default()
}

/// Whether the API server says that it is Ready.
pub fn is_ready(pod: &Value) -> bool {
    pod["status"]["conditions"]
        .as_array()
        .is_some_and(|conditions| {
            conditions
                .iter()
                .any(|it| it["type"] == "Ready" && it["status"] == "True")
        })
}

/// Whether it has been told to stop.
pub fn is_stopping(pod: &Value) -> bool {
    pod["metadata"]["deletionTimestamp"].is_string()
}

/// The image of one of its containers.
pub fn image<'a>(pod: &'a Value, container: &str) -> &'a str {
    pod["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|it| it["name"] == container)
        .and_then(|it| it["image"].as_str())
        .unwrap_or_default()
}

/// The status of one of its containers; null before the kubelet has said any.
pub fn container<'a>(pod: &'a Value, container: &str) -> &'a Value {
    pod["status"]["containerStatuses"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|it| it["name"] == container)
        .unwrap_or(&Value::Null)
}

/// How often a container was started again.
pub fn restarts(pod: &Value, name: &str) -> u64 {
    container(pod, name)["restartCount"].as_u64().unwrap_or(0)
}

/// How a container last ended, whether it has been started again since or not.
pub fn ended<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    let status = container(pod, name);
    [
        &status["state"]["terminated"],
        &status["lastState"]["terminated"],
    ]
    .into_iter()
    .find(|it| it.is_object())
}

impl Story<'_> {
    /// One pod.
    ///
    /// # Errors
    /// When it isn't there.
    pub fn pod(&self, name: &str) -> Result<Value> {
        self.json(&format!("get pod {name}"))
    }

    /// The Deployment's pods that aren't stopping.
    ///
    /// # Errors
    /// When kubectl fails.
    pub fn pods(&self) -> Result<Vec<Value>> {
        let list = self.json("get pods -l app=chesterapi")?;
        let pods = list["items"].as_array().context("a list has items")?;
        Ok(pods
            .iter()
            .filter(|pod| !is_stopping(pod))
            .cloned()
            .collect())
    }

    /// Waits until so many of the Deployment's pods are Ready, and no other is there that isn't
    /// stopping; gives them.
    ///
    /// # Errors
    /// When it takes too long.
    pub fn ready_pods(&self, count: usize) -> Result<Vec<Value>> {
        self.until(&format!("{count} pods are Ready"), SOON, || {
            let pods = self.pods()?;
            Ok((pods.len() == count && pods.iter().all(is_ready)).then_some(pods))
        })
    }

    /// Waits until a pod is Ready.
    ///
    /// # Errors
    /// When it takes too long.
    pub fn ready(&self, name: &str) -> Result<Value> {
        self.kubectl(&format!(
            "wait --for=condition=Ready pod/{name} --timeout={}s",
            SOON.as_secs()
        ))?;
        self.pod(name)
    }

    /// Waits until a container has been started again; gives the pod.
    ///
    /// # Errors
    /// When it takes too long.
    pub fn restarted(&self, pod: &str, container: &str) -> Result<Value> {
        self.until(
            &format!("{container} of {pod} has been restarted"),
            SOON,
            || {
                let pod = self.pod(pod)?;
                Ok((restarts(&pod, container) > 0).then_some(pod))
            },
        )
    }

    /// Waits for an event about an object, of that reason and with these words in it.
    ///
    /// # Errors
    /// When none comes.
    pub fn event(&self, object: &str, reason: &str, words: &str) -> Result<String> {
        self.until(
            &format!("an event {reason} of {object} says \"{words}\""),
            SOON,
            || {
                let events = self.json(&format!(
                    "get events --field-selector involvedObject.name={object},reason={reason}"
                ))?;
                let messages = events["items"].as_array().into_iter().flatten();
                Ok(messages
                    .filter_map(|event| event["message"].as_str())
                    .find(|message| message.contains(words))
                    .map(str::to_owned))
            },
        )
    }

    /// The Deployment from the shipped files, with its Service and its budget, all pods Ready.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub fn deploy(&self) -> Result<Vec<Value>> {
        self.apply("k8s/deployment.yaml")?;
        self.apply("k8s/service.yaml")?;
        self.apply("k8s/pdb.yaml")?;
        self.rolled_out()?;
        self.ready_pods(3)
    }

    /// The same in place of one that was changed, itself changed by these patches from the start.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub fn deploy_anew(&self, patches: &[&str]) -> Result<()> {
        self.kubectl("delete deployment chesterdeployment --ignore-not-found")?;
        self.kubectl(&format!(
            "wait --for=delete pod -l app=chesterapi --timeout={}s",
            SOON.as_secs()
        ))?;
        self.apply("k8s/deployment.yaml")?;
        patches.iter().try_for_each(|patch| self.patch(patch))?;
        self.rolled_out()
    }

    /// Asks for a pod's eviction, as a node's drain does.
    ///
    /// # Errors
    /// When the disruption budget doesn't allow it now.
    pub fn evict(&self, pod: &str) -> Result<()> {
        let namespace = &self.namespace;
        self.kubectl_with(
            &format!("create --raw /api/v1/namespaces/{namespace}/pods/{pod}/eviction -f -"),
            &format!(
                r#"{{"apiVersion":"policy/v1","kind":"Eviction","metadata":{{"name":"{pod}","namespace":"{namespace}"}}}}"#
            ),
        )
        .map(drop)
    }

    /// Changes the Deployment by a shipped patch.
    ///
    /// # Errors
    /// When kubectl fails, or the patch changes nothing.
    pub fn patch(&self, file: &str) -> Result<()> {
        let said = self.kubectl(&format!(
            "patch deployment chesterdeployment --patch-file {}",
            crate::manifest::path(file).display()
        ))?;
        if said.contains("no change") {
            bail!("{file} changes nothing");
        }
        Ok(())
    }

    /// Gives both containers the images of that version.
    ///
    /// # Errors
    /// When kubectl fails.
    pub fn update_to(&self, tag: &str) -> Result<()> {
        let (oneapi, twoapi) = (
            self.cluster.image("oneapi", tag),
            self.cluster.image("twoapi", tag),
        );
        self.kubectl(&format!(
            "set image deployment/chesterdeployment oneapi={oneapi} twoapi={twoapi}"
        ))?;
        Ok(())
    }

    /// Waits until the Deployment's rollout is done.
    ///
    /// # Errors
    /// When it fails or takes too long.
    pub fn rolled_out(&self) -> Result<()> {
        let said = self.kubectl(&format!(
            "rollout status deployment/chesterdeployment --timeout={}s",
            SOON.as_secs()
        ))?;
        if !said.contains("successfully rolled out") {
            bail!("rollout status says: {said}");
        }
        Ok(())
    }
}
