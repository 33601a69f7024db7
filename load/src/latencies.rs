//! How long requests took: quantiles of all of them that are right to within 0.1 %, in a histogram
//! whose size doesn't depend on how many there are.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Three digits: what is printed has no more.
const SIGNIFICANT_DIGITS: u8 = 3;

/// In microseconds. It grows with the longest latency: up to 10 s it takes some 100 kB.
#[derive(Clone, Debug)]
pub struct Latencies {
    histogram: Histogram<u64>,
    /// The longest as it was. The histogram's own is the upper end of a range, which may be longer than
    /// any; so are its quantiles.
    max: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        let histogram = Histogram::new(SIGNIFICANT_DIGITS);
        Self {
            histogram: histogram.expect("it can have up to five digits"),
            max: 0,
        }
    }
}

/// Two days: above the longest timeout, which a latency exceeds by some milliseconds at most.
const LONGEST: Duration = Duration::from_secs(2 * 24 * 60 * 60);

impl Latencies {
    /// Counts one request.
    pub fn add(&mut self, latency: Duration) {
        let micros = latency.min(LONGEST).as_micros();
        let micros = u64::try_from(micros).expect("two days are few enough");
        let recorded = self.histogram.record(micros);
        recorded.expect("the histogram grows as far as this");
        self.max = self.max.max(micros);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        let added = self.histogram.add(&other.histogram);
        added.expect("the histogram grows as far as the other one did");
        self.max = self.max.max(other.max);
    }

    /// The latency that this share of the requests didn't exceed, in milliseconds. `None` without a request.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let micros = self.histogram.value_at_quantile(share).min(self.max);
        (!self.histogram.is_empty()).then_some(millis(micros))
    }

    /// The longest latency, in milliseconds. `None` without a request.
    pub fn max(&self) -> Option<f64> {
        (!self.histogram.is_empty()).then_some(millis(self.max))
    }
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_all_that_was_added_and_merged() {
        let mut odd = Latencies::default();
        let mut even = Latencies::default();
        for millis in 1..=1000 {
            let half = if millis % 2 == 0 { &mut even } else { &mut odd };
            half.add(Duration::from_millis(millis));
        }
        odd.merge(&even);
        let quantiles = [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0), (1.0, 1000.0)];
        for (share, millis) in quantiles {
            let said = odd.quantile(share).unwrap();
            assert!(
                said >= millis && said <= millis * 1.001,
                "{share} of 1 to 1000 ms is {millis}, not {said}"
            );
        }
        assert_eq!(odd.max(), Some(1000.0));
    }

    #[test]
    fn the_longest_is_said_as_it_was_and_no_quantile_is_longer() {
        let mut latencies = Latencies::default();
        latencies.add(Duration::from_secs(5));
        assert_eq!(latencies.max(), Some(5000.0));
        assert_eq!(latencies.quantile(0.99), Some(5000.0));
    }

    #[test]
    fn no_request_has_no_latency_and_none_is_too_short_or_too_long() {
        assert_eq!(Latencies::default().quantile(0.99), None);
        assert_eq!(Latencies::default().max(), None);
        let mut latencies = Latencies::default();
        latencies.add(Duration::ZERO);
        latencies.add(Duration::MAX);
        assert_eq!(latencies.quantile(0.5), Some(0.0));
        assert_eq!(latencies.max(), Some(millis(172_800_000_000)));
    }
}
