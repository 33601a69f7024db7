//! What follows for burns from the container's CPU limit, which the kernel enforces as a quota
//! per period: the limit in force, noticed when it changes, and how short a thread's portions of
//! work must be for no period to reach the quota.

use std::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chassis::system::container::{Container, CpuLimit};

/// How often the limit is read while burns run. A resized pod is followed within a second: this,
/// and the longest period of a burner thread.
const READ_INTERVAL: Duration = Duration::from_millis(500);

/// The limit as it was last read. Burner threads read it anew while they run, which needs no further thread
/// and no further wake-up. What reading costs, some 20 µs, counts as burnt.
#[derive(Debug)]
pub(super) struct Quota {
    container: Container,
    limit: Mutex<Option<CpuLimit>>,
    origin: Instant,
    /// When the limit was last read, in milliseconds after `origin`.
    last_read_millis: AtomicU64,
}

impl Quota {
    pub(super) fn new(container: Container) -> Self {
        Self {
            limit: Mutex::new(container.cpu_limit()),
            container,
            origin: Instant::now(),
            last_read_millis: AtomicU64::new(0),
        }
    }

    /// The limit that burns share at the moment.
    pub(super) fn limit(&self) -> Option<CpuLimit> {
        *self.known()
    }

    /// The limit, read now.
    pub(super) fn read(&self) -> Option<CpuLimit> {
        self.container.cpu_limit()
    }

    /// Remembers the limit that burns share from now on.
    pub(super) fn applied(&self, limit: Option<CpuLimit>) {
        *self.known() = limit;
    }

    fn known(&self) -> MutexGuard<'_, Option<CpuLimit>> {
        chassis::base::lock(&self.limit)
    }

    /// The new limit, if it was time to read it and it has changed since it was [`applied`](Self::applied).
    /// If several threads ask at the same time, one of them reads.
    pub(super) fn changed(&self, now: Instant) -> Option<Option<CpuLimit>> {
        let elapsed = now.saturating_duration_since(self.origin).as_millis();
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        let last = self.last_read_millis.load(Ordering::Relaxed);
        if u128::from(elapsed.saturating_sub(last)) < READ_INTERVAL.as_millis()
            || !self.container.has_cpu_cgroup()
        {
            return None;
        }
        self.last_read_millis
            .compare_exchange(last, elapsed, Ordering::Relaxed, Ordering::Relaxed)
            .ok()?;
        let limit = self.read();
        (limit != self.limit()).then_some(limit)
    }

    /// The container that has the limit.
    pub(super) fn container(&self) -> &Container {
        &self.container
    }
}

/// The longest portion, in microseconds, in which burns of that sum may come without reaching the
/// limit in any period of the kernel's. A period can begin with a portion and end with one, so it
/// holds one more than is its due; half of what is left below the limit is for that, the other
/// half for the server.
pub(super) fn longest_portion_micros(granted: u64, limit: CpuLimit) -> u64 {
    let left = u64::from(limit.millicores).saturating_sub(granted);
    let half_period = u64::try_from(limit.period.as_micros() / 2).unwrap_or(u64::MAX);
    half_period.saturating_mul(left) / granted.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_portion_more_stays_below_the_limit() {
        for (granted, millicores) in [(475, 500), (80, 100), (950, 1000), (1900, 2000), (300, 500)]
        {
            for millis in [1, 5, 10, 100, 1000] {
                let period = Duration::from_millis(millis);
                let portion = longest_portion_micros(granted, CpuLimit { millicores, period });
                let used = granted * (millis * 1000 + portion) / 1000;
                assert!(
                    used < u64::from(millicores) * millis,
                    "{used} of {millicores} millicores for {millis} ms, in portions of {portion} us"
                );
            }
        }
        let (millicores, period) = (500, Duration::from_millis(100));
        let portion = longest_portion_micros(500, CpuLimit { millicores, period });
        assert_eq!(portion, 0, "as short as they come");
    }
}
