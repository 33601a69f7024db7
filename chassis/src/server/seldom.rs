//! What is told of once in a while, though it can happen again and again.

use std::time::{Duration, Instant};

const AGAIN: Duration = Duration::from_secs(10);

/// When it was told of last.
#[derive(Debug, Default)]
pub(super) struct Seldom(Option<Instant>);

impl Seldom {
    /// Whether to tell of it now.
    pub(super) fn is_due(&mut self) -> bool {
        let is_due = self.0.is_none_or(|at| at.elapsed() >= AGAIN);
        if is_due {
            self.0 = Some(Instant::now());
        }
        is_due
    }
}
