//! Single pods: what tests read from their JSON, under the names that kubectl shows, and waiting
//! for one to get there.

use std::time::SystemTime;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{namespace::Namespace, wait::SOON};

/// A pod's name.
pub fn name(pod: &Value) -> &str {
    pod["metadata"]["name"].as_str().unwrap_or_default()
}

/// Whether the API server says that it is Ready.
pub fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready")["status"] == "True"
}

/// A condition of its status; null before it is there.
pub fn condition<'a>(pod: &'a Value, kind: &str) -> &'a Value {
    find(&pod["status"]["conditions"], "type", kind).unwrap_or(&Value::Null)
}

/// Whether it has been deleted and is stopping.
pub fn is_stopping(pod: &Value) -> bool {
    pod["metadata"]["deletionTimestamp"].is_string()
}

/// The status of one of its containers; null before the kubelet has reported any.
pub fn container<'a>(pod: &'a Value, name: &str) -> &'a Value {
    find(&pod["status"]["containerStatuses"], "name", name).unwrap_or(&Value::Null)
}

fn find<'a>(list: &'a Value, key: &str, value: &str) -> Option<&'a Value> {
    list.as_array()?.iter().find(|it| it[key] == value)
}

/// How often a container was started again.
pub fn restarts(pod: &Value, name: &str) -> u64 {
    container(pod, name)["restartCount"].as_u64().unwrap_or(0)
}

/// The pods that a label selects.
pub fn list(namespace: &Namespace<'_>, selector: &str) -> Result<Vec<Value>> {
    let mut list = namespace.json(&format!("get pods -l {selector}"))?;
    serde_json::from_value(list["items"].take()).context("a list has items")
}

/// The pod of that name.
pub fn get(namespace: &Namespace<'_>, name: &str) -> Result<Value> {
    namespace.json(&format!("get pod {name}"))
}

/// Waits until a pod is Ready.
pub fn ready(namespace: &Namespace<'_>, name: &str) -> Result<Value> {
    let timeout = SOON.as_secs();
    namespace.kubectl(&format!(
        "wait --for=condition=Ready pod/{name} --timeout={timeout}s"
    ))?;
    get(namespace, name)
}

/// How many seconds `later` is after `earlier`, which are times as the API server and the services
/// write them: RFC 3339, in UTC. Negative when it is before it.
pub fn seconds_between(earlier: &Value, later: &Value) -> Result<f64> {
    let time = |value: &Value| -> Result<SystemTime> {
        let text = value.as_str().unwrap_or_default();
        humantime::parse_rfc3339(text).with_context(|| format!("not a time: {value}"))
    };
    let (earlier, later) = (time(earlier)?, time(later)?);
    Ok(match later.duration_since(earlier) {
        Ok(after) => after.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    })
}

/// Waits until a container has been restarted; returns the pod.
pub fn restarted(namespace: &Namespace<'_>, pod: &str, container: &str) -> Result<Value> {
    let what = format!("{container} of {pod} has been restarted");
    namespace.until(&what, || {
        let pod = get(namespace, pod)?;
        Ok((restarts(&pod, container) > 0).then_some(pod))
    })
}

/// Waits for an event about an object, with that reason and these words in its message.
pub fn event(namespace: &Namespace<'_>, object: &str, reason: &str, words: &str) -> Result<String> {
    let what = format!("an event {reason} of {object} says \"{words}\"");
    let get = format!("get events --field-selector involvedObject.name={object},reason={reason}");
    namespace.until(&what, || {
        let events = namespace.json(&get)?;
        let events = events["items"].as_array().into_iter().flatten();
        let mut messages = events.filter_map(|event| event["message"].as_str());
        let message = messages.find(|message| message.contains(words));
        Ok(message.map(str::to_owned))
    })
}
