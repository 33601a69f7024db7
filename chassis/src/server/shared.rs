//! What all connections of a server share.

use std::time::Instant;

use super::{census::Census, progress::Remaining, timeouts::Timeouts};
use crate::lifecycle::Life;

/// One for all connections.
pub(super) struct Shared {
    pub(super) life: Life,
    pub(super) timeouts: Timeouts,
    /// [`Progress`](super::progress::Progress) counts time from here.
    pub(super) epoch: Instant,
    /// The connections that are still there when the listener closes.
    pub(super) remaining: Remaining,
    pub(super) census: Census,
}

impl Shared {
    pub(super) fn timeouts_of(&self, is_surplus: bool) -> Timeouts {
        if is_surplus {
            self.timeouts.of_surplus()
        } else {
            self.timeouts
        }
    }
}
