//! Single pods: what the stories read from their JSON, under the names that kubectl shows, and
//! waiting for one to get there.

use anyhow::Result;
use serde_json::Value;

use crate::namespace::{Namespace, SOON};

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

/// Whether it has been deleted and is stopping.
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

/// The status of one of its containers; null before the kubelet has reported any.
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

/// The pod of that name.
///
/// # Errors
/// When it doesn't exist.
pub fn get(namespace: &Namespace<'_>, name: &str) -> Result<Value> {
    namespace.json(&format!("get pod {name}"))
}

/// Waits until a pod is Ready.
///
/// # Errors
/// When it takes too long.
pub fn ready(namespace: &Namespace<'_>, name: &str) -> Result<Value> {
    let timeout = SOON.as_secs();
    namespace.kubectl(&format!(
        "wait --for=condition=Ready pod/{name} --timeout={timeout}s"
    ))?;
    get(namespace, name)
}

/// Waits until a container has been restarted; returns the pod.
///
/// # Errors
/// When it takes too long.
pub fn restarted(namespace: &Namespace<'_>, pod: &str, container: &str) -> Result<Value> {
    let what = format!("{container} of {pod} has been restarted");
    namespace.until(&what, SOON, || {
        let pod = get(namespace, pod)?;
        Ok((restarts(&pod, container) > 0).then_some(pod))
    })
}

/// Waits for an event about an object, with that reason and these words in its message.
///
/// # Errors
/// When none comes.
pub fn event(namespace: &Namespace<'_>, object: &str, reason: &str, words: &str) -> Result<String> {
    let what = format!("an event {reason} of {object} says \"{words}\"");
    let get = format!("get events --field-selector involvedObject.name={object},reason={reason}");
    namespace.until(&what, SOON, || {
        let events = namespace.json(&get)?;
        let messages = events["items"].as_array().into_iter().flatten();
        Ok(messages
            .filter_map(|event| event["message"].as_str())
            .find(|message| message.contains(words))
            .map(str::to_owned))
    })
}
