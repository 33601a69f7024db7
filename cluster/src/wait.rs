//! Waiting until something becomes true on a cluster.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// How often to look whether something has become true.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// How long to wait for what takes seconds: an image is pulled, pods start and stop. It is this
/// long because a busy cluster is slow, and a test that fails for being slow teaches nothing.
pub const SOON: Duration = Duration::from_secs(120);

/// Calls `look` again and again until it returns something, which is an error after `timeout`; `what`
/// completes the sentence "waits until …".
pub fn until<T>(
    what: &str,
    timeout: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        match look().with_context(|| format!("while waiting until {what}"))? {
            Some(found) => return Ok(found),
            None if start.elapsed() > timeout => bail!("waited {timeout:?} in vain until {what}"),
            None => thread::sleep(POLL_INTERVAL),
        }
    }
}
