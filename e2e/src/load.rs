//! The load Job of `k8s/lessons/load.yaml`, and what it counts. Its containers print a line each
//! second; the difference of two totals belongs to what was done between them.

use std::{
    collections::BTreeMap,
    ops::{AddAssign, Sub},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use cluster::{Namespace, SOON, background::Background, pods, wait::until};
use serde_json::Value;

const SELECTOR: &str = "batch.kubernetes.io/job-name=load";

const FILE: &str = "k8s/lessons/load.yaml";

/// As the file has it: requests per second of each of its short loads, of which there are four.
const RATE: &str = "--rate=50";
const SHORT_LOADS: u32 = 4;

/// A load prints each second; one that takes longer than this for what is to come has stopped.
const LONGEST_SILENCE: Duration = Duration::from_secs(20);

/// What was asked, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Those that were due.
    pub requests: u64,
    /// Those that failed, by how; also those that the load couldn't send, of which nobody can say that
    /// they would have been answered.
    pub failed: BTreeMap<String, u64>,
    /// In how many seconds something failed; of several loads, the most.
    pub bad_seconds: u64,
}

impl Count {
    /// The number of those that failed.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// How they failed, as text: `12 refused, 3 status 503`.
    pub fn kinds(&self) -> String {
        let kinds: Vec<String> = self
            .failed
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        kinds.join(", ")
    }
}

impl AddAssign<&Self> for Count {
    fn add_assign(&mut self, other: &Self) {
        self.requests += other.requests;
        self.bad_seconds = self.bad_seconds.max(other.bad_seconds);
        for (kind, count) in &other.failed {
            *self.failed.entry(kind.clone()).or_default() += count;
        }
    }
}

impl Sub<&Self> for Count {
    type Output = Self;

    fn sub(mut self, earlier: &Self) -> Self {
        self.requests -= earlier.requests;
        self.bad_seconds -= earlier.bad_seconds;
        for (kind, count) in &earlier.failed {
            *self.failed.entry(kind.clone()).or_default() -= count;
        }
        self.failed.retain(|_, count| *count > 0);
        self
    }
}

/// The Job while it runs.
#[derive(Debug)]
pub struct Load(Vec<(String, Background)>);

impl Load {
    /// Starts the Job with `rate` short requests per second in all; returns when every container
    /// has had answers.
    ///
    /// # Errors
    /// When it doesn't start.
    pub fn start(namespace: &Namespace<'_>, rate: u32) -> Result<Self> {
        let each = format!("--rate={}", rate.div_ceil(SHORT_LOADS));
        let text = namespace.shipped(FILE)?;
        ensure!(text.contains(RATE), "{FILE} says {RATE}");
        namespace.apply_text(FILE, &text.replace(RATE, &each))?;
        let pod = namespace.until("the load runs", SOON, || {
            let mut pods = pods::list(namespace, SELECTOR)?.into_iter();
            Ok(pods.find(|pod| pod["status"]["phase"] == "Running"))
        })?;
        let containers = pod["spec"]["containers"]
            .as_array()
            .context("it has containers")?;
        let following = containers
            .iter()
            .filter_map(|container| container["name"].as_str())
            .map(|container| {
                let lines = namespace.follow(pods::name(&pod), container)?;
                Ok((container.to_owned(), lines))
            })
            .collect::<Result<_>>()?;
        let load = Self(following);
        namespace.until("each load has had answers", SOON, || {
            let mut counts = load.0.iter().map(|(_, lines)| count(lines));
            Ok(counts.all(|count| count.requests > 0).then_some(()))
        })?;
        Ok(load)
    }

    /// Ends the Job when its requests in flight are over; returns what each container counted.
    ///
    /// # Errors
    /// When it doesn't end.
    pub fn end(self, namespace: &Namespace<'_>) -> Result<Vec<(String, Count)>> {
        namespace.kubectl("delete job load --wait=false")?;
        let mut counts = Vec::new();
        for (container, lines) in self.0 {
            counts.push((container, sum(&lines.wait(SOON)?)));
        }
        namespace.kubectl(&format!(
            "wait --for=delete pod -l {SELECTOR} --timeout=60s"
        ))?;
        Ok(counts)
    }

    /// All that was counted up to now, and what fails late because of it: a request that is lost
    /// now is reported when it has timed out, 5 s after it was due.
    ///
    /// # Errors
    /// When the lines stop coming.
    pub fn total_with_late(&self) -> Result<Count> {
        self.total_after(7)
    }

    /// All that was counted up to now. It waits for lines that are printed after this moment, so
    /// that whatever is over by now is included.
    ///
    /// # Errors
    /// When the lines stop coming.
    pub fn total(&self) -> Result<Count> {
        // The current second, and the one in which its failures are reported.
        self.total_after(2)
    }

    fn total_after(&self, seconds: usize) -> Result<Count> {
        let lengths = || {
            self.0
                .iter()
                .map(|(_, lines)| lines.so_far(<[String]>::len))
        };
        let enough: Vec<usize> = lengths().map(|length| length + seconds).collect();
        until(
            "each load has reported what is over by now",
            LONGEST_SILENCE,
            || {
                let all = lengths()
                    .zip(&enough)
                    .all(|(length, enough)| length >= *enough);
                Ok(all.then_some(()))
            },
        )?;
        let mut total = Count::default();
        for (_, lines) in &self.0 {
            total += &count(lines);
        }
        Ok(total)
    }
}

fn count(lines: &Background) -> Count {
    lines.so_far(sum)
}

/// The sum of one load's lines; the summary, if it is there, says the same once more.
fn sum(lines: &[String]) -> Count {
    let mut total = Count::default();
    for line in lines {
        let Ok(second) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        if second["kind"] != "second" {
            continue;
        }
        total.requests += second["requests"].as_u64().unwrap_or(0);
        let counts = |name: &str| {
            let counts = second[name].as_object().into_iter().flatten();
            counts.map(|(kind, count)| (kind.clone(), count.as_u64().unwrap_or(0)))
        };
        let not_sent: u64 = counts("not_sent").map(|(_, count)| count).sum();
        total.requests += not_sent;
        let not_sent = (not_sent > 0).then(|| ("not sent".to_owned(), not_sent));
        let failed: Vec<_> = counts("failed").chain(not_sent).collect();
        total.bad_seconds += u64::from(!failed.is_empty());
        for (kind, count) in failed {
            *total.failed.entry(kind).or_default() += count;
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_summed_and_the_summary_is_not_counted_again() {
        let lines = [
            r#"{"kind":"second","requests":50,"failed":{}}"#,
            r#"{"kind":"second","requests":50,"failed":{"refused":2,"status 503":1}}"#,
            r#"{"kind":"second","requests":48,"failed":{"refused":1},"not_sent":{"connections busy":2}}"#,
            r#"{"kind":"summary","requests":148,"failed":{"refused":3,"status 503":1}}"#,
            "something else",
        ]
        .map(str::to_owned);
        let (before, all) = (sum(&lines[..2]), sum(&lines));
        assert_eq!((all.requests, all.failures(), all.bad_seconds), (150, 6, 2));
        assert_eq!(all.kinds(), "2 not sent, 3 refused, 1 status 503");
        let between = all - &before;
        assert_eq!((between.requests, between.bad_seconds), (50, 1));
        assert_eq!(between.kinds(), "2 not sent, 1 refused");
    }
}
