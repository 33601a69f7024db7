//! How long a connection may take for what.

use std::time::Duration;

/// The timeouts of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From a request's first byte to the end of the headers.
    pub header: Duration,
    /// Before the first request, and between two.
    pub idle: Duration,
    /// Between two parts of an answer that a client takes.
    pub stalled: Duration,
    /// A connection that has sent nothing when the listener closes has this long to do so, and longer if it
    /// is new.
    pub latecomer: Duration,
    /// How long answers may take whose client speaks HTTP/2 and has closed its sending side.
    pub half_closed: Duration,
    /// After an answer, how long to wait for the client to have read it and closed in its turn. A
    /// socket that is closed with unread input resets, and a pod's network goes with its last
    /// process: both would take from the client what it has not read yet.
    pub linger: Duration,
}

impl Timeouts {
    /// The timeouts of a surplus connection. A client with a probe to ask for does so at once.
    pub(super) fn of_surplus(self) -> Self {
        const SURPLUS: Duration = Duration::from_secs(1);
        Self {
            header: self.header.min(SURPLUS),
            idle: self.idle.min(SURPLUS),
            ..self
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(10),
            idle: Duration::from_secs(120), // see `IDLE_TIMEOUT`
            // A client that takes nothing for so long has most likely hung.
            stalled: Duration::from_secs(120),
            // A client that connects to ask does so within a round trip.
            latecomer: Duration::from_millis(50),
            // Ample for any answer that is there at once.
            half_closed: Duration::from_millis(100),
            linger: Duration::from_secs(1),
        }
    }
}
