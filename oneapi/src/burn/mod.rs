//! Burning CPU, exactly as much as was asked, apart from any HTTP.
//!
//! A burn of M millicores for a time T uses M/1000 × T of CPU time, evenly: in every second as
//! much as in every other. `Burns` knows the burns that run and shares out what the container's
//! CPU limit allows; each burn's threads steer by their own CPU clock (`thread`). Threads of
//! their own, at the lowest priority: never the async runtime's, so probes go on answering.

mod thread;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use chassis::system::container::{Container, Throttling};
use tokio::sync::watch;

/// Thousandths of a core.
pub type Millicores = u32;

/// What somebody wants burnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// How much of a core, or of several.
    pub millicores: Millicores,
    /// For how long.
    pub duration: Duration,
    /// Burn it all even where the container's limit will have the kernel throttle it.
    pub force: bool,
}

impl Ask {
    /// The CPU time that was asked for.
    pub fn cpu_time(&self) -> Duration {
        self.duration.mul_f64(f64::from(self.millicores) / 1000.0)
    }
}

/// How a burn came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its time was over.
    Over,
    /// Somebody ended it.
    Ended,
}

/// Why a burn can't start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CannotStart {
    /// As many as are allowed run; the first of them is over after this time.
    TooMany(Duration),
    /// The system gives no more threads.
    NoThreads,
}

/// How far below a CPU limit burns are kept, so that the kernel doesn't throttle the container
/// and its probes with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Headroom {
    /// Of the limit, in percent.
    pub percent: f64,
}

impl Headroom {
    /// A percentage of a small limit is less than the server itself needs to answer probes.
    const LEAST: Millicores = 20;

    /// The most that burns may use in all under a limit.
    fn below(self, limit: Millicores) -> Millicores {
        let share = (f64::from(limit) * self.percent / 100.0).ceil() as Millicores;
        limit
            .saturating_sub(if self.percent > 0.0 {
                share.max(Self::LEAST)
            } else {
                0
            })
            .max(1)
    }
}

/// All burns of this process.
#[derive(Clone, Debug)]
pub struct Burns(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    headroom: Headroom,
    running: Mutex<Running>,
    totals: Totals,
    container: Container,
    /// How many CPUs there are for burning: found once, as asking costs more than it is worth.
    cpus: u32,
    /// Threads of all burns, so that each can do its part in keeping wake-ups rare.
    threads: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Running {
    last_id: u64,
    burns: Vec<Arc<Burn>>,
}

/// CPU time of the burns that have ended.
#[derive(Debug, Default)]
struct Totals {
    asked_micros: AtomicU64,
    achieved_micros: AtomicU64,
}

/// One burn that runs.
#[derive(Debug)]
pub struct Burn {
    /// Its number, from 1 on; never used again while the process lives.
    pub id: u64,
    /// What was asked.
    pub ask: Ask,
    /// When it began.
    pub began: Instant,
    steering: Arc<Steering>,
    throttled_before: Option<Throttling>,
}

/// What a burn and its threads share.
#[derive(Debug)]
struct Steering {
    /// What it may use now: as asked, or less to stay below the container's limit.
    granted: AtomicU32,
    /// The least of that so far.
    least_granted: AtomicU32,
    /// How long its threads may work or sleep in one go, in microseconds.
    portion_micros: AtomicU64,
    stopped: AtomicBool,
    achieved_nanos: AtomicU64,
    threads: Mutex<Vec<std::thread::Thread>>,
    /// Closed when the last thread has ended: each holds a receiver.
    alive: watch::Sender<()>,
}

/// The CPU time of all burns since the start, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many run now.
    pub running: usize,
    /// What they were asked for, together.
    pub millicores: u64,
    /// CPU time asked for up to now: of a running burn, the part that is due.
    pub asked: Duration,
    /// CPU time used.
    pub achieved: Duration,
}

impl Burns {
    /// At most `most` at once.
    pub fn new(most: usize, headroom: Headroom) -> Self {
        let container = Container::found();
        Self(Arc::new(Inner {
            most,
            headroom,
            running: Mutex::default(),
            totals: Totals::default(),
            cpus: container.cpus(),
            container,
            threads: Arc::default(),
        }))
    }

    /// Starts a burn. It goes on until its time is over, [`Burn::end`], or the handle is dropped.
    ///
    /// # Errors
    /// Too many run, or there are no threads to be had.
    pub fn start(&self, ask: Ask) -> Result<Handle, CannotStart> {
        let mut running = self.running();
        if running.burns.len() >= self.0.most {
            let soonest = running
                .burns
                .iter()
                .map(|burn| burn.left())
                .min()
                .unwrap_or_default();
            return Err(CannotStart::TooMany(soonest));
        }
        let limit = self.0.container.cpu_millicores();
        running.last_id += 1;
        let steering = Arc::new(Steering {
            granted: AtomicU32::new(ask.millicores),
            least_granted: AtomicU32::new(ask.millicores),
            portion_micros: AtomicU64::new(u64::MAX),
            stopped: AtomicBool::new(false),
            achieved_nanos: AtomicU64::new(0),
            threads: Mutex::default(),
            alive: watch::Sender::new(()),
        });
        let burn = Arc::new(Burn {
            id: running.last_id,
            ask,
            began: Instant::now(),
            steering: Arc::clone(&steering),
            // Asking costs as much as burning for a while: not where there is nothing to learn.
            throttled_before: limit.and_then(|_| self.0.container.throttling()),
        });
        running.burns.push(Arc::clone(&burn));
        self.share_out(&running.burns, limit);
        drop(running);
        // From here on the handle's drop ends what was begun.
        let handle = Handle {
            burn,
            burns: self.clone(),
        };
        thread::start(&handle.burn, self.0.cpus, &self.0.threads).map_err(|error| {
            tracing::error!(%error, "cannot start a burner thread");
            CannotStart::NoThreads
        })?;
        Ok(handle)
    }

    /// Those that run, the oldest first.
    pub fn list(&self) -> Vec<Arc<Burn>> {
        self.running().burns.clone()
    }

    /// What all burns were asked for and have used.
    pub fn sum(&self) -> Sum {
        let running = self.running();
        let totals = &self.0.totals;
        let micros = |total: &AtomicU64| Duration::from_micros(total.load(Ordering::Relaxed));
        running.burns.iter().fold(
            Sum {
                running: running.burns.len(),
                millicores: 0,
                asked: micros(&totals.asked_micros),
                achieved: micros(&totals.achieved_micros),
            },
            |sum, burn| Sum {
                millicores: sum.millicores + u64::from(burn.ask.millicores),
                asked: sum.asked + burn.due(),
                achieved: sum.achieved + burn.achieved(),
                ..sum
            },
        )
    }

    /// Divides what the container's limit allows among the burns that are not forced, each in
    /// proportion to what it asked for. Without a limit, or below it, each gets what it asked.
    fn share_out(&self, burns: &[Arc<Burn>], limit: Option<Millicores>) {
        let asked = burns
            .iter()
            .filter(|b| !b.ask.force)
            .map(|b| b.ask.millicores)
            .sum::<u32>();
        let allowed = limit.map_or(asked, |limit| self.0.headroom.below(limit));
        for burn in burns.iter().filter(|burn| !burn.ask.force) {
            let part = u64::from(burn.ask.millicores) * u64::from(asked.min(allowed));
            let granted = part.checked_div(asked.into()).unwrap_or_default();
            let granted = u32::try_from(granted).unwrap_or(u32::MAX).max(1);
            burn.steering.granted.store(granted, Ordering::Relaxed);
            burn.steering
                .least_granted
                .fetch_min(granted, Ordering::Relaxed);
            let portion = limit.map_or(u64::MAX, |limit| portion_micros(asked.min(allowed), limit));
            burn.steering
                .portion_micros
                .store(portion, Ordering::Relaxed);
        }
    }

    fn remove(&self, burn: &Burn) {
        let mut running = self.running();
        running.burns.retain(|other| other.id != burn.id);
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0
            .totals
            .asked_micros
            .fetch_add(micros(burn.due()), Ordering::Relaxed);
        self.0
            .totals
            .achieved_micros
            .fetch_add(micros(burn.achieved()), Ordering::Relaxed);
        if !running.burns.is_empty() {
            self.share_out(&running.burns, self.0.container.cpu_millicores());
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Running> {
        // Whatever a panic interrupted, the list itself is whole.
        self.0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Burn {
    /// CPU time used so far.
    pub fn achieved(&self) -> Duration {
        Duration::from_nanos(self.steering.achieved_nanos.load(Ordering::Relaxed))
    }

    /// What it may use now: as asked, or less to stay below the container's limit.
    pub fn granted(&self) -> Millicores {
        self.steering.granted.load(Ordering::Relaxed)
    }

    /// The least that it was ever kept to: at its end, others may have left it more.
    pub fn least_granted(&self) -> Millicores {
        self.steering.least_granted.load(Ordering::Relaxed)
    }

    /// Time until it is over.
    pub fn left(&self) -> Duration {
        self.ask.duration.saturating_sub(self.began.elapsed())
    }

    /// When it will be over.
    pub fn over_at(&self) -> Instant {
        self.began + self.ask.duration
    }

    /// Ends it, within a millisecond or so.
    pub fn end(&self) {
        self.steering.stopped.store(true, Ordering::Release);
        let threads = self
            .steering
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for thread in &*threads {
            thread.unpark();
        }
    }

    /// The part of what was asked that is due by now.
    fn due(&self) -> Duration {
        let share = f64::from(self.ask.millicores) / 1000.0;
        self.began.elapsed().min(self.ask.duration).mul_f64(share)
    }
}

/// Holds a burn: dropping it, as when the client goes away, ends the burn.
#[derive(Debug)]
pub struct Handle {
    /// The burn itself.
    pub burn: Arc<Burn>,
    burns: Burns,
}

impl Handle {
    /// How the container has been throttled since the burn began; none where nothing is limited.
    pub fn throttling(&self) -> Option<Throttling> {
        let before = self.burn.throttled_before?;
        Some(self.burns.0.container.throttling()?.since(before))
    }

    /// Waits for its end. May be waited for again after having been given up.
    pub async fn end(&self) -> End {
        self.burn.steering.alive.closed().await;
        if self.burn.steering.stopped.load(Ordering::Acquire) {
            End::Ended
        } else {
            End::Over
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.burn.end();
        self.burns.remove(&self.burn);
    }
}

/// The longest portion, in microseconds, in which burns of that sum may come without reaching the
/// limit in any period of the kernel's. A period can begin with a portion and end with one, so it
/// holds one more than is its due; half of what is left below the limit is for that, the other
/// half for the server.
fn portion_micros(granted: Millicores, limit: Millicores) -> u64 {
    /// Of the quota: Kubernetes' own, and the kernel's default.
    const PERIOD_MICROS: u64 = 100_000;
    let left = u64::from(limit.saturating_sub(granted));
    PERIOD_MICROS / 2 * left / u64::from(granted.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(millicores: u32, millis: u64) -> Ask {
        Ask {
            millicores,
            duration: Duration::from_millis(millis),
            force: false,
        }
    }

    fn burns(most: usize) -> Burns {
        Burns::new(most, Headroom { percent: 5.0 })
    }

    #[tokio::test]
    async fn a_burn_uses_what_was_asked() {
        // A small one wakes up more seldom than a large one.
        for millicores in [20, 200] {
            let asked = f64::from(millicores) / 1000.0 * 0.5;
            // Beside a compiler the lowest priority gets next to nothing, so a busy machine has
            // a few tries; too much is wrong at any time. `make bench-cpu` measures.
            let mut seen = Vec::new();
            while seen.last().is_none_or(|used| *used < asked * 0.95) {
                assert!(seen.len() < 10, "asked {asked} s, used {seen:?} s");
                let handle = burns(1).start(ask(millicores, 500)).unwrap();
                assert_eq!(handle.end().await, End::Over);
                let used = handle.burn.achieved().as_secs_f64();
                assert!(used < asked * 1.05, "asked {asked} s, used {used} s");
                seen.push(used);
            }
        }
    }

    #[tokio::test]
    async fn a_burn_ends_when_told() {
        let burns = burns(1);
        let handle = burns.start(ask(500, 60_000)).unwrap();
        handle.burn.end();
        let told = Instant::now();
        assert_eq!(handle.end().await, End::Ended);
        assert!(
            told.elapsed() < Duration::from_millis(50),
            "took {:?}",
            told.elapsed()
        );
    }

    #[tokio::test]
    async fn a_dropped_handle_ends_its_burn_and_leaves_its_totals() {
        let burns = burns(1);
        let handle = burns.start(ask(1000, 60_000)).unwrap();
        let mut alive = handle.burn.steering.alive.subscribe();
        while handle.burn.achieved().is_zero() {
            tokio::task::yield_now().await;
        }
        let burn = Arc::clone(&handle.burn);
        assert_eq!(burns.sum().millicores, 1000);
        drop(handle);
        alive.mark_unchanged();
        drop(alive);
        burn.steering.alive.closed().await;
        let sum = burns.sum();
        assert_eq!((sum.running, sum.millicores), (0, 0));
        assert!(
            sum.achieved > Duration::ZERO,
            "ended burns are counted still"
        );
    }

    #[tokio::test]
    async fn too_many_burns_are_refused_with_the_time_until_one_is_over() {
        let burns = burns(2);
        let _running = [
            burns.start(ask(1, 60_000)).unwrap(),
            burns.start(ask(1, 30_000)).unwrap(),
        ];
        match burns.start(ask(1, 1)) {
            Err(CannotStart::TooMany(soonest)) => {
                assert!(soonest <= Duration::from_secs(30) && soonest > Duration::from_secs(20));
            }
            other => panic!("a third burn should be refused, not {other:?}"),
        }
        assert_eq!(
            burns.list().iter().map(|burn| burn.id).collect::<Vec<_>>(),
            [1, 2]
        );
    }

    #[test]
    fn two_burns_share_what_the_limit_allows() {
        let burns = burns(3);
        let granted = |handles: &[&Handle]| {
            let list: Vec<_> = handles.iter().map(|h| Arc::clone(&h.burn)).collect();
            burns.share_out(&list, Some(500));
            let granted: Vec<_> = list.iter().map(|burn| burn.granted()).collect();
            granted
        };
        let (small, large) = (ask(200, 60_000), ask(600, 60_000));
        let (small, large) = (burns.start(small).unwrap(), burns.start(large).unwrap());
        assert_eq!(granted(&[&small]), [200], "below the limit: as asked");
        assert_eq!(granted(&[&large]), [475], "5 % below the limit");
        assert_eq!(granted(&[&small, &large]), [118, 356], "by what each asked");
        let forced = burns.start(Ask {
            force: true,
            ..ask(1000, 60_000)
        });
        let forced = forced.unwrap();
        assert_eq!(
            granted(&[&small, &forced]),
            [200, 1000],
            "a forced one takes it all"
        );
        assert_eq!(small.burn.least_granted(), 118, "what its answer will say");
    }

    #[test]
    fn one_portion_more_stays_below_the_limit() {
        for (granted, limit) in [(475, 500), (80, 100), (950, 1000), (1900, 2000), (300, 500)] {
            let portion = portion_micros(granted, limit);
            let most = u64::from(granted) * (100_000 + portion) / 1000;
            assert!(
                most < u64::from(limit) * 100,
                "{most} of {limit} millicores for 100 ms, in portions of {portion} us"
            );
        }
        assert_eq!(portion_micros(500, 500), 0, "as short as they come");
    }

    #[test]
    fn headroom_is_a_share_of_the_limit_but_enough_for_the_server() {
        let five = Headroom { percent: 5.0 };
        assert_eq!(five.below(2000), 1900);
        assert_eq!(five.below(500), 475);
        assert_eq!(
            five.below(100),
            80,
            "5 % would be 5 millicores, too few to answer probes"
        );
        assert_eq!(five.below(10), 1, "never nothing");
        assert_eq!(Headroom { percent: 0.0 }.below(500), 500);
    }
}
