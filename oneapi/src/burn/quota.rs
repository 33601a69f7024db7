//! What follows for burns from the container's CPU limit, which the kernel enforces as a quota
//! per period: the limit in force, noticed when it changes, and how short a thread's portions of
//! work must be for no period to reach the quota.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use chassis::system::container::{Container, Throttling};

use super::Millicores;

/// How often the limit is read while burns run. A resized pod is followed within a second: this,
/// and the longest period of a burner thread.
const READ_INTERVAL: Duration = Duration::from_millis(500);

/// Of a quota: Kubernetes' own, and the kernel's default.
const PERIOD_MICROS: u64 = 100_000;

/// The limit as it was last read. Burner threads read it anew as they run: that needs no thread
/// and no wake-up of its own, and what reading costs (some 20 µs) they count as burnt.
#[derive(Debug)]
pub(super) struct Quota {
    container: Container,
    /// `NO_LIMIT`, or millicores.
    limit: AtomicU64,
    origin: Instant,
    /// When it was last read, in milliseconds after `origin`.
    last_read_millis: AtomicU64,
}

const NO_LIMIT: u64 = u64::MAX;

impl Quota {
    pub(super) fn new(container: Container) -> Self {
        Self {
            limit: AtomicU64::new(encode(container.cpu_millicores())),
            container,
            origin: Instant::now(),
            last_read_millis: AtomicU64::new(0),
        }
    }

    /// The limit that burns share by now.
    pub(super) fn limit(&self) -> Option<Millicores> {
        // Of what is stored, only `NO_LIMIT` is beyond 32 bits.
        Millicores::try_from(self.limit.load(Ordering::Relaxed)).ok()
    }

    /// The limit, read now.
    pub(super) fn read(&self) -> Option<Millicores> {
        self.container.cpu_millicores()
    }

    /// Remembers the limit by which burns share.
    pub(super) fn applied(&self, limit: Option<Millicores>) {
        self.limit.store(encode(limit), Ordering::Relaxed);
    }

    /// The new limit, when it is time to read it and it has changed since it was
    /// [`applied`](Self::applied). Of threads that ask at the same time, one reads.
    pub(super) fn changed(&self, now: Instant) -> Option<Option<Millicores>> {
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

    /// How the container has been throttled so far; none where nothing is limited.
    pub(super) fn throttling(&self) -> Option<Throttling> {
        self.container.throttling()
    }
}

fn encode(limit: Option<Millicores>) -> u64 {
    limit.map_or(NO_LIMIT, u64::from)
}

/// The longest portion, in microseconds, in which burns of that sum may come without reaching the
/// limit in any period of the kernel's. A period can begin with a portion and end with one, so it
/// holds one more than is its due; half of what is left below the limit is for that, the other
/// half for the server.
pub(super) fn longest_portion_micros(granted: u64, limit: Millicores) -> u64 {
    let left = u64::from(limit).saturating_sub(granted);
    PERIOD_MICROS / 2 * left / granted.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_portion_more_stays_below_the_limit() {
        for (granted, limit) in [(475, 500), (80, 100), (950, 1000), (1900, 2000), (300, 500)] {
            let portion = longest_portion_micros(granted, limit);
            let used = granted * (100_000 + portion) / 1000;
            assert!(
                used < u64::from(limit) * 100,
                "{used} of {limit} millicores for 100 ms, in portions of {portion} us"
            );
        }
        assert_eq!(longest_portion_micros(500, 500), 0, "as short as they come");
    }
}
