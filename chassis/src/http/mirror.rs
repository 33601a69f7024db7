//! The probe mirror: the last requests of each kind of probe, as the service saw them. `kubectl
//! describe` tells of the probes that failed; this tells of those that passed, too.
//!
//! A probe pays for it with two clocks, and a copy of some 150 bytes under a lock. The lock is never held
//! for longer than such a copy, or that of a whole list when somebody reads it.

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant, SystemTime},
};

use axum::http::Version;

use super::kind::Probe;
use crate::{base::lock, text::shown};

/// How many requests of each kind are kept: five minutes of a probe every ten seconds.
const KEPT: usize = 32;

/// How much of a user agent is kept. The kubelet's is `kube-probe/1.35`, and in gRPC
/// `kube-probe/1.35 grpc-go/1.72.2`.
const AGENT: usize = 64;

/// A request that has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: SystemTime,
    clock: Instant,
    /// `None` for the first of its kind.
    pub(crate) since_last: Option<Duration>,
}

impl Arrival {
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }
}

/// A request that has its answer, or whose client has left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) arrival: Arrival,
    /// Until the answer was there.
    pub(crate) took: Duration,
    pub(crate) status: u16,
    pub(crate) protocol: Protocol,
    /// The gRPC service that was asked for. `None` over HTTP, and if there is no such service.
    pub(crate) service: Option<&'static str>,
    pub(crate) from: IpAddr,
    pub(crate) agent: Agent,
}

/// What a probe spoke. It isn't always what its Pod asks for: a kubelet without the feature gate
/// `H2CContainerProbe` asks over HTTP/1.1, and tells nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http(Version),
    Grpc,
}

impl Protocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Grpc => "gRPC",
            Self::Http(Version::HTTP_2) => "HTTP/2",
            Self::Http(Version::HTTP_10) => "HTTP/1.0",
            Self::Http(_) => "HTTP/1.1",
        }
    }
}

/// The beginning of a user agent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Agent {
    bytes: [u8; AGENT],
    length: u8,
}

impl Agent {
    pub(crate) fn new(whole: &[u8]) -> Self {
        let length = whole.len().min(AGENT);
        let mut bytes = [0; AGENT];
        bytes[..length].copy_from_slice(&whole[..length]);
        Self {
            bytes,
            length: length as u8, // at most `AGENT`
        }
    }

    /// As it may be shown: the table is read on a terminal, which obeys control characters.
    pub(crate) fn to_text(self) -> String {
        shown(&self.bytes[..self.length.into()])
    }
}

/// The last requests of each kind of probe.
#[derive(Debug, Default)]
pub(crate) struct Mirror([Mutex<Log>; Probe::ALL.len()]);

/// The requests of one kind.
#[derive(Debug, Default)]
struct Log {
    last_came: Option<Instant>,
    /// In the order in which they were answered.
    entries: VecDeque<Entry>,
}

impl Mirror {
    /// A request of that kind comes now.
    pub(crate) fn arrives(&self, probe: Probe) -> Arrival {
        let clock = Instant::now();
        let last_came = self.log(probe).last_came.replace(clock);
        Arrival {
            at: SystemTime::now(),
            clock,
            since_last: last_came.map(|last| clock.saturating_duration_since(last)),
        }
    }

    /// A request has its answer, or its client has left.
    pub(crate) fn answered(&self, probe: Probe, entry: Entry) {
        let entries = &mut self.log(probe).entries;
        if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    /// The requests of a kind in the order in which they came, the newest last.
    pub(crate) fn entries(&self, probe: Probe) -> Vec<Entry> {
        let mut entries = Vec::from(self.log(probe).entries.clone());
        entries.sort_unstable_by_key(|entry| entry.arrival.clock);
        entries
    }

    fn log(&self, probe: Probe) -> MutexGuard<'_, Log> {
        lock(&self.0[probe as usize])
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
            protocol: Protocol::Http(Version::HTTP_11),
            service: None,
            from: Ipv4Addr::LOCALHOST.into(),
            agent: Agent::new(b"a test"),
        };
        mirror.answered(Probe::Liveness, entry);
    }

    #[test]
    fn the_last_of_many_are_kept_in_their_order() {
        let mirror = Mirror::default();
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
        let mirror = Mirror::default();
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
