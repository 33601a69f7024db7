//! Where a service is in its life. Whoever needs to know asks here: the probes, the accept loop,
//! each connection, and handlers with long requests. [`stop`](super::stop) moves it on.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// How far the service has come. It only ever moves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Accepting and answering.
    Serving,
    /// Asked to stop: not ready any more, but still accepting, since endpoints lag behind the signal.
    Draining(Stop),
    /// The listener closes; requests in flight go on to their end or the deadline.
    Closing(Stop),
}

/// A stop that has been requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// When the signal came.
    pub at: Instant,
    /// When requests in flight are given up.
    pub deadline: Instant,
}

/// Why a service should not get requests now. Its text is what the probes answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// The start takes this much longer.
    Starting(Duration),
    /// A stop has been requested.
    Stopping,
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting(left) => write!(f, "starting, {:.1} s to go", left.as_secs_f64()),
            Self::Stopping => write!(f, "stopping"),
        }
    }
}

/// A handle on the service's life.
#[derive(Clone, Debug)]
pub struct Life(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: SystemTime,
    began: Instant,
    startup_delay: Duration,
    /// It is only reported from here. The stop itself goes by its settings.
    drain_delay: Duration,
    phase: watch::Sender<Phase>,
    /// What runs for no connection.
    work: TaskTracker,
    /// Whether the phase has changed: an atomic, so that a request looks at it without a lock.
    stopping: AtomicBool,
    late_count: AtomicU64,
    /// In microseconds after the signal.
    late_last: AtomicU64,
}

/// Requests that came after the signal: they show how far endpoints lag behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LateRequests {
    /// How many.
    pub count: u64,
    /// When the last of them came, counted from the signal.
    pub last: Duration,
}

impl Life {
    /// A service that starts now.
    pub fn new(startup_delay: Duration) -> Self {
        Self::with_drain_delay(startup_delay, Duration::ZERO)
    }

    /// A service that starts now, and that will drain for `drain_delay`.
    pub(crate) fn with_drain_delay(startup_delay: Duration, drain_delay: Duration) -> Self {
        Self(Arc::new(Inner {
            started: SystemTime::now(),
            began: Instant::now(),
            startup_delay,
            drain_delay,
            phase: watch::Sender::new(Phase::Serving),
            work: TaskTracker::new(),
            stopping: AtomicBool::new(false),
            late_count: AtomicU64::new(0),
            late_last: AtomicU64::new(0),
        }))
    }

    /// When the service started.
    pub fn started(&self) -> SystemTime {
        self.0.started
    }

    /// How long it goes on accepting after the stop signal.
    pub(crate) fn drain_delay(&self) -> Duration {
        self.0.drain_delay
    }

    /// Whether the start is over.
    ///
    /// # Errors
    /// How long it still takes.
    pub fn startup(&self) -> Result<(), NotReady> {
        if self.0.startup_delay.is_zero() {
            return Ok(()); // most services start at once, and their requests needn't ask a clock
        }
        match self.0.startup_delay.checked_sub(self.0.began.elapsed()) {
            Some(left) if !left.is_zero() => Err(NotReady::Starting(left)),
            _ => Ok(()),
        }
    }

    /// Whether requests should come here.
    ///
    /// # Errors
    /// Why they should not.
    pub fn readiness(&self) -> Result<(), NotReady> {
        if self.is_stopping() {
            return Err(NotReady::Stopping);
        }
        self.startup()
    }

    /// The stop that has been requested, if one has.
    pub fn requested_stop(&self) -> Option<Stop> {
        if !self.is_stopping() {
            return None;
        }
        match *self.0.phase.borrow() {
            Phase::Serving => None,
            Phase::Draining(stop) | Phase::Closing(stop) => Some(stop),
        }
    }

    /// Waits until a stop is requested. A long request that can't be over by its deadline should
    /// end at once, and so should a stream that has no end of its own.
    pub async fn stop_requested(&self) -> Stop {
        let mut phase = self.phase();
        loop {
            if let Phase::Draining(stop) | Phase::Closing(stop) = *phase.borrow_and_update() {
                return stop;
            }
            // `self` holds the sender, so there is always one more phase to wait for.
            let _ = phase.changed().await;
        }
    }

    /// Starts work that no connection waits for. A stop waits for it as for a request in flight; work
    /// that can't be over by the deadline of [`stop_requested`](Self::stop_requested) should end at once.
    /// Its log lines belong to the trace of the request that has started it.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.work.spawn(work.in_current_span());
    }

    /// How many pieces of work are not over.
    pub(crate) fn working(&self) -> usize {
        self.0.work.len()
    }

    /// Waits until all work is over. It is called when nothing is left that could start some.
    pub(crate) async fn work_done(&self) {
        self.0.work.close();
        self.0.work.wait().await;
    }

    /// Waits until the drain is over and the listener closes. A stream whose clients need a moment
    /// to find another pod may go on until then.
    pub async fn closing(&self) {
        let mut phase = self.phase();
        let closing = phase.wait_for(|phase| matches!(phase, Phase::Closing(_)));
        // `self` holds the sender, so the wait ends with the phase and not with an error.
        drop(closing.await);
    }

    /// Whether a stop has been requested: one atomic load, for every request.
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Acquire)
    }

    /// Notes a request that came in after the signal.
    pub(crate) fn note_late_request(&self) {
        if let Some(stop) = self.requested_stop() {
            self.0.late_count.fetch_add(1, Ordering::Relaxed);
            let micros = u64::try_from(stop.at.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.0.late_last.fetch_max(micros, Ordering::Relaxed);
        }
    }

    /// Clients' requests that came in after the signal, as the log of the stop tells them.
    pub fn late_requests(&self) -> LateRequests {
        LateRequests {
            count: self.0.late_count.load(Ordering::Relaxed),
            last: Duration::from_micros(self.0.late_last.load(Ordering::Relaxed)),
        }
    }

    pub(crate) fn begin_stop(&self, at: Instant, timeout: Duration) -> Stop {
        let stop = Stop {
            at,
            deadline: at + timeout,
        };
        self.move_on(Phase::Draining(stop));
        stop
    }

    pub(crate) fn close(&self, stop: Stop) {
        self.move_on(Phase::Closing(stop));
    }

    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.0.phase.subscribe()
    }

    fn move_on(&self, phase: Phase) {
        self.0.phase.send_modify(|current| {
            *current = phase;
            // Before any waiter is woken, and after the phase: whoever sees this sees the phase.
            self.0.stopping.store(true, Ordering::Release);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_starter_is_neither_started_nor_ready() {
        let life = Life::new(Duration::from_secs(3600));
        let why = life.startup().unwrap_err();
        assert!(why.to_string().starts_with("starting, 3"), "{why}");
        assert!(matches!(life.readiness(), Err(NotReady::Starting(_))));
        assert!(Life::new(Duration::ZERO).readiness().is_ok());
    }

    #[tokio::test]
    async fn who_waits_for_the_end_of_the_drain_is_woken_by_that() {
        let life = Life::new(Duration::ZERO);
        let waiting = tokio::spawn({
            let life = life.clone();
            async move { life.closing().await }
        });
        let stop = life.begin_stop(Instant::now(), Duration::from_secs(7));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "it drains");
        life.close(stop);
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn a_stop_ends_readiness_and_wakes_who_waits_for_it() {
        let life = Life::new(Duration::ZERO);
        let waiting = tokio::spawn({
            let life = life.clone();
            async move { life.stop_requested().await }
        });
        tokio::task::yield_now().await;
        let stop = life.begin_stop(Instant::now(), Duration::from_secs(7));
        assert_eq!(waiting.await.unwrap(), stop);
        assert_eq!(life.readiness(), Err(NotReady::Stopping));
        assert!(life.startup().is_ok(), "a stop is not a start that failed");
        assert_eq!(
            life.stop_requested().await,
            stop,
            "who comes later learns of it at once"
        );
    }
}
