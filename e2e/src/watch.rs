//! Pods coming and going, in the order in which the API server tells it: `kubectl get pods
//! --watch`. For what is only true for a moment, and a look now and then would miss.

use std::{
    io::BufReader,
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Instant,
};

use anyhow::{Context, Result};
use serde_json::{Deserializer, Value};

use crate::story::{SOON, Story};

/// A change of a pod.
#[derive(Clone, Debug)]
pub struct Change {
    /// When it was told.
    pub at: Instant,
    /// `ADDED`, `MODIFIED` or `DELETED`.
    pub kind: String,
    /// The pod as it is then.
    pub pod: Value,
}

/// A watch of the story's pods, from its start until it is [ended](Watch::end).
#[derive(Debug)]
pub struct Watch {
    child: Child,
    seen: Arc<Mutex<Vec<Change>>>,
    reader: JoinHandle<()>,
}

impl Story<'_> {
    /// Begins to watch the Deployment's pods; returns when those that are there have been told.
    ///
    /// # Errors
    /// When kubectl fails.
    pub fn watch(&self) -> Result<Watch> {
        let there = self.pods()?.len();
        let mut child = self
            .cluster
            .kubectl()
            .args(["-n", &self.namespace, "get", "pods", "-l", "app=chesterapi"])
            .args(["--watch", "--output-watch-events", "-o", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("kubectl can't be started")?;
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let reader = {
            let seen = seen.clone();
            thread::spawn(move || {
                // Its end is the end of the process, perhaps in the middle of an object.
                for event in Deserializer::from_reader(output)
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
            })
        };
        let watch = Watch {
            child,
            seen,
            reader,
        };
        self.until("the watch has begun", SOON, || {
            Ok((watch.so_far().len() >= there).then_some(()))
        })?;
        Ok(watch)
    }
}

impl Watch {
    /// What has been told so far.
    pub fn so_far(&self) -> Vec<Change> {
        self.seen.lock().expect("nobody panics with it").clone()
    }

    /// Ends the watch; gives all that was told.
    pub fn end(mut self) -> Vec<Change> {
        // It may have ended already; either way the reader comes to its end.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(self.reader.join());
        std::mem::take(&mut *self.seen.lock().expect("nobody panics with it"))
    }
}
