//! Counts and latencies, of the current second and of all seconds.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use crate::{
    answer::Responder,
    failure::{BUSY, Failure, FailureName},
    latencies::Latencies,
};

/// How many pods and failures are counted by name: a responder may call itself something else each time.
const MAX_NAMES: usize = 500;

/// What all further ones are counted as.
const OTHERS: &str = "others";

/// What has been counted so far. One lock, held for less than a microsecond a request.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    second: Count,
    /// The seconds before.
    all: Count,
}

/// What became of the requests that ended within some time.
#[derive(Debug, Default)]
pub struct Count {
    /// Successful answers, by the pod that gave them.
    pub ok: BTreeMap<Responder, u64>,
    /// Failures of the service.
    pub failed: BTreeMap<FailureName, u64>,
    /// Requests that were due and that this side couldn't send: they say nothing of the service.
    pub not_sent: BTreeMap<FailureName, u64>,
    /// The latencies of the requests that were sent, also of those that failed: otherwise a stall would
    /// count for less because the client gave up.
    pub latencies: Latencies,
}

impl Tally {
    pub(crate) fn add(&self, latency: Duration, answer: Result<Responder, Failure>) {
        let second = &mut self.counts().second;
        match answer {
            Ok(responder) => add(&mut second.ok, responder, 1),
            Err(Failure::OfService(name)) => add(&mut second.failed, name, 1),
            Err(Failure::NotSent(name)) => return add(&mut second.not_sent, name, 1),
        }
        second.latencies.add(latency);
    }

    /// Counts so many requests for which no connection was free.
    pub(crate) fn add_busy(&self, count: u64) {
        if count > 0 {
            add(&mut self.counts().second.not_sent, BUSY.into(), count);
        }
    }

    /// What was counted since the last call.
    pub(crate) fn take_second(&self) -> Count {
        let mut counts = self.counts();
        let second = std::mem::take(&mut counts.second);
        counts.all.merge(&second);
        second
    }

    /// The total, once the last second has been taken.
    pub(crate) fn take_all(&self) -> Count {
        std::mem::take(&mut self.counts().all)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        chassis::base::lock(&self.0)
    }
}

impl Count {
    fn merge(&mut self, other: &Self) {
        for (responder, count) in &other.ok {
            add(&mut self.ok, responder.clone(), *count);
        }
        for (name, count) in &other.failed {
            add(&mut self.failed, name.clone(), *count);
        }
        for (name, count) in &other.not_sent {
            add(&mut self.not_sent, name.clone(), *count);
        }
        self.latencies.merge(&other.latencies);
    }

    /// How many requests were sent.
    pub fn requests(&self) -> u64 {
        self.ok() + self.failed()
    }

    /// How many were answered with success.
    pub fn ok(&self) -> u64 {
        self.ok.values().sum()
    }

    /// How many failed.
    pub fn failed(&self) -> u64 {
        self.failed.values().sum()
    }

    /// How many were due and could not be sent.
    pub fn not_sent(&self) -> u64 {
        self.not_sent.values().sum()
    }

    /// Whether no request was due.
    pub fn is_empty(&self) -> bool {
        self.requests() + self.not_sent() == 0
    }
}

fn add<N: Ord + From<&'static str>>(counts: &mut BTreeMap<N, u64>, name: N, count: u64) {
    let is_known = counts.len() < MAX_NAMES || counts.contains_key(&name);
    let name = if is_known { name } else { OTHERS.into() };
    *counts.entry(name).or_default() += count;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_another_name_each_time_takes_no_more_memory() {
        let tally = Tally::default();
        for second in 0..4 {
            for n in 0..400 {
                let pod = format!("pod-{second}-{n}");
                let version = "1.0".to_owned();
                tally.add(Duration::ZERO, Ok(Responder { pod, version }));
            }
            tally.take_second();
        }
        let all = tally.take_all();
        assert_eq!(all.ok(), 1600, "each is counted");
        assert_eq!(all.ok.len(), MAX_NAMES + 1);
        assert_eq!(all.ok[&OTHERS.into()], 1600 - MAX_NAMES as u64);
    }

    #[test]
    fn a_second_is_counted_once_and_all_seconds_in_all() {
        let tally = Tally::default();
        tally.add(Duration::from_millis(1), Ok(Responder::default()));
        tally.add(Duration::from_millis(3), Err("refused".into()));
        let first = tally.take_second();
        assert_eq!((first.requests(), first.ok(), first.failed()), (2, 1, 1));
        tally.add(Duration::from_millis(2), Ok(Responder::default()));
        assert_eq!(tally.take_second().requests(), 1);
        assert_eq!(tally.take_second().requests(), 0);
        let all = tally.take_all();
        assert_eq!((all.requests(), all.ok(), all.failed()), (3, 2, 1));
    }

    #[test]
    fn what_was_not_sent_is_no_request_and_has_no_latency() {
        let tally = Tally::default();
        tally.add(Duration::from_millis(1), Ok(Responder::default()));
        let busy = Failure::NotSent("connections busy".into());
        tally.add(Duration::from_secs(5), Err(busy));
        let second = tally.take_second();
        assert_eq!((second.requests(), second.not_sent()), (1, 1));
        assert!(second.latencies.max().unwrap() < 1.1, "{second:?}");
        assert_eq!(tally.take_all().not_sent(), 1, "of all seconds");
    }
}
