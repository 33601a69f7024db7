//! A service's life, from its start to its exit: which phase it is in, the signals that end it, and
//! the order of a stop. It knows no HTTP and no sockets; who accepts and answers is handed to it.

mod life;
mod signal;
mod stop;
pub mod termination;

use std::time::Duration;

pub use self::{
    life::{LateRequests, Life, NotReady, Phase, Stop},
    signal::{HeldSignals, Signal, Signals},
    stop::{Stoppable, WaitsFor, stop_in_order},
};
use crate::config::{CheckConflicts, duration};

/// How long the parts of a life take.
#[derive(Clone, Copy, Debug, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// How long to go on accepting after a stop signal, since endpoints lag behind it
    // 0 s: outside a cluster nobody waits. The manifests set a few seconds.
    #[arg(long, env, default_value = "0s", value_parser = duration)]
    pub drain_delay: Duration,

    /// When to give up on requests in flight, counted from the stop signal
    // 25 s: below the 30 s after which Kubernetes kills by default.
    #[arg(long, env, default_value = "25s", value_parser = duration)]
    pub stop_timeout: Duration,

    /// How long the start takes, to watch a slow starter: until then /readyz, /startupz and the service's own endpoints answer 503
    #[arg(long, env, default_value = "0s", value_parser = duration)]
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
