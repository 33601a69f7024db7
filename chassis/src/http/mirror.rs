//! The probe mirror: the last requests of each kind of probe, as the service saw them. `kubectl
//! describe` tells of the probes that failed; this tells of those that passed, too.
//!
//! A probe pays for it with two clocks, an atomic and a copy of some 150 bytes under a lock that is
//! never held for longer than such a copy, or that of a whole list when somebody reads it. Nothing
//! is allocated.

use std::{
    net::IpAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use crate::text::shown;

/// How many requests of each kind are kept: five minutes of a probe every ten seconds.
const KEPT: usize = 32;

/// How much of a user agent is kept. The kubelet's is `kube-probe/1.35`, and in gRPC
/// `kube-probe/1.35 grpc-go/1.72.2`.
const AGENT: usize = 64;

/// The kinds of probes, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    Liveness,
    Readiness,
    Startup,
    Grpc,
}

impl Probe {
    pub(super) const ALL: [Self; 4] = [Self::Liveness, Self::Readiness, Self::Startup, Self::Grpc];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
            Self::Startup => "startup",
            Self::Grpc => "grpc",
        }
    }
}

/// A request that has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) at: SystemTime,
    clock: Instant,
    /// None for the first of its kind.
    pub(super) since_last: Option<Duration>,
}

impl Arrival {
    pub(super) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }
}

/// A request that has been answered, or given up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) arrival: Arrival,
    /// Until the answer was there.
    pub(super) took: Duration,
    pub(super) status: u16,
    /// Which service of gRPC was asked for, if there is such a one.
    pub(super) service: Option<&'static str>,
    pub(super) from: IpAddr,
    pub(super) agent: Agent,
}

/// The beginning of a user agent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agent {
    bytes: [u8; AGENT],
    length: u8,
}

impl Agent {
    pub(super) fn new(whole: &[u8]) -> Self {
        let length = whole.len().min(AGENT);
        let mut bytes = [0; AGENT];
        bytes[..length].copy_from_slice(&whole[..length]);
        Self {
            bytes,
            length: length as u8, // at most `AGENT`
        }
    }

    /// As it may be shown: the table is read on a terminal, which obeys control characters.
    pub(super) fn to_text(self) -> String {
        shown(&self.bytes[..self.length.into()])
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Mirror {
    began: Instant,
    lists: [List; Probe::ALL.len()],
}

#[derive(Debug, Default)]
struct List {
    /// When the last request came, in nanoseconds after the mirror's beginning; 0 for never.
    last: AtomicU64,
    ring: Mutex<Ring>,
}

#[derive(Debug)]
struct Ring {
    entries: Vec<Entry>,
    /// Which is overwritten next, once all are there.
    oldest: usize,
}

impl Default for Ring {
    fn default() -> Self {
        Self {
            entries: Vec::with_capacity(KEPT),
            oldest: 0,
        }
    }
}

impl Mirror {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            lists: Default::default(),
        }
    }

    /// A request of that kind comes now.
    pub(super) fn arrives(&self, probe: Probe) -> Arrival {
        let clock = Instant::now();
        let nanos = clock.duration_since(self.began).as_nanos() as u64; // enough for 500 years
        let last = self.lists[probe as usize]
            .last
            .swap(nanos.max(1), Ordering::Relaxed);
        Arrival {
            at: SystemTime::now(),
            clock,
            since_last: (last > 0).then(|| Duration::from_nanos(nanos.saturating_sub(last))),
        }
    }

    /// A request has its answer, or is given up.
    pub(super) fn answered(&self, probe: Probe, entry: Entry) {
        let mut ring = self.ring(probe);
        if ring.entries.len() < KEPT {
            ring.entries.push(entry);
        } else {
            let oldest = ring.oldest;
            ring.entries[oldest] = entry;
            ring.oldest = (oldest + 1) % KEPT;
        }
    }

    /// The requests of a kind in the order in which they came, the newest last.
    pub(super) fn entries(&self, probe: Probe) -> Vec<Entry> {
        let mut entries = self.ring(probe).entries.clone();
        // They are kept in the order in which they were answered.
        entries.sort_unstable_by_key(|entry| entry.arrival.clock);
        entries
    }

    fn ring(&self, probe: Probe) -> MutexGuard<'_, Ring> {
        self.lists[probe as usize]
            .ring
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn answer(mirror: &Mirror, arrival: Arrival, status: u16) {
        let entry = Entry {
            arrival,
            took: arrival.elapsed(),
            status,
            service: None,
            from: Ipv4Addr::LOCALHOST.into(),
            agent: Agent::new(b"a test"),
        };
        mirror.answered(Probe::Liveness, entry);
    }

    #[test]
    fn the_last_of_many_are_kept_in_their_order() {
        let mirror = Mirror::new();
        for status in 200..300 {
            answer(&mirror, mirror.arrives(Probe::Liveness), status);
        }
        let entries = mirror.entries(Probe::Liveness);
        let statuses: Vec<_> = entries.iter().map(|entry| entry.status).collect();
        assert_eq!(statuses, (268..300).collect::<Vec<_>>());
        assert!(
            entries
                .iter()
                .all(|entry| entry.arrival.since_last.is_some())
        );
        assert!(
            mirror.entries(Probe::Startup).is_empty(),
            "each kind has its own"
        );
    }

    #[test]
    fn a_request_that_takes_long_stands_where_it_came() {
        let mirror = Mirror::new();
        let [slow, fast] = [
            mirror.arrives(Probe::Liveness),
            mirror.arrives(Probe::Liveness),
        ];
        answer(&mirror, fast, 200);
        answer(&mirror, slow, 503);
        let entries = mirror.entries(Probe::Liveness);
        assert_eq!(entries[0].status, 503, "{entries:?}");
        assert_eq!(entries[0].arrival.since_last, None, "it was the first");
        assert!(entries[0].took >= entries[1].took);
    }

    #[test]
    fn a_user_agent_is_cut_and_is_text_whatever_was_sent() {
        assert_eq!(Agent::new(&[b'x'; 100]).to_text(), "x".repeat(AGENT));
        assert_eq!(Agent::new(b"kube\xff").to_text(), r"kube\xff");
        // A tab, and the control character with which a terminal's commands may begin.
        let commands = Agent::new("a\tb\u{9b}2J".as_bytes()).to_text();
        assert_eq!(commands, r"a\tb\u{9b}2J");
    }
}
