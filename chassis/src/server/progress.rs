//! How far a connection has come, as seen from its socket and its requests. Both note what happens
//! here, and the connection looks. They share it through atomics, since HTTP/2 answers requests in
//! several tasks.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Part of a request has come in.
    ReceivingHeaders,
    /// Between two requests.
    Idle,
    /// A request is being answered.
    Busy,
    /// The client doesn't take its answer at the moment.
    Stalled,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Progress {
    epoch: Instant,
    /// Whether bytes that come in may be the beginning of a request: in HTTP/2 they may be frames
    /// that belong to none.
    bytes_are_requests: bool,
    in_flight: AtomicU32,
    /// Milliseconds after the epoch, and in the lowest bit whether headers are being received.
    since: AtomicU64,
    stalled: AtomicBool,
    client_closed: AtomicBool,
}

impl Progress {
    pub(super) fn new(epoch: Instant, http2: bool) -> Self {
        let progress = Self {
            epoch,
            bytes_are_requests: !http2,
            in_flight: AtomicU32::new(0),
            since: AtomicU64::new(0),
            stalled: AtomicBool::new(false),
            client_closed: AtomicBool::new(false),
        };
        progress.enter(!http2); // somebody has seen the first bytes, or the connection were not here
        progress
    }

    fn enter(&self, receiving_headers: bool) {
        let millis = self.epoch.elapsed().as_millis() as u64;
        let since = millis << 1 | u64::from(receiving_headers);
        self.since.store(since, Ordering::Relaxed);
    }

    /// The state, and since when it is so; while busy, since when it was not.
    pub(super) fn state(&self) -> (State, Instant) {
        let since = self.since.load(Ordering::Relaxed);
        let state = if self.stalled.load(Ordering::Relaxed) {
            State::Stalled
        } else if self.is_busy() {
            State::Busy
        } else if since & 1 == 1 {
            State::ReceivingHeaders
        } else {
            State::Idle
        };
        (state, self.epoch + Duration::from_millis(since >> 1))
    }

    /// Whether a request is being answered.
    pub(super) fn is_busy(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) > 0
    }

    pub(super) fn is_receiving_headers(&self) -> bool {
        self.since.load(Ordering::Relaxed) & 1 == 1 && !self.is_busy()
    }

    /// Bytes have come in.
    pub(super) fn bytes_received(&self) {
        if self.bytes_are_requests && !self.is_busy() && !self.is_receiving_headers() {
            self.enter(true);
        }
    }

    /// A request's headers are complete.
    pub(super) fn request_begins(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// The last byte of its answer has been handed to the connection, or its client has left.
    pub(super) fn request_ends(&self) {
        self.enter(false); // before the next line, or a look in between would see an old state
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// The client's side takes no more bytes, for now.
    pub(super) fn write_stalled(&self) {
        if !self.stalled.swap(true, Ordering::Relaxed) {
            self.enter(false);
        }
    }

    /// It has taken some.
    pub(super) fn bytes_written(&self) {
        if self.stalled.load(Ordering::Relaxed) {
            self.enter(false);
        }
    }

    /// It has taken all.
    pub(super) fn all_written(&self) {
        if self.stalled.load(Ordering::Relaxed) {
            self.stalled.store(false, Ordering::Relaxed);
        }
    }

    /// The client sends no more.
    pub(super) fn client_closed(&self) {
        self.client_closed.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_client_closed(&self) -> bool {
        self.client_closed.load(Ordering::Relaxed)
    }
}
