//! A fault switch that is set.

use std::time::Instant;

use serde::{Serialize, Serializer};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{
    action::Action,
    name::Name,
    taken::{Files, Memory},
    value::Parameters,
};

/// A switch from its setting to its end.
#[derive(Debug)]
pub(super) struct Active {
    /// Tells it from one of the same name that is set later.
    pub(super) id: u64,
    pub(super) parameters: Parameters,
    pub(super) action: Action,
    pub(super) until: Option<Instant>,
    pub(super) count: Option<u64>,
    /// Requests that have come while it was set.
    pub(super) requests: u64,
    /// The requests that it has acted on.
    pub(super) hits: u64,
    /// The hits that it still holds back, or that are just being acted on.
    pub(super) held_back: u64,
    /// Whatever it holds back goes on when this is cancelled.
    pub(super) ended: CancellationToken,
    /// Given back when this is dropped.
    pub(super) _taken: Option<Taken>,
}

#[derive(Debug)]
#[allow(dead_code)] // they are held, and not looked at
pub(super) enum Taken {
    Memory(Memory),
    Files(Files),
}

impl Active {
    /// Whether it acts on no more requests.
    pub(super) fn is_used_up(&self) -> bool {
        self.count == Some(0)
    }

    pub(super) fn listed(&self, name: Name) -> Listed {
        let seconds = self.until.map(|until| {
            let left = until.saturating_duration_since(Instant::now());
            (left.as_secs_f64() * 1e3).round() / 1e3
        });
        Listed {
            name,
            parameters: self.parameters.clone(),
            left: Left {
                seconds,
                count: self.count,
            },
        }
    }

    pub(super) fn log_end(&self, name: Name, why: &'static str) {
        info!(
            fault = name.as_str(),
            why,
            requests = self.hits,
            "fault ends"
        );
    }
}

/// A switch as it is listed.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// Which one.
    #[serde(serialize_with = "as_name")]
    pub name: Name,
    /// What it was given, with the defaults of what it wasn't.
    pub parameters: Parameters,
    /// How much is left of it.
    pub left: Left,
}

/// How much is left of a switch: time or requests. Both are null for one that has no end of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Left {
    /// The time, in seconds.
    pub seconds: Option<f64>,
    /// The requests that it still acts on.
    pub count: Option<u64>,
}

fn as_name<S: Serializer>(name: &Name, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name.as_str())
}
