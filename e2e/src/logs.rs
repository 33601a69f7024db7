//! What containers say until they end: `kubectl logs --follow`. When a pod has been deleted its
//! logs are gone too, so who wants to read its last words must listen before.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::story::{SOON, Story};

/// A container's lines as they come, each with when it came.
#[derive(Debug)]
pub struct Lines {
    child: Child,
    seen: Arc<Mutex<Vec<(Instant, String)>>>,
    reader: JoinHandle<()>,
}

impl Lines {
    /// Runs what follows a log.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn of(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("kubectl can't be started")?;
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let reader = {
            let seen = seen.clone();
            thread::spawn(move || {
                for line in output.lines().map_while(Result::ok) {
                    seen.lock()
                        .expect("nobody panics with it")
                        .push((Instant::now(), line));
                }
            })
        };
        Ok(Self {
            child,
            seen,
            reader,
        })
    }

    /// What came so far.
    pub fn so_far(&self) -> Vec<(Instant, String)> {
        self.seen.lock().expect("nobody panics with it").clone()
    }

    /// Waits until the container has ended and all is said.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn end(mut self) -> Result<Vec<(Instant, String)>> {
        let start = Instant::now();
        while self.child.try_wait()?.is_none() {
            if start.elapsed() > SOON {
                drop(self.child.kill());
                bail!("the container has not ended after {SOON:?}");
            }
            thread::sleep(Duration::from_millis(50));
        }
        drop(self.reader.join());
        Ok(std::mem::take(
            &mut *self.seen.lock().expect("nobody panics with it"),
        ))
    }
}

/// The logs of some containers of a pod, while they come.
#[derive(Debug)]
pub struct Following(Vec<(String, Lines)>);

/// The same when all have ended.
#[derive(Debug)]
pub struct Logs(Vec<(String, Vec<Value>)>);

impl Story<'_> {
    /// Begins to follow the logs of these containers; returns when the first lines are there.
    ///
    /// # Errors
    /// When kubectl fails.
    pub fn follow_logs(&self, pod: &str, containers: &[&str]) -> Result<Following> {
        let mut following = Vec::new();
        for container in containers {
            let mut kubectl = self.cluster.kubectl();
            kubectl.args([
                "-n",
                &self.namespace,
                "logs",
                "--follow",
                pod,
                "-c",
                container,
            ]);
            following.push(((*container).to_owned(), Lines::of(&mut kubectl)?));
        }
        self.until("the logs are followed", SOON, || {
            let begun = following
                .iter()
                .all(|(_, lines)| !lines.so_far().is_empty());
            Ok(begun.then_some(()))
        })?;
        Ok(Following(following))
    }
}

impl Following {
    /// Waits until the containers have ended.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn end(self) -> Result<Logs> {
        let ended = self.0.into_iter().map(|(container, lines)| {
            let events = lines.end()?;
            let events = events
                .iter()
                .filter_map(|(_, line)| serde_json::from_str(line).ok());
            Ok((container, events.collect()))
        });
        ended.collect::<Result<_>>().map(Logs)
    }
}

impl Logs {
    /// The time of a container's first event with that message, as the log has it: RFC 3339 in
    /// UTC, which sorts as text.
    ///
    /// # Errors
    /// When there is none.
    pub fn moment(&self, container: &str, message: &str) -> Result<String> {
        let events = self.0.iter().filter(|(name, _)| name == container);
        events
            .flat_map(|(_, events)| events)
            .find(|event| event["message"] == message)
            .and_then(|event| event["timestamp"].as_str().map(str::to_owned))
            .with_context(|| format!("{container} has not logged \"{message}\": {:?}", self.0))
    }
}
