//! Where a service is in its life: starting, serving, draining, closing. The probes answer from
//! it, the connections and long requests follow it, and `server` moves it on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::watch;

use crate::refusal::Refusal;

/// How far the service has come. It only ever moves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Accepting, answering.
    Serving,
    /// Told to stop, not ready any more, still accepting: endpoints lag behind the signal.
    Draining(Stop),
    /// The listener is closed; what is in flight goes on to its end or the deadline.
    Closing(Stop),
}

/// A stop that has been asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// When the signal came.
    pub at: Instant,
    /// When requests in flight are given up.
    pub deadline: Instant,
}

/// A handle on the service's life.
#[derive(Clone, Debug)]
pub struct Life(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: SystemTime,
    began: Instant,
    /// Until then the service counts as starting.
    startup_delay: Duration,
    phase: watch::Sender<Phase>,
    /// Requests that came after the signal, and when the last of them did, in microseconds
    /// after the signal. Plain atomics, so that a request looks at the phase without a lock.
    stopping: AtomicU64,
    late: AtomicU64,
    last_late: AtomicU64,
}

/// Requests that came after the signal: the evidence of how far endpoints lag behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Late {
    pub(crate) requests: u64,
    pub(crate) last: Duration,
}

impl Life {
    /// A service that starts now.
    pub fn new(startup_delay: Duration) -> Self {
        Self(Arc::new(Inner {
            started: SystemTime::now(),
            began: Instant::now(),
            startup_delay,
            phase: watch::Sender::new(Phase::Serving),
            stopping: AtomicU64::new(0),
            late: AtomicU64::new(0),
            last_late: AtomicU64::new(0),
        }))
    }

    /// When the service started.
    pub fn started(&self) -> SystemTime {
        self.0.started
    }

    /// Whether the start is over; why not, if it isn't.
    pub fn startup(&self) -> Result<(), Refusal> {
        match self.0.startup_delay.checked_sub(self.0.began.elapsed()) {
            Some(left) if !left.is_zero() => Err(Refusal::unavailable(format!(
                "starting, {:.1} s to go",
                left.as_secs_f64()
            ))),
            _ => Ok(()),
        }
    }

    /// Whether requests are welcome; why not, if they aren't.
    pub fn readiness(&self) -> Result<(), Refusal> {
        match self.stopping() {
            Some(_) => Err(Refusal::unavailable("stopping")),
            None => self.startup(),
        }
    }

    /// The stop that has been asked for, if one has.
    pub fn stopping(&self) -> Option<Stop> {
        if !self.is_stopping() {
            return None;
        }
        match *self.0.phase.borrow() {
            Phase::Serving => None,
            Phase::Draining(stop) | Phase::Closing(stop) => Some(stop),
        }
    }

    /// Waits for a stop to be asked for. A long request that can't be over by its deadline
    /// should end at once: nobody waits for what can't be had.
    pub async fn stop(&self) -> Stop {
        let mut phase = self.0.phase.subscribe();
        loop {
            if let Phase::Draining(stop) | Phase::Closing(stop) = *phase.borrow_and_update() {
                return stop;
            }
            // `self` holds the sender, so there is always one more phase to wait for.
            let _ = phase.changed().await;
        }
    }

    /// As [`stopping`](Self::stopping), in one atomic load, for every request.
    pub(crate) fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Relaxed) != 0
    }

    /// Notes a request that came in after the signal.
    pub(crate) fn note_late_request(&self) {
        if let Some(stop) = self.stopping() {
            self.0.late.fetch_add(1, Ordering::Relaxed);
            let micros = u64::try_from(stop.at.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.0.last_late.fetch_max(micros, Ordering::Relaxed);
        }
    }

    pub(crate) fn late(&self) -> Late {
        Late {
            requests: self.0.late.load(Ordering::Relaxed),
            last: Duration::from_micros(self.0.last_late.load(Ordering::Relaxed)),
        }
    }

    pub(crate) fn begin_stop(&self, at: Instant, timeout: Duration) -> Stop {
        let stop = Stop {
            at,
            deadline: at + timeout,
        };
        self.0.phase.send_replace(Phase::Draining(stop));
        self.0.stopping.store(1, Ordering::Relaxed);
        stop
    }

    pub(crate) fn close(&self, stop: Stop) {
        self.0.phase.send_replace(Phase::Closing(stop));
    }

    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.0.phase.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_starter_is_neither_started_nor_ready() {
        let life = Life::new(Duration::from_secs(3600));
        assert!(
            life.startup()
                .unwrap_err()
                .sentence
                .starts_with("starting, 3")
        );
        assert_eq!(
            life.readiness(),
            life.startup(),
            "not ready for the same reason"
        );
        assert!(Life::new(Duration::ZERO).readiness().is_ok());
    }

    #[tokio::test]
    async fn a_stop_ends_readiness_and_wakes_who_waits_for_it() {
        let life = Life::new(Duration::ZERO);
        let waiting = tokio::spawn({
            let life = life.clone();
            async move { life.stop().await }
        });
        tokio::task::yield_now().await;
        let stop = life.begin_stop(Instant::now(), Duration::from_secs(7));
        assert_eq!(waiting.await.unwrap(), stop);
        assert_eq!(life.readiness(), Err(Refusal::unavailable("stopping")));
        assert!(life.startup().is_ok(), "a stop is not a start that failed");
        assert_eq!(
            life.stop().await,
            stop,
            "who comes later learns of it at once"
        );
    }
}
