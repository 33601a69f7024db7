//! A timer that is polled often and rarely set: a poll that has nothing new takes no lock.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use tokio::time::Sleep;

/// A timer of one task.
pub(super) struct Timer<'a> {
    sleep: Pin<&'a mut Sleep>,
    /// Whether the runtime wakes the connection when it elapses.
    registered: bool,
}

impl<'a> Timer<'a> {
    pub(super) fn new(sleep: Pin<&'a mut Sleep>) -> Self {
        Self {
            sleep,
            registered: false,
        }
    }

    pub(super) fn set(&mut self, at: Instant) {
        self.sleep.as_mut().reset(at.into());
        self.registered = false;
    }

    pub(super) fn set_if_earlier(&mut self, at: Instant) {
        if self.sleep.deadline() > at.into() {
            self.set(at);
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.registered && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.registered = true;
        self.sleep.as_mut().poll(cx)
    }
}
