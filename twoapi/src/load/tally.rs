//! Counts and latencies, of the second that runs and of all.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use hdrhistogram::Histogram;

use super::connection::{Answered, Failure};

/// A longer latency is told as this, so that it has a bound to grow to.
const LONGEST: Duration = Duration::from_secs(3600);

/// What has been counted so far. One lock, held for less than a microsecond a request.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<(Count, Count)>);

/// What became of the requests of some time.
#[derive(Debug)]
pub(super) struct Count {
    pub(super) ok: BTreeMap<Answered, u64>,
    pub(super) failed: BTreeMap<Failure, u64>,
    /// Of all requests, also those that failed; in microseconds.
    latencies: Histogram<u64>,
}

impl Tally {
    pub(super) fn add(&self, latency: Duration, answer: Result<Answered, Failure>) {
        let mut counts = self.0.lock().expect("nobody panics with it");
        counts.0.add(latency, answer);
    }

    /// What came in since this was called last.
    pub(super) fn take_second(&self) -> Count {
        let mut counts = self.0.lock().expect("nobody panics with it");
        let second = std::mem::take(&mut counts.0);
        counts.1.merge(&second);
        second
    }

    /// All, once the last second has been taken.
    pub(super) fn all(&self) -> Count {
        let mut counts = self.0.lock().expect("nobody panics with it");
        std::mem::take(&mut counts.1)
    }
}

impl Default for Count {
    fn default() -> Self {
        Self {
            ok: BTreeMap::new(),
            failed: BTreeMap::new(),
            // To three digits. It grows as it needs to.
            latencies: Histogram::new(3).expect("three digits are possible"),
        }
    }
}

impl Count {
    fn add(&mut self, latency: Duration, answer: Result<Answered, Failure>) {
        let micros =
            u64::try_from(latency.min(LONGEST).as_micros()).expect("it is an hour at most");
        self.latencies
            .record(micros)
            .expect("it grows as it needs to");
        match answer {
            Ok(answered) => *self.ok.entry(answered).or_default() += 1,
            Err(failure) => *self.failed.entry(failure).or_default() += 1,
        }
    }

    fn merge(&mut self, other: &Self) {
        for (answered, count) in &other.ok {
            *self.ok.entry(answered.clone()).or_default() += count;
        }
        for (failure, count) in &other.failed {
            *self.failed.entry(failure.clone()).or_default() += count;
        }
        self.latencies
            .add(&other.latencies)
            .expect("it grows as it needs to");
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

    /// The latency that this share of the requests didn't exceed, in milliseconds; 0 of none.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        self.latencies.value_at_quantile(share) as f64 / 1000.0
    }

    /// The longest latency, in milliseconds; 0 of none.
    pub(super) fn max(&self) -> f64 {
        self.latencies.max() as f64 / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(pod: &str) -> Result<Answered, Failure> {
        Ok(Answered {
            pod: pod.to_owned(),
            version: "1.0".to_owned(),
        })
    }

    #[test]
    fn a_second_is_counted_once_and_all_seconds_in_all() {
        let tally = Tally::default();
        tally.add(Duration::from_millis(1), answered("a"));
        tally.add(Duration::from_millis(3), Err("refused".into()));
        let first = tally.take_second();
        assert_eq!((first.requests(), first.ok(), first.failed()), (2, 1, 1));
        tally.add(Duration::from_millis(2), answered("a"));
        assert_eq!(tally.take_second().requests(), 1);
        assert_eq!(tally.take_second().requests(), 0);
        let all = tally.all();
        assert_eq!((all.requests(), all.ok(), all.failed()), (3, 2, 1));
        assert!(
            (all.quantile(0.5) - 2.0).abs() < 0.01,
            "{}",
            all.quantile(0.5)
        );
        assert!((all.max() - 3.0).abs() < 0.01, "{}", all.max());
    }
}
