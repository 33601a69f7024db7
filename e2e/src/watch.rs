//! How pods come and go, in the order in which the API server reports it: `kubectl get pods
//! --watch`. It is for what is true for a moment only, which polling would miss.

use std::{
    io::BufReader,
    sync::{Arc, Mutex},
    time::Instant,
};

use anyhow::Result;
use serde_json::{Deserializer, Value};

use crate::{
    background::Background,
    deployment,
    namespace::{Namespace, SOON},
};

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

/// A watch of pods, which runs until it is [ended](Watch::end) or dropped.
#[derive(Debug)]
pub struct Watch {
    process: Background,
    seen: Arc<Mutex<Vec<Change>>>,
}

impl Watch {
    /// Begins to watch the Deployment's pods; returns when those that exist have been reported.
    ///
    /// # Errors
    /// When kubectl fails.
    pub fn start(namespace: &Namespace<'_>) -> Result<Self> {
        Self::of(namespace, deployment::SELECTOR)
    }

    /// Begins to watch the pods that a label selects.
    ///
    /// # Errors
    /// When kubectl fails.
    pub fn of(namespace: &Namespace<'_>, selector: &str) -> Result<Self> {
        let list = namespace.json(&format!("get pods -l {selector}"))?;
        let existing = list["items"].as_array().map_or(0, Vec::len);
        let mut kubectl = namespace.cluster.kubectl();
        kubectl
            .args(["-n", &namespace.name, "get", "pods", "-l", selector])
            .args(["--watch", "--output-watch-events", "-o", "json"]);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let reader = {
            let seen = seen.clone();
            move |output| {
                // It ends with the process, perhaps in the middle of an object.
                for event in Deserializer::from_reader(BufReader::new(output))
                    .into_iter::<Value>()
                    .map_while(Result::ok)
                {
                    let change = Change {
                        at: Instant::now(),
                        kind: event["type"].as_str().unwrap_or_default().to_owned(),
                        pod: event["object"].clone(),
                    };
                    seen.lock().expect("nobody panics with it").push(change);
                }
            }
        };
        let watch = Self {
            process: Background::start(&mut kubectl, reader)?,
            seen,
        };
        namespace.until("the watch has begun", SOON, || {
            Ok((watch.so_far().len() >= existing).then_some(()))
        })?;
        Ok(watch)
    }

    /// The changes so far.
    pub fn so_far(&self) -> Vec<Change> {
        self.seen.lock().expect("nobody panics with it").clone()
    }

    /// Ends the watch; returns all changes.
    pub fn end(self) -> Vec<Change> {
        drop(self.process);
        std::mem::take(&mut *self.seen.lock().expect("nobody panics with it"))
    }
}
