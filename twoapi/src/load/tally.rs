//! Counts and latencies, of the current second and of all seconds.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use super::{
    connection::{Answered, Failure, Words},
    latencies::Latencies,
};

/// What has been counted so far. One lock, held for less than a microsecond a request.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    second: Count,
    /// The seconds before.
    all: Count,
}

/// What became of the requests that ended within some time.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub(super) ok: BTreeMap<Answered, u64>,
    pub(super) failed: BTreeMap<Words, u64>,
    /// Those that were due and that this side couldn't send: they say nothing of the service.
    pub(super) not_sent: BTreeMap<Words, u64>,
    /// Of those that were sent, including those that failed: a stall doesn't count for less because
    /// the client gave up.
    pub(super) latencies: Latencies,
}

impl Tally {
    pub(super) fn add(&self, latency: Duration, answer: Result<Answered, Failure>) {
        let second = &mut self.counts().second;
        let count = match answer {
            Ok(answered) => second.ok.entry(answered).or_default(),
            Err(Failure::OfService(words)) => second.failed.entry(words).or_default(),
            Err(Failure::NotSent(words)) => {
                *second.not_sent.entry(words).or_default() += 1;
                return;
            }
        };
        *count += 1;
        second.latencies.add(latency);
    }

    /// What was counted since the last call.
    pub(super) fn take_second(&self) -> Count {
        let mut counts = self.counts();
        let second = std::mem::take(&mut counts.second);
        counts.all.merge(&second);
        second
    }

    /// The total, once the last second has been taken.
    pub(super) fn take_all(&self) -> Count {
        std::mem::take(&mut self.counts().all)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

impl Count {
    fn merge(&mut self, other: &Self) {
        for (answered, count) in &other.ok {
            *self.ok.entry(answered.clone()).or_default() += count;
        }
        for (words, count) in &other.failed {
            *self.failed.entry(words.clone()).or_default() += count;
        }
        for (words, count) in &other.not_sent {
            *self.not_sent.entry(words.clone()).or_default() += count;
        }
        self.latencies.merge(&other.latencies);
    }

    /// Those that were sent.
    pub(super) fn requests(&self) -> u64 {
        self.ok() + self.failed()
    }

    pub(super) fn ok(&self) -> u64 {
        self.ok.values().sum()
    }

    pub(super) fn failed(&self) -> u64 {
        self.failed.values().sum()
    }

    pub(super) fn not_sent(&self) -> u64 {
        self.not_sent.values().sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.requests() + self.not_sent() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_counted_once_and_all_seconds_in_all() {
        let tally = Tally::default();
        tally.add(Duration::from_millis(1), Ok(Answered::default()));
        tally.add(Duration::from_millis(3), Err("refused".into()));
        let first = tally.take_second();
        assert_eq!((first.requests(), first.ok(), first.failed()), (2, 1, 1));
        tally.add(Duration::from_millis(2), Ok(Answered::default()));
        assert_eq!(tally.take_second().requests(), 1);
        assert_eq!(tally.take_second().requests(), 0);
        let all = tally.take_all();
        assert_eq!((all.requests(), all.ok(), all.failed()), (3, 2, 1));
    }

    #[test]
    fn what_was_not_sent_is_no_request_and_has_no_latency() {
        let tally = Tally::default();
        tally.add(Duration::from_millis(1), Ok(Answered::default()));
        let busy = Failure::NotSent("connections busy".into());
        tally.add(Duration::from_secs(5), Err(busy));
        let second = tally.take_second();
        assert_eq!((second.requests(), second.not_sent()), (1, 1));
        assert!(second.latencies.max().unwrap() < 1.1, "{second:?}");
        assert_eq!(tally.take_all().not_sent(), 1, "of all seconds");
    }
}
