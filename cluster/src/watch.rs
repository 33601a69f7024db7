//! How pods come and go, in the order in which the API server reports it: `kubectl get pods
//! --watch`. It is for what is true for a moment only, which polling would miss.

use std::time::Instant;

use anyhow::Result;
use serde_json::{Deserializer, Value};

use crate::{background::Background, namespace::Namespace, pods, wait::SOON};

/// A change of a pod.
#[derive(Clone, Debug)]
pub struct Change {
    /// When it was reported.
    pub at: Instant,
    /// `ADDED`, `MODIFIED` or `DELETED`.
    pub kind: String,
    /// The pod after the change.
    pub pod: Value,
}

/// Begins to watch the pods that a label selects; returns when those that exist have been reported.
///
/// # Errors
/// When kubectl fails.
pub fn pods(namespace: &Namespace<'_>, selector: &str) -> Result<Background<Change>> {
    let existing = pods::list(namespace, selector)?.len();
    let mut kubectl = namespace.command();
    kubectl
        .args(["get", "pods", "-l", selector, "-o", "json"])
        .args(["--watch", "--output-watch-events"]);
    let watch = Background::start(&mut kubectl, |output| {
        // It ends with the process, perhaps in the middle of an object.
        let events = Deserializer::from_reader(output).into_iter::<Value>();
        events.map_while(Result::ok).map(|mut event| Change {
            at: Instant::now(),
            kind: event["type"].as_str().unwrap_or_default().to_owned(),
            pod: event["object"].take(),
        })
    })?;
    namespace.until("the watch has begun", SOON, || {
        Ok(watch
            .so_far(|changes| changes.len() >= existing)
            .then_some(()))
    })?;
    Ok(watch)
}
