//! All burns of this process, and what each of them may use of the container's CPU limit.

use std::{
    sync::{Arc, Mutex, MutexGuard, atomic::Ordering},
    time::{Duration, Instant},
};

use chassis::system::{
    container::{Container, CpuLimit, Throttling},
    seconds,
};

use super::{
    clock::{self, Clock, ReadCpuTime},
    quota::Quota,
    request::{BurnRequest, Caller},
    running::RunningBurn,
    share_out::{self, Headroom},
    thread::{self, Threads},
};

/// Why a burn can't start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError {
    /// As many burns run as are allowed; the first of them completes after this time.
    TooMany(Duration),
    /// The system gives no more threads.
    NoThreads,
}

/// All burns of this process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Burns(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    max_burns: usize,
    headroom: Headroom,
    pub(super) running: Mutex<Running>,
    quota: Quota,
    pub(super) threads: Arc<Threads>,
}

#[derive(Debug, Default)]
pub(super) struct Running {
    last_id: u64,
    burns: Vec<Arc<RunningBurn>>,
    /// The CPU time that was due of the burns that have ended.
    asked_before: Duration,
}

/// The totals of all burns since the process started, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many burns run now.
    pub running: usize,
    /// What the running burns were asked for, together.
    pub millicores: u64,
    /// CPU time asked for up to now: of a running burn, the part that is due. Never decreases.
    pub asked: Duration,
    /// CPU time used. Never decreases.
    pub achieved: Duration,
}

impl Burns {
    /// At most so many burns at once, in the container that this process runs in.
    pub fn new(max_burns: usize, headroom: Headroom) -> Self {
        Self::with_clock(max_burns, headroom, clock::thread_cpu_time)
    }

    /// As [`new`](Self::new), with another clock of CPU time, as a sandbox may have one.
    pub fn with_clock(max_burns: usize, headroom: Headroom, clock: ReadCpuTime) -> Self {
        Self::in_container(max_burns, headroom, Container::found().clone(), clock)
    }

    pub(super) fn in_container(
        max_burns: usize,
        headroom: Headroom,
        container: Container,
        clock: ReadCpuTime,
    ) -> Self {
        Self(Arc::new(Inner {
            max_burns,
            headroom,
            running: Mutex::default(),
            threads: Arc::new(Threads::new(clock, container.cpus())),
            quota: Quota::new(container),
        }))
    }

    /// Adds a burn to the running ones and starts its threads.
    pub(super) fn add(&self, request: BurnRequest) -> Result<Arc<RunningBurn>, StartError> {
        // Files are read before the lock, which lists, metrics and all burner threads need.
        let limit = self.0.quota.read();
        // Where nothing is limited too: a limit may come.
        let throttled_before = self.0.quota.container().throttling_by_group();
        let stalled_before = self.0.quota.container().cpu_stalled();
        let mut running = self.running();
        if running.burns.len() >= self.0.max_burns {
            let remaining = running.burns.iter().map(|burn| burn.remaining());
            return Err(StartError::TooMany(remaining.min().unwrap_or_default()));
        }
        running.last_id += 1;
        let burn = RunningBurn::new(running.last_id, request, throttled_before, stalled_before);
        let burn = Arc::new(burn);
        let burns = self.clone();
        let follow_limit = Arc::new(move |now| burns.follow_limit(now));
        if let Err(error) = self.0.threads.start(&burn, follow_limit) {
            burn.stop(); // for the threads that have started
            tracing::error!(%error, "cannot start a burner thread");
            return Err(StartError::NoThreads);
        }
        // Not before the threads are there: a burn that is refused takes nothing from the others.
        running.burns.push(Arc::clone(&burn));
        self.share_out(&running, limit);
        Ok(burn)
    }

    /// By which clock burns are measured; `None` before a burn has run.
    pub fn clock(&self) -> Option<Clock> {
        self.0.threads.clock.chosen()
    }

    /// How far the clock of CPU time steps; `None` before a burn has run.
    pub fn clock_step(&self) -> Option<Duration> {
        self.0.threads.clock.step()
    }

    /// The burns that are neither cancelled nor completed, the oldest first.
    pub fn list(&self) -> Vec<Arc<RunningBurn>> {
        let mut burns = self.running().burns.clone();
        burns.retain(|burn| !burn.is_over());
        burns
    }

    /// Ends a burn, within a millisecond or so. Returns `false` when no burn with that number runs: it
    /// has completed, it was cancelled already, or there never was one.
    pub fn cancel(&self, id: u64) -> bool {
        self.cancel_where(|burn| burn.id == id) == 1
    }

    /// Ends all burns, or those of one caller if it is named. Returns how many it ended.
    pub fn cancel_all(&self, caller: Option<&Caller>) -> usize {
        self.cancel_where(|burn| caller.is_none() || burn.request.caller.as_ref() == caller)
    }

    /// What all burns were asked for and have used.
    pub fn totals(&self) -> Totals {
        let running = self.running();
        let burns = || running.burns.iter();
        let due: Duration = burns().map(|burn| burn.due()).sum();
        Totals {
            running: running.burns.len(),
            millicores: burns().map(|burn| u64::from(burn.request.millicores)).sum(),
            asked: running.asked_before + due,
            achieved: Duration::from_nanos(self.0.threads.achieved_nanos.load(Ordering::Relaxed)),
        }
    }

    /// How the container has been throttled since that burn started; `None` if nothing was limited.
    pub fn throttling_since_start(&self, burn: &RunningBurn) -> Option<Throttling> {
        let container = self.0.quota.container();
        container.throttling_since(&burn.throttled_before)
    }

    /// For how long the whole container has stood still since that burn started, though something
    /// in it wanted to run; `None` if the kernel doesn't say.
    pub fn stalled_since_start(&self, burn: &RunningBurn) -> Option<Duration> {
        let now = self.0.quota.container().cpu_stalled()?;
        Some(now.saturating_sub(burn.stalled_before?))
    }

    /// A cancelled burn is gone at once, for every list and count; its threads follow.
    fn cancel_where(&self, chosen: impl Fn(&RunningBurn) -> bool) -> usize {
        let mut running = self.running();
        let cancelled: Vec<_> = running
            .burns
            .iter()
            .filter(|burn| chosen(burn) && !burn.is_over())
            .cloned()
            .collect();
        for burn in &cancelled {
            burn.stop();
            self.remove(&mut running, burn);
        }
        cancelled.len()
    }

    /// Takes a burn out of the running ones if it is still there, and divides its share among the others.
    pub(super) fn remove(&self, running: &mut Running, burn: &RunningBurn) {
        let before = running.burns.len();
        running.burns.retain(|other| other.id != burn.id);
        if running.burns.len() < before {
            running.asked_before += burn.due();
            self.share_out(running, self.0.quota.limit());
        }
    }

    /// Tells each burn's threads what they may use under this limit.
    fn share_out(&self, running: &Running, limit: Option<CpuLimit>) {
        self.0.quota.applied(limit);
        let requests = running.burns.iter().map(|burn| &burn.request);
        let shares = share_out::share_out(requests, limit, self.0.headroom);
        let mut active_threads: u32 = 0;
        for (burn, granted) in running.burns.iter().zip(shares.granted) {
            let steering = &burn.steering;
            let portion = if burn.request.force {
                u64::MAX
            } else {
                shares.portion_micros
            };
            steering.portion_micros.store(portion, Ordering::Relaxed);
            let threads =
                thread::active(granted, self.0.threads.cpus, Duration::from_micros(portion));
            active_threads = active_threads.saturating_add(threads);
            steering.granted.store(granted, Ordering::Relaxed);
            steering.least_granted.fetch_min(granted, Ordering::Relaxed);
            let before = steering.active_threads.swap(threads, Ordering::Release);
            if threads > before {
                steering.wake();
            }
        }
        self.0
            .threads
            .active
            .store(active_threads, Ordering::Relaxed);
    }

    /// Shares out anew when the container's limit has changed: a pod can be resized while it
    /// runs. Called by burner threads, between two pieces of work.
    fn follow_limit(&self, now: Instant) {
        if let Some(limit) = self.0.quota.changed(now) {
            match limit {
                Some(limit) => tracing::info!(
                    cpu_millicores = limit.millicores,
                    period_seconds = seconds(limit.period),
                    "CPU limit changed"
                ),
                None => tracing::info!("CPU limit removed"),
            }
            self.share_out(&self.running(), limit);
        }
    }

    pub(super) fn running(&self) -> MutexGuard<'_, Running> {
        // Whatever a panic interrupted, the list itself is whole.
        chassis::base::lock(&self.0.running)
    }
}
