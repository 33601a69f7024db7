//! Which requests a switch acts on that acts on a part of them, and by how much it delays each.

/// A part of all requests, from 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percent(pub(super) f64);

impl Percent {
    /// Whether the n-th request, counted from 0, is one of them, of which there were `hits` before.
    ///
    /// How many there are is not left to chance: exactly one while the part that is due grows from one
    /// whole number to the next. Which one it is has no pattern that a client could fall in step with,
    /// since each request has the same chance. The first request is always one.
    pub(super) fn includes(self, n: u64, hits: u64) -> bool {
        let (part, hits) = (self.0 / 100.0, hits as f64);
        let due = n as f64 * part;
        let (whole, left) = (due.floor(), due.floor() + 1.0 - due);
        let chance = if part < left {
            if hits > whole { 0.0 } else { part / left }
        } else if hits > whole {
            // The end of a whole one, which has been, and the beginning of the next.
            (part - left) / (1.0 - left)
        } else {
            1.0
        };
        noise(n) < chance
    }
}

/// The n-th of a sequence of numbers from 0 up to 1 without a pattern: SplitMix64,
/// <https://doi.org/10.1145/2714064.2660195>, whose first is 0.
fn noise(n: u64) -> f64 {
    let mut bits = n.wrapping_mul(GOLDEN);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    fraction(bits ^ (bits >> 31))
}

/// The n-th of a sequence of numbers from 0 up to 1 that fill that range evenly, however many are
/// taken: an additive recurrence, <https://en.wikipedia.org/wiki/Low-discrepancy_sequence>.
pub(super) fn spread(n: u64) -> f64 {
    fraction(n.wrapping_mul(GOLDEN))
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15; // 2^64 / 1.618…

/// A number from 0 up to 1, of as many bits as a float holds.
fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_exact_after_any_number_of_requests() {
        let percents = (0..=200).map(|half| f64::from(half) / 2.0);
        for percent in percents.chain([0.1, 12.34, 25.2, 33.3, 66.6, 99.9]) {
            let mut hits = 0;
            for n in 0..20_000 {
                hits += u64::from(Percent(percent).includes(n, hits));
                let off = hits as f64 - (n + 1) as f64 * percent / 100.0;
                assert!(off.abs() <= 1.0, "{percent} %: {hits} of {}", n + 1);
            }
        }
    }

    /// Such as one that sends every second request over a connection of its own.
    #[test]
    fn a_client_that_sends_every_second_or_third_request_meets_its_part() {
        for percent in [5.0, 25.0, 50.0, 75.0, 200.0 / 3.0] {
            for clients in [2, 3, 4] {
                let mut hits = 0;
                let mut of_client = [0; 4];
                for n in 0..12_000 {
                    if Percent(percent).includes(n, hits) {
                        hits += 1;
                        of_client[(n % clients) as usize] += 1;
                    }
                }
                let share = 12_000.0 / clients as f64;
                for met in &of_client[..clients as usize] {
                    let met = f64::from(*met) / share * 100.0;
                    assert!(
                        (met - percent).abs() < 3.0,
                        "{percent} % of {clients}: {of_client:?}"
                    );
                }
            }
        }
    }
}
