//! What containers log until they end: `kubectl logs --follow`. The logs of a deleted pod are gone
//! with it, so its last lines have to be followed.

use std::{
    io::{BufRead, BufReader},
    sync::{Arc, Mutex},
    time::Instant,
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{
    background::Background,
    namespace::{Namespace, SOON},
};

/// A container's lines as they come, each with the time when it came.
#[derive(Debug)]
pub struct Lines {
    process: Background,
    seen: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Lines {
    /// Follows the log of a container.
    ///
    /// # Errors
    /// When kubectl can't be started.
    pub fn follow(namespace: &Namespace<'_>, pod: &str, container: &str) -> Result<Self> {
        let mut kubectl = namespace.cluster.kubectl();
        kubectl
            .args(["-n", &namespace.name, "logs", "--follow", pod])
            .args(["-c", container]);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let reader = {
            let seen = seen.clone();
            move |output| {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    seen.lock()
                        .expect("nobody panics with it")
                        .push((Instant::now(), line));
                }
            }
        };
        let process = Background::start(&mut kubectl, reader)?;
        Ok(Self { process, seen })
    }

    /// The lines so far.
    pub fn so_far(&self) -> Vec<(Instant, String)> {
        self.seen.lock().expect("nobody panics with it").clone()
    }

    /// Waits until the container has ended; returns all lines.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn end(self) -> Result<Vec<(Instant, String)>> {
        self.process
            .wait(SOON)
            .context("while waiting until the container has ended")?;
        Ok(std::mem::take(
            &mut *self.seen.lock().expect("nobody panics with it"),
        ))
    }
}

/// The logs of some containers of a pod, while they come.
#[derive(Debug)]
pub struct Following(Vec<(String, Lines)>);

/// The logs of the same containers after all have ended.
#[derive(Debug)]
pub struct Logs(Vec<(String, Vec<Value>)>);

/// Follows the logs of these containers; returns when each has a line.
///
/// # Errors
/// When kubectl fails.
pub fn follow(namespace: &Namespace<'_>, pod: &str, containers: &[&str]) -> Result<Following> {
    let following = containers
        .iter()
        .map(|name| Ok(((*name).to_owned(), Lines::follow(namespace, pod, name)?)))
        .collect::<Result<Vec<_>>>()?;
    namespace.until("the logs are followed", SOON, || {
        let begun = following
            .iter()
            .all(|(_, lines)| !lines.so_far().is_empty());
        Ok(begun.then_some(()))
    })?;
    Ok(Following(following))
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
