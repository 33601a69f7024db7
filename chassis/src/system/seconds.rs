//! A length of time as JSON, logs and metrics print it.

use std::time::Duration;

/// In seconds, to the microsecond, which is finer than anything here is measured. `as_secs_f64` adds whole
/// seconds and a fraction, and so makes 1.1400000000000001 of 1.14 s.
pub fn seconds(duration: Duration) -> f64 {
    let micros = (duration.as_nanos() + 500) / 1000;
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_printed_as_they_are_written() {
        for (nanos, printed) in [
            (0, "0.0"),
            (1_140_000_000, "1.14"),
            (2_300_000_000, "2.3"),
            (4_035_000_600, "4.035001"),
            (999, "1e-6"),
            (499, "0.0"),
            (16_777_216_123_456_789, "16777216.123457"),
        ] {
            let seconds = seconds(Duration::from_nanos(nanos));
            assert_eq!(
                serde_json::to_string(&seconds).unwrap(),
                printed,
                "{nanos} ns"
            );
        }
    }
}
