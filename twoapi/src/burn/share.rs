//! How much each pod burns: whole millicores that sum up to the total exactly.

use std::{collections::BTreeMap, net::SocketAddr};

/// The millicores of each pod.
pub(super) type Shares = BTreeMap<SocketAddr, u32>;

/// How much is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Millicores {
    /// By all pods together.
    Total(u32),
    /// By each pod.
    Each(u32),
}

impl Millicores {
    /// Divides it as evenly as whole numbers allow. The remainder goes to pods that have it already
    /// by the `current` shares, so that no burn is replaced needlessly.
    pub(super) fn share_out(self, pods: &[SocketAddr], current: &Shares) -> Shares {
        let total = match self {
            Self::Each(each) => return pods.iter().map(|pod| (*pod, each)).collect(),
            Self::Total(total) => total,
        };
        let count = u32::try_from(pods.len()).unwrap_or(u32::MAX);
        let (Some(even), Some(remainder)) = (total.checked_div(count), total.checked_rem(count))
        else {
            return Shares::new();
        };
        let mut pods = pods.to_vec();
        pods.sort_unstable_by_key(|pod| (current.get(pod) != Some(&(even + 1)), *pod));
        let extra = |index| u32::from(index < remainder as usize);
        let shares = pods.into_iter().enumerate();
        shares
            .map(|(index, pod)| (pod, even + extra(index)))
            .collect()
    }

    /// What is asked of so many pods together.
    pub(super) fn total(self, pods: usize) -> f64 {
        match self {
            Self::Total(total) => total.into(),
            Self::Each(each) => f64::from(each) * pods as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods(last: &[u8]) -> Vec<SocketAddr> {
        let pod = |last: &u8| SocketAddr::from(([10, 0, 0, *last], 5000));
        last.iter().map(pod).collect()
    }

    fn shared(total: u32, last: &[u8], now: &Shares) -> Vec<u32> {
        let shares = Millicores::Total(total).share_out(&pods(last), now);
        shares.into_values().collect()
    }

    #[test]
    fn shares_sum_up_to_the_total() {
        let none = Shares::new();
        assert_eq!(shared(900, &[1, 2, 3], &none), [300, 300, 300]);
        assert_eq!(shared(1000, &[1, 2, 3], &none), [334, 333, 333]);
        assert_eq!(shared(2, &[1, 2, 3], &none), [1, 1, 0], "one pod gets none");
        assert!(shared(2, &[], &none).is_empty(), "there is no pod");
        let each = Millicores::Each(250).share_out(&pods(&[1, 2]), &none);
        assert_eq!(each.into_values().collect::<Vec<_>>(), [250, 250]);
    }

    #[test]
    fn the_pod_that_has_the_remainder_keeps_it() {
        let now: Shares = pods(&[2, 3]).into_iter().zip([334, 333]).collect();
        assert_eq!(shared(1000, &[1, 2, 3], &now), [333, 334, 333]);
    }
}
