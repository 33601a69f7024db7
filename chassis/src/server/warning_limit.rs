//! Keeps a warning that could be logged again and again to one every ten seconds.

use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(10);

/// When the warning was logged last.
#[derive(Debug, Default)]
pub(super) struct WarningLimit(Option<Instant>);

impl WarningLimit {
    /// Whether to log it now.
    pub(super) fn allows_one(&mut self) -> bool {
        let is_due = self.0.is_none_or(|at| at.elapsed() >= INTERVAL);
        if is_due {
            self.0 = Some(Instant::now());
        }
        is_due
    }
}
