//! One burn that runs: what it was asked for, what it may use, and what it has used.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    thread::Thread,
    time::{Duration, Instant},
};

use chassis::system::container::Throttling;
use tokio::sync::watch;

use super::request::{BurnRequest, Millicores};

/// A burn, from its start to its end.
#[derive(Debug)]
pub struct RunningBurn {
    /// Its number, from 1 on; never used again while the process lives.
    pub id: u64,
    /// What was asked.
    pub request: BurnRequest,
    /// When it started.
    pub started: Instant,
    pub(super) steering: Arc<Steering>,
    /// How the container had been throttled when the burn started, at each place that can have a limit.
    pub(super) throttled_before: Vec<Throttling>,
    /// For how long the container had stood still when the burn started.
    pub(super) stalled_before: Option<Duration>,
}

/// What a burn and its threads share.
#[derive(Debug)]
pub(super) struct Steering {
    /// The millicores that the burn may use now: as asked, or less to stay below the container's limit.
    pub(super) granted: AtomicU32,
    /// The least that was granted so far.
    pub(super) least_granted: AtomicU32,
    /// How many of the threads have a part of what is granted: the first ones.
    pub(super) active_threads: AtomicU32,
    /// How long a thread may work or sleep in one go, in microseconds.
    pub(super) portion_micros: AtomicU64,
    pub(super) cancelled: AtomicBool,
    pub(super) achieved_nanos: AtomicU64,
    pub(super) starved_nanos: AtomicU64,
    pub(super) threads: Mutex<Vec<Thread>>,
    /// Closed when the last thread has ended: each thread holds a receiver.
    pub(super) alive: watch::Sender<()>,
}

impl RunningBurn {
    /// A burn that starts now and is granted nothing yet: its threads wait for that.
    pub(super) fn new(
        id: u64,
        request: BurnRequest,
        throttled_before: Vec<Throttling>,
        stalled_before: Option<Duration>,
    ) -> Self {
        Self {
            id,
            started: Instant::now(),
            steering: Arc::new(Steering {
                granted: AtomicU32::new(0),
                least_granted: AtomicU32::new(request.millicores),
                active_threads: AtomicU32::new(0),
                portion_micros: AtomicU64::new(u64::MAX),
                cancelled: AtomicBool::new(false),
                achieved_nanos: AtomicU64::new(0),
                starved_nanos: AtomicU64::new(0),
                threads: Mutex::default(),
                alive: watch::Sender::new(()),
            }),
            request,
            throttled_before,
            stalled_before,
        }
    }

    /// CPU time used so far.
    pub fn achieved(&self) -> Duration {
        Duration::from_nanos(self.steering.achieved_nanos.load(Ordering::Relaxed))
    }

    /// How long its threads were ready to run and had no CPU, together: other processes, or the
    /// kernel's throttling, kept them waiting for longer than it takes to wake up.
    pub fn starved(&self) -> Duration {
        Duration::from_nanos(self.steering.starved_nanos.load(Ordering::Relaxed))
    }

    /// What it may use now: as asked, or less to stay below the container's limit.
    pub fn granted(&self) -> Millicores {
        self.steering.granted.load(Ordering::Relaxed)
    }

    /// The least that it was ever kept to: at its end, others may have left it more.
    pub fn least_granted(&self) -> Millicores {
        self.steering.least_granted.load(Ordering::Relaxed)
    }

    /// Time until it completes.
    pub fn remaining(&self) -> Duration {
        self.request.duration.saturating_sub(self.started.elapsed())
    }

    /// When it will complete.
    pub fn completes_at(&self) -> Instant {
        self.started + self.request.duration
    }

    /// Whether it was told to end before its time.
    pub fn is_cancelled(&self) -> bool {
        self.steering.cancelled.load(Ordering::Acquire)
    }

    pub(super) fn is_over(&self) -> bool {
        self.remaining().is_zero()
    }

    /// Has its threads end.
    pub(super) fn stop(&self) {
        self.steering.cancelled.store(true, Ordering::Release);
        self.steering.wake();
    }

    /// The part of what was asked that is due by now.
    pub(super) fn due(&self) -> Duration {
        let share = f64::from(self.request.millicores) / 1000.0;
        let elapsed = self.started.elapsed().min(self.request.duration);
        elapsed.mul_f64(share)
    }
}

impl Steering {
    /// Has each thread look at what has changed.
    pub(super) fn wake(&self) {
        let threads = chassis::base::lock(&self.threads);
        for thread in &*threads {
            thread.unpark();
        }
    }
}
