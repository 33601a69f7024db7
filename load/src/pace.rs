//! When each request is due: number i at i / rate seconds after the start, whatever becomes of
//! the others. Those of a [`BATCH`] are due together at its end.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use tokio::sync::{Notify, Semaphore};

use crate::alarm::Alarm;

/// How far apart requests are at least not to be due together. To wake up costs more than to send one.
const BATCH: Duration = Duration::from_micros(500);

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
    ended: Notify,
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
            ended: Notify::new(),
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

    /// Lets requests become due until the time is over.
    pub(crate) async fn run(&self, alarm: &Alarm) {
        let mut number = 0;
        loop {
            let elapsed = self.start.elapsed();
            let first = number;
            // The last request has its share of the time, too: ended with it, three requests at one
            // a second would have taken two seconds.
            let next = loop {
                let next = self.after(number);
                if next > elapsed || self.exactly_after(number) >= self.time {
                    break next;
                }
                number += 1;
            };
            self.due.add_permits((number - first) as usize);
            if elapsed >= self.time {
                break;
            }
            let wait = next.saturating_sub(self.start.elapsed());
            tokio::select! {
                waited = alarm.wait(wait) => waited.expect("a timer can be set"),
                () = self.ended.notified() => break,
            }
        }
        self.all.store(number, Ordering::Release);
        // One more for each taker, which tells it that there are no more.
        self.due.add_permits(self.takers);
    }

    /// Ends the load before its time.
    pub(crate) fn end(&self) {
        self.ended.notify_one();
    }

    /// How many requests were due that no connection has taken; known once the load has ended.
    pub(crate) fn not_taken(&self) -> u64 {
        match self.all.load(Ordering::Acquire) {
            u64::MAX => 0,
            all => all.saturating_sub(self.taken.load(Ordering::Relaxed)),
        }
    }

    fn after(&self, number: u64) -> Duration {
        let exact = self.exactly_after(number);
        let batch = BATCH.as_nanos() as u64;
        let nanos = exact.as_nanos() as u64;
        let after = if self.rate * BATCH.as_secs_f64() > 1.0 {
            Duration::from_nanos(nanos.next_multiple_of(batch))
        } else {
            exact
        };
        after.min(self.time)
    }

    fn exactly_after(&self, number: u64) -> Duration {
        Duration::from_secs_f64(number as f64 / self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how long each request is due that there still is.
    async fn due(pace: &Pace) -> Vec<Duration> {
        let mut due = Vec::new();
        while let Some(at) = pace.next().await {
            due.push(at - pace.start);
        }
        due
    }

    #[tokio::test]
    async fn requests_are_due_at_their_time_and_then_there_are_no_more() {
        let pace = Pace::new(200.0, Duration::from_millis(50), 2);
        pace.run(&Alarm::new().unwrap()).await;
        let expected = [0, 5, 10, 15, 20, 25, 30, 35, 40, 45];
        assert_eq!(due(&pace).await, expected.map(Duration::from_millis));
        assert_eq!(pace.next().await, None, "nor for the other taker");
    }

    #[tokio::test]
    async fn those_of_half_a_millisecond_are_due_together_and_none_is_left_out_at_the_end() {
        let pace = Pace::new(4000.0, Duration::from_micros(2200), 1);
        pace.run(&Alarm::new().unwrap()).await;
        let expected = [0, 500, 500, 1000, 1000, 1500, 1500, 2000, 2000];
        assert_eq!(due(&pace).await, expected.map(Duration::from_micros));

        let pace = Pace::new(4000.0, Duration::from_micros(400), 1);
        pace.run(&Alarm::new().unwrap()).await;
        let expected = [0, 400].map(Duration::from_micros);
        assert_eq!(due(&pace).await, expected, "not after the end");
    }

    #[tokio::test]
    async fn an_early_end_is_the_end() {
        let pace = Pace::new(0.1, Duration::from_secs(3600), 1);
        let alarm = Alarm::new().unwrap();
        let first = async {
            assert_eq!(pace.next().await, Some(pace.start));
            pace.end();
        };
        tokio::join!(pace.run(&alarm), first);
        assert_eq!(pace.next().await, None);
    }
}
