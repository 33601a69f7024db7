//! Memory that a burst of requests needed goes back to the machine once the burst is over, since
//! what counts in a pod is what is resident.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// How often to look whether a burst is over.
const PERIOD: Duration = Duration::from_secs(5);

/// Quiet is a period with less than this part of the activity of the busiest one before. Probes
/// alone are always as busy as before, and set nothing off.
const QUIET: u64 = 10;

/// In how many quiet periods memory is released. A burst's memory becomes free by and by, as idle
/// connections are closed.
const RELEASES: u32 = 8;

/// Releases free memory after each burst of activity, for as long as the process lives.
/// `activity` counts upwards whatever takes memory for a while.
pub async fn release_when_quiet(activity: impl Fn() -> u64) {
    let mut period = interval(PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut before, mut busiest, mut releases) = (activity(), 0, 0);
    loop {
        period.tick().await;
        let now = activity();
        let activity = now - before;
        before = now;
        if activity < busiest / QUIET {
            busiest = activity;
            releases = RELEASES;
        }
        if releases > 0 {
            releases -= 1;
            release_free();
        }
        busiest = busiest.max(activity);
    }
}

/// Takes up to a few milliseconds after a large burst, and microseconds when there is little to
/// release.
pub(crate) fn release_free() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code)] // the standard library has no such call
    // SAFETY: no pointers; the allocator does its own locking.
    unsafe {
        libc::malloc_trim(0);
    }
}
