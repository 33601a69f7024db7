//! Which way to reach pods is tried first: from here to their IP, or through the API server's
//! proxy. On most laptops only the cluster reaches a pod's IP; on a node both ways work.
//!
//! One failure decides nothing, since a pod may be starting or stopping: see [`Reach::order`].

use std::sync::atomic::{AtomicU32, Ordering};

/// A way to reach a pod or a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// curl to the IP.
    Direct,
    /// `kubectl get --raw` through the API server.
    Proxy,
}

/// After so many requests in a row that only the proxy could deliver, the proxy is tried first:
/// where IPs can't be reached, each attempt costs [`CONNECT_TIMEOUT`](crate::ask::CONNECT_TIMEOUT).
const PROXY_FIRST_AFTER: u32 = 3;

/// What earlier requests have shown.
#[derive(Debug, Default)]
pub struct Reach {
    /// The only way that may be tried.
    only: Option<Way>,
    /// How many requests in a row only the proxy could deliver.
    direct_failures: AtomicU32,
}

impl Reach {
    /// Nothing is known yet. With `only`, that way is the only one that is tried.
    pub fn new(only: Option<Way>) -> Self {
        Self {
            only,
            direct_failures: AtomicU32::new(0),
        }
    }

    /// The ways to try for the next request, in this order. A request that fails one way because
    /// nothing was reached goes the other way; what answers is remembered by
    /// [`delivered`](Self::delivered).
    pub fn order(&self) -> &'static [Way] {
        match self.only {
            Some(Way::Direct) => &[Way::Direct],
            Some(Way::Proxy) => &[Way::Proxy],
            None if self.direct_failures.load(Ordering::Relaxed) < PROXY_FIRST_AFTER => {
                &[Way::Direct, Way::Proxy]
            }
            None => &[Way::Proxy, Way::Direct],
        }
    }

    /// Remembers which way delivered a request after which had been tried.
    pub fn delivered(&self, way: Way, tried: &[Way]) {
        match way {
            Way::Direct => self.direct_failures.store(0, Ordering::Relaxed),
            Way::Proxy if tried.contains(&Way::Direct) => {
                self.direct_failures.fetch_add(1, Ordering::Relaxed);
            }
            Way::Proxy => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &[Way] = &[Way::Direct, Way::Proxy];

    #[test]
    fn one_failure_does_not_decide_how_pods_are_reached() {
        let reach = Reach::new(None);
        reach.delivered(Way::Proxy, BOTH);
        assert_eq!(reach.order(), BOTH);
    }

    #[test]
    fn the_proxy_goes_first_where_ips_are_never_reached() {
        let reach = Reach::new(None);
        for _ in 0..PROXY_FIRST_AFTER {
            assert_eq!(reach.order(), BOTH);
            reach.delivered(Way::Proxy, BOTH);
        }
        assert_eq!(reach.order(), [Way::Proxy, Way::Direct]);
        reach.delivered(Way::Proxy, &[Way::Proxy]);
        assert_eq!(reach.order(), [Way::Proxy, Way::Direct]);
    }

    #[test]
    fn a_request_that_arrives_directly_brings_the_direct_way_back() {
        let reach = Reach::new(None);
        for _ in 0..PROXY_FIRST_AFTER {
            reach.delivered(Way::Proxy, BOTH);
        }
        reach.delivered(Way::Direct, &[Way::Proxy, Way::Direct]);
        assert_eq!(reach.order(), BOTH);
    }

    #[test]
    fn a_way_that_is_set_is_the_only_one() {
        for way in [Way::Direct, Way::Proxy] {
            assert_eq!(Reach::new(Some(way)).order(), [way]);
        }
    }
}
