//! The threads that burn. Each steers by its own CPU clock: what it owes grows with the wall
//! clock at the granted rate, what it has used pays it off, and while it is ahead it sleeps.
//!
//! No hot start, since nothing is owed at first; no rush after a pause, since a debt that could
//! not be paid is forgiven beyond a few periods; and an exact end, since the last period pays
//! what is left. The clock is the kernel's per-thread CPU time where it is fine enough (`clock`), so
//! whatever the kernel takes the thread off its CPU for is not counted as burnt.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    clock::{CpuClock, ReadCpuTime},
    request::Millicores,
    running::{RunningBurn, Steering},
};

/// How often a thread that is not always busy wakes up, at least and at most. 10 ms is a tenth of
/// the period over which the kernel counts a CPU quota by default; slower for small shares, so that each
/// wake-up is worth its own cost; faster close to a limit (`portion_micros`); and slower than all
/// that when threads are many, so that all of them together wake up less than a thousand times a
/// second.
const MIN_PERIOD: Duration = Duration::from_millis(10);
const MAX_PERIOD: Duration = Duration::from_millis(100);
const MIN_WORK_PER_WAKE_UP: Duration = Duration::from_millis(1);
const MIN_PERIOD_PER_THREAD: Duration = Duration::from_micros(1250);

/// The same where the kernel counts a CPU quota over some milliseconds: some 5 µs of it are the wake-up's own.
const MIN_PERIOD_OF_SHORT_QUOTA: Duration = Duration::from_micros(200);

/// The debt that is remembered, in time: what a busy machine held back longer ago is lost.
const MAX_DEBT_AGE: Duration = Duration::from_millis(40);

/// Rounds of work between two looks at the clocks: 20 to 50 µs on machines of today, long beside
/// a look (some 0.3 µs) and short beside a period.
const ROUNDS_PER_LOOK: u32 = 10_000;

/// The most of a core that one thread is to use, where there are cores enough: the rest is for
/// catching up. A thread that owes a whole core loses for good what the kernel gives to others.
const MAX_MILLICORES_PER_THREAD: Millicores = 900;

/// What a period of a CPU quota has to leave below the limit for each CPU but the first. The kernel hands a quota
/// to CPUs in slices of 5 ms (`sched_cfs_bandwidth_slice_us`), so that one may hold what another lacks. Of 1000
/// millicores burnt on two CPUs, with 5 ms left, no period was throttled, and with 2.5 ms up to a twelfth.
const LEFT_PER_FURTHER_CPU: Duration = Duration::from_millis(4);

/// The share of a thread that is to sleep as little as one that still can make up for something does.
const NEARLY_ALL: f64 = 0.95;

/// Burning needs next to no stack; reading the limit and logging its change need some.
const STACK_BYTES: usize = 256 << 10;

/// A thread that gets a CPU later than this after it was ready has been starved; up to this it
/// is the way that timers and schedulers work, and steering has to make up for it.
const WAKE_UP_LATENCY: Duration = Duration::from_millis(1);

/// What the threads of all burns share.
#[derive(Debug)]
pub(super) struct Threads {
    pub(super) clock: CpuClock,
    /// How many CPUs there are for burning: read once, as asking costs more than it is worth.
    pub(super) cpus: u32,
    /// The CPU time that all burns have used, also those that have ended. The threads add to it, so that
    /// it never goes backwards and misses nothing that a burn uses as it ends.
    pub(super) achieved_nanos: AtomicU64,
    /// How many threads have a share to burn, so that each can do its part in keeping wake-ups rare.
    pub(super) active: AtomicU32,
}

/// Applies a changed CPU limit, if it is time to look. A burner thread calls it between two pieces of work.
pub(super) type FollowLimit = Arc<dyn Fn(Instant) + Send + Sync>;

impl Threads {
    pub(super) fn new(clock: ReadCpuTime, cpus: u32) -> Self {
        Self {
            clock: CpuClock::new(clock),
            cpus,
            achieved_nanos: AtomicU64::new(0),
            active: AtomicU32::new(0),
        }
    }

    /// Starts the burn's threads.
    pub(super) fn start(
        self: &Arc<Self>,
        burn: &RunningBurn,
        follow_limit: FollowLimit,
    ) -> io::Result<()> {
        let steering = &burn.steering;
        // Held until all threads are known: whoever ends the burn meanwhile then wakes all of them.
        let mut known = chassis::base::lock(&steering.threads);
        for index in 0..count(burn.request.millicores, self.cpus) {
            let burner = Burner {
                index,
                threads: Arc::clone(self),
                follow_limit: Arc::clone(&follow_limit),
                steering: Arc::clone(steering),
                started: burn.started,
                completes_at: burn.completes_at(),
            };
            let alive = steering.alive.subscribe();
            let thread = thread::Builder::new()
                .name("burn".into())
                .stack_size(STACK_BYTES)
                .spawn(move || {
                    priority::lowest();
                    burner.run();
                    // Comes last: who waits for the end finds everything above done.
                    drop(alive);
                })?;
            known.push(thread.thread().clone());
        }
        Ok(())
    }
}

/// How many threads burn so many millicores on so many CPUs. More threads than CPUs would only be in each
/// other's way.
pub(super) fn count(millicores: Millicores, cpus: u32) -> u32 {
    millicores
        .div_ceil(MAX_MILLICORES_PER_THREAD)
        .min(cpus)
        .max(millicores.div_ceil(1000))
}

/// As [`count`], but if the portions are too short for so many threads, as few as can burn so much.
pub(super) fn active(millicores: Millicores, cpus: u32, portion: Duration) -> u32 {
    let threads = count(millicores, cpus);
    if are_too_many(threads, millicores, portion) {
        millicores.div_ceil(1000)
    } else {
        threads
    }
}

/// Whether portions of that length leave too little of a CPU quota for the CPUs after the first.
fn are_too_many(threads: u32, millicores: Millicores, portion: Duration) -> bool {
    // Half of what is left is for the portions.
    let left = 2.0 * portion.as_secs_f64() * f64::from(millicores) / 1000.0;
    left < LEFT_PER_FURTHER_CPU.as_secs_f64() * f64::from(threads.saturating_sub(1))
}

/// The part of a core that the thread with this index burns. It is 0 if less is granted than was asked and
/// fewer threads are enough. All threads have the same part, unless they are as few as can be: then only the
/// last one sleeps for long, since a CPU that goes idle keeps some of the quota.
fn share(index: u32, millicores: Millicores, cpus: u32, portion: Duration) -> f64 {
    let threads = active(millicores, cpus, portion);
    if index >= threads {
        return 0.0;
    }
    let all = f64::from(millicores) / 1000.0;
    let even = all / f64::from(threads);
    if threads == 1 || !are_too_many(count(millicores, cpus), millicores, portion) {
        return even;
    }
    let full = even.max(NEARLY_ALL);
    if index + 1 < threads {
        full
    } else {
        all - full * f64::from(threads - 1)
    }
}

/// How often a thread with that share of a core wakes up, if it may exceed its share by one portion and so
/// many threads have a share.
pub(super) fn period(share: f64, portion: Duration, active_threads: u32) -> Duration {
    let longest = spread(share, portion);
    let shortest = (portion / 2).clamp(MIN_PERIOD_OF_SHORT_QUOTA, MIN_PERIOD_PER_THREAD);
    MIN_WORK_PER_WAKE_UP
        .div_f64(share)
        .clamp(MIN_PERIOD, MAX_PERIOD)
        .min(longest)
        .max(shortest.saturating_mul(active_threads))
}

/// How long a thread with that share may work and then sleep, so that no time holds more of its work than
/// its share of it and of one portion. Of a period T it works for share × T at first; what is beyond its
/// share of the time is at its most when that is done: share × (1 - share) × T.
fn spread(share: f64, portion: Duration) -> Duration {
    portion.div_f64((1.0 - share).max(0.01))
}

struct Burner {
    /// Which of the burn's threads this is, from 0 on.
    index: u32,
    threads: Arc<Threads>,
    follow_limit: FollowLimit,
    steering: Arc<Steering>,
    started: Instant,
    completes_at: Instant,
}

impl Burner {
    fn run(&self) {
        while self.steering.active_threads.load(Ordering::Acquire) == 0
            && !self.steering.cancelled.load(Ordering::Acquire)
        {
            thread::park(); // until all threads are there, and the burn has its share
        }
        let mut state = 0x9e37_79b9_7f4a_7c15;
        let mut meter = self.threads.clock.meter();
        let mut wall = self.started;
        // Seconds of CPU time that should have been used by now and have not been.
        let mut owed = 0.0;
        // Since when this thread has wanted a CPU.
        let mut ready = Instant::now();
        loop {
            let now = Instant::now();
            let burnt = meter.burnt(now);
            self.account(burnt, now.saturating_duration_since(ready));
            if now >= self.completes_at || self.steering.cancelled.load(Ordering::Acquire) {
                return;
            }
            let left = self.completes_at - now;
            let share = self.share();
            if share == 0.0 {
                // Until there is one again, and somebody wakes this thread for it: under a quota,
                // the kernel sets some of it aside for each CPU on which any thread wakes up.
                (wall, owed) = (now, 0.0);
                ready = park(now, left);
                continue;
            }
            // Some thread has a share at any time; what reading costs counts as burnt.
            (self.follow_limit)(now);
            owed += share * (now - wall).as_secs_f64() - burnt.as_secs_f64();
            let period = self.period(share);
            // A whole period may pass between two looks: what came due in it is no old debt. And
            // close to a limit there is no room for paying more.
            let remembered = MAX_DEBT_AGE.min(self.portion()).max(period * 2);
            owed = owed.min(share * remembered.as_secs_f64());
            wall = now;

            // In the last period, what is left to the end is owed at once, so that it is paid.
            let due = if left <= period {
                owed + share * left.as_secs_f64()
            } else {
                owed
            };
            ready = if due > 0.0 {
                meter.begin_piece(now);
                state = work(state);
                now
            } else if left <= period {
                park(now, left)
            } else {
                let ahead = Duration::from_secs_f64(-owed / share);
                // Not into the last period: it is for paying.
                park(
                    now,
                    (ahead + period).min(left - period + Duration::from_micros(1)),
                )
            };
        }
    }

    /// Adds up what was burnt, and of the time in which this thread was ready what it had to wait.
    fn account(&self, burnt: Duration, ready: Duration) {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        for achieved in [&self.steering.achieved_nanos, &self.threads.achieved_nanos] {
            achieved.fetch_add(nanos(burnt), Ordering::Relaxed);
        }
        let waited = ready.saturating_sub(burnt);
        if waited > WAKE_UP_LATENCY {
            self.steering
                .starved_nanos
                .fetch_add(nanos(waited), Ordering::Relaxed);
        }
    }

    fn share(&self) -> f64 {
        let granted = self.steering.granted.load(Ordering::Relaxed);
        share(self.index, granted, self.threads.cpus, self.portion())
    }

    fn portion(&self) -> Duration {
        Duration::from_micros(self.steering.portion_micros.load(Ordering::Relaxed))
    }

    fn period(&self, share: f64) -> Duration {
        let active_threads = self.threads.active.load(Ordering::Relaxed);
        period(share, self.portion(), active_threads)
    }
}

/// Sleeps for that long, unless something wakes it up. Returns when the sleep was to end.
fn park(now: Instant, time: Duration) -> Instant {
    thread::park_timeout(time);
    now + time
}

/// Work that no compiler can fold away or foretell: each round needs the one before.
/// The step is Marsaglia's xorshift, <https://www.jstatsoft.org/article/view/v008i14>.
fn work(mut state: u64) -> u64 {
    for _ in 0..ROUNDS_PER_LOOK {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state = std::hint::black_box(state);
    }
    state
}

#[allow(unsafe_code)] // the standard library knows no priorities
mod priority {
    /// Has the kernel prefer all else in the container to the calling thread: the weakest niceness,
    /// which other cgroups don't see. Not SCHED_IDLE, which sounds like more: with it the 99th
    /// percentile of a probe during a full burn was five times as long (3.3 ms, not 0.6; two runs of
    /// each, on a two-core machine that had other work too). A refusal changes the probes' latency,
    /// not the burn.
    pub(super) fn lowest() {
        #[cfg(target_os = "linux")]
        // SAFETY: no pointers; on Linux this is of the calling thread alone.
        unsafe {
            libc::setpriority(libc::PRIO_PROCESS, 0, 19);
        }
        #[cfg(target_os = "macos")]
        // SAFETY: no pointers; the class holds for the calling thread alone.
        unsafe {
            libc::pthread_set_qos_class_self_np(libc::qos_class_t::QOS_CLASS_BACKGROUND, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use chassis::system::container::CpuLimit;

    use super::*;
    use crate::burn::quota;

    #[test]
    fn under_a_quota_of_a_short_period_as_few_threads_burn_as_can() {
        let portion = |millicores: u32, period| {
            let (limit, period) = (millicores * 20 / 19, Duration::from_millis(period));
            let limit = CpuLimit {
                millicores: limit,
                period,
            };
            Duration::from_micros(quota::longest_portion_micros(millicores.into(), limit))
        };
        for (millicores, period, expected) in [
            (950, 100, 2),
            (950, 50, 1),
            (950, 5, 1),
            (1900, 100, 3),
            (1900, 20, 2),
            (475, 5, 1),
        ] {
            assert_eq!(
                active(millicores, 4, portion(millicores, period)),
                expected,
                "{millicores} millicores, 5 % below a limit over {period} ms"
            );
        }
        let shares = |millicores, period| {
            [0, 1, 2].map(|index| {
                let share = share(index, millicores, 2, portion(millicores, period));
                (share * 1000.0).round()
            })
        };
        assert_eq!(shares(1425, 100), [713.0, 713.0, 0.0]);
        assert_eq!(shares(1425, 20), [950.0, 475.0, 0.0]);
        assert_eq!(shares(1900, 20), [950.0, 950.0, 0.0]);
        assert_eq!(shares(1980, 20), [990.0, 990.0, 0.0]);
        let unlimited = Duration::from_micros(u64::MAX);
        assert_eq!(active(950, 4, unlimited), 2);
        assert_eq!(active(0, 4, unlimited), 0, "before it has a share");
        assert!(period(1.0, unlimited, 1) <= MAX_PERIOD);
        assert_eq!(
            period(0.475, Duration::from_micros(131), 1).as_micros(),
            249
        );
        assert!(period(0.5, Duration::ZERO, 1) > Duration::ZERO);
    }

    #[test]
    fn threads_have_something_to_spare_where_there_are_cpus() {
        for (millicores, cpus, expected) in [
            (1, 2, 1),
            (900, 2, 1),
            (1000, 2, 2),
            (1500, 2, 2),
            (2000, 2, 2),
            (1000, 1, 1),
            (2000, 8, 3),
            (8000, 8, 8),
        ] {
            assert_eq!(
                count(millicores, cpus),
                expected,
                "{millicores} millicores on {cpus} CPUs"
            );
        }
    }
}
