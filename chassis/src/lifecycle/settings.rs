//! How long the parts of a life take.

use std::time::Duration;

use crate::config::{CheckConflicts, Reader, duration};

/// How long the parts of a life take.
#[derive(Clone, Copy, Debug, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// How long to go on accepting after a stop signal, since endpoints lag behind it
    // 0 s: outside a cluster nobody waits. The manifests set a few seconds.
    #[arg(long, env, default_value = "0s", allow_hyphen_values = true, value_parser = Reader(duration))]
    pub drain_delay: Duration,

    /// When to give up on requests in flight, counted from the stop signal
    // 25 s: below the 30 s after which Kubernetes kills by default.
    #[arg(long, env, default_value = "25s", allow_hyphen_values = true, value_parser = Reader(duration))]
    pub stop_timeout: Duration,

    /// How long the start takes, to watch a slow starter: until then `/readyz`, `/startupz` and the service's own endpoints answer 503
    #[arg(long, env, default_value = "0s", allow_hyphen_values = true, value_parser = Reader(duration))]
    pub startup_delay: Duration,
}

impl CheckConflicts for Settings {
    fn conflicts(&self) -> Vec<String> {
        let Self {
            drain_delay,
            stop_timeout,
            ..
        } = self;
        if drain_delay <= stop_timeout {
            return Vec::new();
        }
        vec![format!(
            "DRAIN_DELAY ({drain_delay:?}) is longer than STOP_TIMEOUT ({stop_timeout:?}), \
             which is counted from the same signal"
        )]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drain_that_is_longer_than_the_stop_conflicts_with_it() {
        let settings = Settings {
            drain_delay: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(10),
            startup_delay: Duration::ZERO,
        };
        let expected = "DRAIN_DELAY (30s) is longer than STOP_TIMEOUT (10s)";
        assert!(
            settings.conflicts()[0].contains(expected),
            "{:?}",
            settings.conflicts()
        );
    }
}
