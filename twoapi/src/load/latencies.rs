//! How long requests took: a histogram whose buckets grow with what they count, so that a
//! quantile is right to within 0.8 % from a microsecond up to an hour, in a few kilobytes.

use std::time::Duration;

/// Each doubling is divided into so many buckets: 1/128 is 0.8 %.
const PARTS: u64 = 1 << BITS;
const BITS: u32 = 7;

/// Microseconds by bucket. It grows as far as it is needed, and never beyond `LONGEST`.
#[derive(Clone, Debug, Default)]
pub(super) struct Latencies {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

/// An hour and a bit: no time-out is longer.
const LONGEST: u64 = (1 << 32) - 1;

impl Latencies {
    pub(super) fn add(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).map_or(LONGEST, |it| it.min(LONGEST));
        let bucket = bucket(micros);
        self.grow(bucket + 1);
        self.buckets[bucket] += 1;
        self.count += 1;
        self.max = self.max.max(micros);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.grow(other.buckets.len());
        for (count, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *count += more;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    /// In milliseconds, what this share of the requests didn't exceed; 0 of none.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let rank = (self.count as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return millis(highest(bucket).min(self.max));
            }
        }
        0.0
    }

    /// In milliseconds; 0 of none.
    pub(super) fn max(&self) -> f64 {
        millis(self.max)
    }

    fn grow(&mut self, length: usize) {
        if self.buckets.len() < length {
            self.buckets.resize(length, 0);
        }
    }
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

/// Up to twice `PARTS` a bucket is a microsecond wide, from there on each doubling is twice as wide.
fn bucket(micros: u64) -> usize {
    let doublings = (u64::BITS - micros.leading_zeros()).saturating_sub(BITS + 1);
    let bucket = u64::from(doublings) * PARTS + (micros >> doublings);
    usize::try_from(bucket).expect("it is some thousands at most")
}

/// The last microsecond that a bucket counts.
fn highest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let doublings = (bucket / PARTS).saturating_sub(1);
    ((bucket - doublings * PARTS + 1) << doublings) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_microsecond_is_in_a_bucket_at_most_a_128th_wide() {
        let mut last = 0;
        for micros in (0..100_000).chain([1 << 20, (1 << 20) + 1, LONGEST - 1, LONGEST]) {
            let bucket = bucket(micros);
            assert!(bucket >= last, "{micros} µs is not before what is shorter");
            last = bucket;
            let highest = highest(bucket);
            assert!(
                highest >= micros && highest - micros <= micros / 128,
                "{micros} µs is told as {highest} µs"
            );
        }
    }

    #[test]
    fn quantiles_are_those_of_all_that_was_added_and_merged() {
        let mut odd = Latencies::default();
        let mut even = Latencies::default();
        for millis in 1..=1000 {
            let half = if millis % 2 == 0 { &mut even } else { &mut odd };
            half.add(Duration::from_millis(millis));
        }
        odd.merge(&even);
        for (share, millis) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0), (1.0, 1000.0)] {
            let said = odd.quantile(share);
            assert!(
                said >= millis && said <= millis * 1.008,
                "{share} of 1 to 1000 ms is {millis}, not {said}"
            );
        }
        assert!((odd.max() - 1000.0).abs() < 1e-9, "the longest is exact");
        assert_eq!(Latencies::default().quantile(0.99), 0.0, "nothing");
    }
}
