//! When each request is due: number i at i / rate seconds after the start, whatever becomes of
//! the others. A thread of its own does the timing: tokio's timers are only exact to a millisecond,
//! which would be most of what is measured at some thousand requests a second.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

/// The requests that are due and that no connection has taken yet.
#[derive(Debug)]
pub(crate) struct Pace {
    rate: f64,
    time: Duration,
    /// How many tasks take requests from here.
    takers: usize,
    pub(crate) start: Instant,
    /// One permit for each request that is due.
    due: Semaphore,
    taken: AtomicU64,
    /// How many requests there are in all, once that is known.
    all: AtomicU64,
    ended: AtomicBool,
}

impl Pace {
    /// Nothing is due before [`run`](Self::run).
    pub(crate) fn new(rate: f64, time: Duration, takers: usize) -> Self {
        Self {
            rate,
            time,
            takers,
            start: Instant::now(),
            due: Semaphore::new(0),
            taken: AtomicU64::new(0),
            all: AtomicU64::new(u64::MAX),
            ended: AtomicBool::new(false),
        }
    }

    /// Waits for the next request and returns when it was due; `None` after the last one. The taker that
    /// has waited longest gets it, so all connections take turns.
    pub(crate) async fn next(&self) -> Option<Instant> {
        self.due.acquire().await.ok()?.forget();
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        let last = self.all.load(Ordering::Acquire);
        (number < last).then(|| self.start + self.after(number))
    }

    /// Lets requests become due, one after the other, until the time is over.
    pub(crate) fn run(&self) {
        let mut number = 0;
        while !self.ended.load(Ordering::Relaxed) {
            // The last request has its share of the time, too: ended with it, three requests at one
            // a second would have taken two seconds.
            let next = self.after(number).min(self.time);
            let wait = next.saturating_sub(self.start.elapsed());
            if !wait.is_zero() {
                thread::park_timeout(wait);
            } else if next < self.time {
                self.due.add_permits(1);
                number += 1;
            } else {
                break;
            }
        }
        self.all.store(number, Ordering::Release);
        // One more for each taker, which tells it that there are no more.
        self.due.add_permits(self.takers);
    }

    /// Ends the load before its time. `timer` is the thread that [runs](Self::run) it.
    pub(crate) fn end(&self, timer: &Thread) {
        self.ended.store(true, Ordering::Relaxed);
        timer.unpark();
    }

    fn after(&self, number: u64) -> Duration {
        Duration::from_secs_f64(number as f64 / self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_are_due_at_their_time_and_then_there_are_no_more() {
        let pace = Pace::new(200.0, Duration::from_millis(50), 2);
        thread::scope(|scope| scope.spawn(|| pace.run()).join().unwrap());
        let mut due = Vec::new();
        while let Some(at) = pace.next().await {
            due.push((at - pace.start).as_millis());
        }
        assert_eq!(due, [0, 5, 10, 15, 20, 25, 30, 35, 40, 45]);
        assert_eq!(pace.next().await, None, "nor for the other taker");
    }

    #[tokio::test]
    async fn an_early_end_is_the_end() {
        let pace = Pace::new(0.1, Duration::from_secs(3600), 1);
        thread::scope(|scope| {
            let timer = scope.spawn(|| pace.run());
            while pace.due.available_permits() == 0 {
                thread::yield_now();
            }
            pace.end(timer.thread());
        });
        assert_eq!(pace.next().await, Some(pace.start), "it had been due");
        assert_eq!(pace.next().await, None);
    }
}
