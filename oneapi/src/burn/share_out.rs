//! Divides a container's CPU limit among the burns that run. Plain arithmetic: `registry` knows when to
//! divide it anew, and `quota` where the limit comes from.

use chassis::system::container::CpuLimit;

use super::{
    quota,
    request::{BurnRequest, Millicores},
};

/// How far below a CPU limit burns are kept, so that the kernel doesn't throttle the container
/// and its probes with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Headroom {
    /// Of the limit, in percent.
    pub percent: f64,
}

impl Headroom {
    /// A percentage of a small limit is less than the server itself needs to answer probes.
    const MINIMUM: Millicores = 20;

    /// What all burns together may use under a limit.
    fn below(self, limit: Millicores) -> Millicores {
        let share = (f64::from(limit) * self.percent / 100.0).ceil() as Millicores;
        let reserved = if self.percent > 0.0 {
            share.max(Self::MINIMUM)
        } else {
            0
        };
        limit.saturating_sub(reserved).max(1)
    }
}

/// What the burns may use.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shares {
    /// Of each burn, in the order of the requests. Never zero.
    pub(super) granted: Vec<Millicores>,
    /// How long a thread that is not forced may work or sleep in one go, in microseconds.
    pub(super) portion_micros: u64,
}

/// A forced burn gets what it asked for. The others divide what that leaves of the limit, each in
/// proportion to its request; without a limit, or below it, each gets what it asked for.
pub(super) fn share_out<'r>(
    requests: impl Iterator<Item = &'r BurnRequest> + Clone,
    limit: Option<CpuLimit>,
    headroom: Headroom,
) -> Shares {
    // 64 bits hold the sum of every request that there is memory for.
    let sum = |forced: bool| -> u64 {
        let same = requests.clone().filter(|request| request.force == forced);
        same.map(|request| u64::from(request.millicores)).sum()
    };
    let (forced, asked) = (sum(true), sum(false));
    let allowed = limit.map_or(u64::MAX, |limit| headroom.below(limit.millicores).into());
    let available = asked.min(allowed.saturating_sub(forced));
    let granted = requests.map(|request| {
        if request.force || available == asked {
            return request.millicores;
        }
        let part = u128::from(request.millicores) * u128::from(available) / u128::from(asked);
        // A burn that gets nothing would neither end early nor show why.
        Millicores::try_from(part).unwrap_or(Millicores::MAX).max(1)
    });
    let portion_micros = match limit {
        // Beside forced burns that use up the limit, short portions prevent no throttling.
        Some(limit) if forced < allowed => {
            quota::longest_portion_micros(forced.saturating_add(available), limit)
        }
        _ => u64::MAX,
    };
    Shares {
        granted: granted.collect(),
        portion_micros,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const FIVE_PERCENT: Headroom = Headroom { percent: 5.0 };

    fn request(millicores: Millicores, force: bool) -> BurnRequest {
        BurnRequest {
            millicores,
            duration: Duration::from_secs(60),
            force,
            caller: None,
        }
    }

    fn shares(requests: &[(Millicores, bool)], limit: Option<Millicores>) -> Shares {
        let requests: Vec<_> = requests.iter().map(|(m, f)| request(*m, *f)).collect();
        let limit = limit.map(|millicores| CpuLimit {
            millicores,
            period: Duration::from_millis(100),
        });
        share_out(requests.iter(), limit, FIVE_PERCENT)
    }

    fn granted(requests: &[(Millicores, bool)], limit: Option<Millicores>) -> Vec<Millicores> {
        shares(requests, limit).granted
    }

    #[test]
    fn burns_divide_what_the_limit_allows_in_proportion_to_their_requests() {
        let (small, large) = ((200, false), (600, false));
        assert_eq!(granted(&[small], Some(500)), [200], "below the limit");
        assert_eq!(granted(&[large], Some(500)), [475], "5 % below the limit");
        assert_eq!(granted(&[small, large], Some(500)), [118, 356]);
        assert_eq!(granted(&[small, large], None), [200, 600]);
    }

    #[test]
    fn forced_burns_are_subtracted_from_what_the_others_may_use() {
        let forced = |millicores| (millicores, true);
        assert_eq!(granted(&[(1000, false), forced(400)], Some(500)), [75, 400]);
        assert_eq!(
            granted(&[(200, false), forced(100), (600, false)], Some(500)),
            [93, 100, 281]
        );
        assert_eq!(
            granted(&[(50, false), forced(400)], Some(500)),
            [50, 400],
            "it fits beside the forced one"
        );
        assert_eq!(
            granted(&[(200, false), forced(1000)], Some(500)),
            [1, 1000],
            "next to nothing is left"
        );
    }

    #[test]
    fn sums_of_requests_do_not_overflow() {
        let largest = (Millicores::MAX, false);
        assert_eq!(granted(&[largest; 3], Some(300)), [93, 93, 93]);
        assert_eq!(granted(&[largest; 3], None), [Millicores::MAX; 3]);
        let forced = (Millicores::MAX, true);
        assert_eq!(
            granted(&[forced, forced, (10, false)], Some(Millicores::MAX)),
            [Millicores::MAX, Millicores::MAX, 1]
        );
    }

    #[test]
    fn portions_are_short_only_where_that_prevents_throttling() {
        assert_eq!(shares(&[(1000, false)], None).portion_micros, u64::MAX);
        let portion = shares(&[(1000, false), (400, true)], Some(500)).portion_micros;
        assert_eq!(portion, 2631, "of 475 millicores in all");
        let portion = shares(&[(1000, false), (500, true)], Some(500)).portion_micros;
        assert_eq!(portion, u64::MAX, "throttled in any case");
    }

    /// As docs/troubleshooting.md says, of a request that is as large as the limit. An autoscaler takes whole
    /// percents, and tolerates a tenth: <https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/>
    #[test]
    fn below_these_limits_no_burn_exceeds_an_autoscalers_target() {
        let exceeds = |target: u32, limit: Millicores| {
            let usage = FIVE_PERCENT.below(limit) * 100 / limit;
            f64::from(usage) / f64::from(target) - 1.0 > 0.1
        };
        for (target, limit) in [(80, 167), (70, 87), (50, 45)] {
            // From the least on that a quota of the kernel's can be: 1 ms in 100.
            assert!(
                !(10..limit).any(|lower| exceeds(target, lower)),
                "{target} %"
            );
            assert!(exceeds(target, limit), "{target} % at {limit}m");
        }
    }

    #[test]
    fn headroom_is_a_share_of_the_limit_but_enough_for_the_server() {
        assert_eq!(FIVE_PERCENT.below(2000), 1900);
        assert_eq!(FIVE_PERCENT.below(500), 475);
        assert_eq!(
            FIVE_PERCENT.below(100),
            80,
            "5 % would be 5 millicores, too few to answer probes"
        );
        assert_eq!(FIVE_PERCENT.below(10), 1, "never nothing");
        assert_eq!(Headroom { percent: 0.0 }.below(500), 500);
    }
}
