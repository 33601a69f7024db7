//! What the pollers of one Service's pods share.

use std::{
    collections::HashSet,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

/// How many pods of each Service are polled.
pub(super) type PodCounts = Arc<[AtomicUsize]>;

/// The addresses that DNS lists for a Service, and how many pods are polled.
#[derive(Debug)]
pub(super) struct Listed {
    addresses: Mutex<HashSet<IpAddr>>,
    polled: PodCounts,
}

impl Listed {
    pub(super) fn new(polled: PodCounts) -> Self {
        Self {
            addresses: Mutex::default(),
            polled,
        }
    }

    pub(super) fn set(&self, addresses: &[IpAddr]) {
        *self.addresses() = addresses.iter().copied().collect();
    }

    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        self.addresses().contains(&ip)
    }

    pub(super) fn set_polled(&self, service: usize, pods: usize) {
        self.polled[service].store(pods, Ordering::Relaxed);
    }

    /// How many pods of all Services are polled.
    pub(super) fn polled(&self) -> usize {
        let each = self.polled.iter();
        each.map(|pods| pods.load(Ordering::Relaxed)).sum()
    }

    fn addresses(&self) -> MutexGuard<'_, HashSet<IpAddr>> {
        chassis::base::lock(&self.addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pods_of_all_services_are_polled_as_often_as_those_of_one() {
        let listed = Listed::new([20, 0, 20].map(AtomicUsize::new).into());
        listed.set_polled(2, 21);
        assert_eq!(listed.polled(), 41);
    }
}
