//! Counts and latencies, of the current second and of all seconds.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use super::{
    connection::{Answered, Failure},
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
    pub(super) failed: BTreeMap<Failure, u64>,
    /// Of all requests, including those that failed: a stall doesn't count for less because the
    /// client gave up.
    pub(super) latencies: Latencies,
}

impl Tally {
    pub(super) fn add(&self, latency: Duration, answer: Result<Answered, Failure>) {
        let mut counts = self.counts();
        counts.second.latencies.add(latency);
        match answer {
            Ok(answered) => *counts.second.ok.entry(answered).or_default() += 1,
            Err(failure) => *counts.second.failed.entry(failure).or_default() += 1,
        }
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
        for (failure, count) in &other.failed {
            *self.failed.entry(failure.clone()).or_default() += count;
        }
        self.latencies.merge(&other.latencies);
    }

    pub(super) fn requests(&self) -> u64 {
        self.ok() + self.failed()
    }

    pub(super) fn ok(&self) -> u64 {
        self.ok.values().sum()
    }

    pub(super) fn failed(&self) -> u64 {
        self.failed.values().sum()
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
}
