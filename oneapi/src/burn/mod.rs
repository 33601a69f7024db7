//! Burning CPU, exactly as much as was asked, apart from any HTTP.
//!
//! A burn of M millicores for a time T uses M/1000 × T of CPU time, evenly: in every second as
//! much as in every other. `Burns` knows the burns that run; `share_out` divides among them what
//! the container's CPU limit allows, which `quota` reads; each burn's threads steer by their own
//! CPU clock (`thread`). Threads of their own, at the lowest priority: never the async runtime's,
//! so probes go on answering.

mod clock;
mod quota;
mod share_out;
mod thread;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chassis::system::{
    container::{Container, CpuLimit, Throttling},
    seconds,
};
use tokio::sync::watch;

use clock::CpuClock;
pub use clock::{Clock, ReadCpuTime};
use quota::Quota;
pub use share_out::Headroom;

/// Thousandths of a core.
pub type Millicores = u32;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BurnRequest {
    /// How much of a core, or of several.
    pub millicores: Millicores,
    /// For how long.
    pub duration: Duration,
    /// Burn it all even where the container's limit will have the kernel throttle it.
    pub force: bool,
    /// Whose burn it is, when the client says so.
    pub caller: Option<Caller>,
}

impl BurnRequest {
    /// The CPU time that is asked for.
    pub fn cpu_time(&self) -> Duration {
        self.duration.mul_f64(f64::from(self.millicores) / 1000.0)
    }
}

/// The name that a client gives itself, so that it can find and end its own burns. It is shown in
/// lists and logs, and so is short and printable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller(String);

impl Caller {
    /// The longest name, in characters: enough for a pod's name as most are, or a UUID.
    pub const MAX_LENGTH: usize = 64;

    /// None when the text is empty, too long, or has other characters than printable ASCII.
    pub fn new(text: &str) -> Option<Self> {
        let printable = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        let valid = (1..=Self::MAX_LENGTH).contains(&text.len()) && text.bytes().all(printable);
        valid.then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a burn came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It went on for as long as was asked.
    Completed,
    /// It was told to end before that.
    Cancelled,
}

/// Why a burn can't start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError {
    /// As many as are allowed run; the first of them completes after this time.
    TooMany(Duration),
    /// The system gives no more threads.
    NoThreads,
}

/// All burns of this process.
#[derive(Clone, Debug)]
pub struct Burns(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    max_burns: usize,
    headroom: Headroom,
    running: Mutex<Running>,
    /// CPU time used by all burns, those that have ended too. The threads add to it, so that it
    /// never goes backwards and misses nothing that a burn uses as it ends.
    achieved_nanos: AtomicU64,
    quota: Quota,
    clock: CpuClock,
    /// How many CPUs there are for burning: found once, as asking costs more than it is worth.
    cpus: u32,
    /// Threads of all burns that have something to burn, so that each can do its part in keeping
    /// wake-ups rare.
    active_threads: AtomicU32,
}

#[derive(Debug, Default)]
struct Running {
    last_id: u64,
    burns: Vec<Arc<Burn>>,
    /// The CPU time that was due of the burns that have ended.
    asked_before: Duration,
}

/// One burn.
#[derive(Debug)]
pub struct Burn {
    /// Its number, from 1 on; never used again while the process lives.
    pub id: u64,
    /// What was asked.
    pub request: BurnRequest,
    /// When it started.
    pub started: Instant,
    steering: Arc<Steering>,
    /// At each place that can have a limit.
    throttled_before: Vec<Throttling>,
    stalled_before: Option<Duration>,
}

/// What a burn and its threads share.
#[derive(Debug)]
struct Steering {
    /// What it may use now: as asked, or less to stay below the container's limit.
    granted: AtomicU32,
    /// The least of that so far.
    least_granted: AtomicU32,
    /// How many of its threads have a part of it, the first ones.
    active_threads: AtomicU32,
    /// How long its threads may work or sleep in one go, in microseconds.
    portion_micros: AtomicU64,
    cancelled: AtomicBool,
    achieved_nanos: AtomicU64,
    starved_nanos: AtomicU64,
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
    /// CPU time asked for up to now: of a running burn, the part that is due. Never decreases.
    pub asked: Duration,
    /// CPU time used. Never decreases.
    pub achieved: Duration,
}

impl Burns {
    /// So many at once, in the container that this process runs in.
    pub fn new(max_burns: usize, headroom: Headroom) -> Self {
        Self::with_clock(max_burns, headroom, clock::thread_cpu_time)
    }

    /// The same, by another clock of CPU time, as a sandbox may have one.
    pub fn with_clock(max_burns: usize, headroom: Headroom, clock: ReadCpuTime) -> Self {
        Self::made_of(max_burns, headroom, Container::found().clone(), clock)
    }

    fn made_of(
        max_burns: usize,
        headroom: Headroom,
        container: Container,
        clock: ReadCpuTime,
    ) -> Self {
        Self(Arc::new(Inner {
            max_burns,
            headroom,
            running: Mutex::default(),
            achieved_nanos: AtomicU64::new(0),
            cpus: container.cpus(),
            quota: Quota::new(container),
            clock: CpuClock::new(clock),
            active_threads: AtomicU32::new(0),
        }))
    }

    /// Starts a burn. It goes on until its time is over, it is cancelled, or the handle is
    /// dropped.
    ///
    /// # Errors
    /// Too many run, or there are no threads to be had.
    pub fn start(&self, request: BurnRequest) -> Result<Handle, StartError> {
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
        let burn = Arc::new(Burn {
            id: running.last_id,
            started: Instant::now(),
            steering: Arc::new(Steering {
                granted: AtomicU32::new(0), // the threads wait for it
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
        });
        if let Err(error) = thread::start(&burn, self) {
            burn.stop(); // those that have started
            tracing::error!(%error, "cannot start a burner thread");
            return Err(StartError::NoThreads);
        }
        // Not before the threads are there: a burn that is refused takes nothing from the others.
        running.burns.push(Arc::clone(&burn));
        self.share_out(&running, limit);
        drop(running);
        Ok(Handle {
            burn,
            burns: self.clone(),
        })
    }

    /// By which clock they are measured; none before one has run.
    pub fn clock(&self) -> Option<Clock> {
        self.0.clock.chosen()
    }

    /// How far the clock of CPU time steps; none before one has run.
    pub fn clock_step(&self) -> Option<Duration> {
        self.0.clock.step()
    }

    /// Those that run, the oldest first: neither cancelled nor completed.
    pub fn list(&self) -> Vec<Arc<Burn>> {
        let mut burns = self.running().burns.clone();
        burns.retain(|burn| !burn.is_over());
        burns
    }

    /// Ends a burn, within a millisecond or so. False when no burn of that number runs: it has
    /// completed, it was cancelled already, or there never was one.
    pub fn cancel(&self, id: u64) -> bool {
        self.cancel_where(|burn| burn.id == id) == 1
    }

    /// Ends all burns; those of one caller alone, when it is named. Gives how many it ended.
    pub fn cancel_all(&self, caller: Option<&Caller>) -> usize {
        self.cancel_where(|burn| caller.is_none() || burn.request.caller.as_ref() == caller)
    }

    /// What all burns were asked for and have used.
    pub fn sum(&self) -> Sum {
        let running = self.running();
        let burns = || running.burns.iter();
        let due: Duration = burns().map(|burn| burn.due()).sum();
        Sum {
            running: running.burns.len(),
            millicores: burns().map(|burn| u64::from(burn.request.millicores)).sum(),
            asked: running.asked_before + due,
            achieved: Duration::from_nanos(self.0.achieved_nanos.load(Ordering::Relaxed)),
        }
    }

    /// How the container has been throttled since that burn started; none where nothing was
    /// limited.
    pub fn throttling_since_start(&self, burn: &Burn) -> Option<Throttling> {
        let container = self.0.quota.container();
        container.throttling_since(&burn.throttled_before)
    }

    /// For how long the whole container has stood still since that burn started, though something
    /// in it wanted to run; none where the kernel doesn't tell.
    pub fn stalled_since_start(&self, burn: &Burn) -> Option<Duration> {
        let now = self.0.quota.container().cpu_stalled()?;
        Some(now.saturating_sub(burn.stalled_before?))
    }

    /// A cancelled burn is gone at once, for every list and count; its threads follow.
    fn cancel_where(&self, chosen: impl Fn(&Burn) -> bool) -> usize {
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

    /// Takes a burn out of the running ones, if it is still there, and leaves the others its share.
    fn remove(&self, running: &mut Running, burn: &Burn) {
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
            let threads = thread::active(granted, self.0.cpus, Duration::from_micros(portion));
            active_threads = active_threads.saturating_add(threads);
            steering.granted.store(granted, Ordering::Relaxed);
            steering.least_granted.fetch_min(granted, Ordering::Relaxed);
            let before = steering.active_threads.swap(threads, Ordering::Release);
            if threads > before {
                steering.wake();
            }
        }
        self.0
            .active_threads
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

    fn running(&self) -> MutexGuard<'_, Running> {
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

    fn is_over(&self) -> bool {
        self.remaining().is_zero()
    }

    /// Has its threads end.
    fn stop(&self) {
        self.steering.cancelled.store(true, Ordering::Release);
        self.steering.wake();
    }

    /// The part of what was asked that is due by now.
    fn due(&self) -> Duration {
        let share = f64::from(self.request.millicores) / 1000.0;
        let elapsed = self.started.elapsed().min(self.request.duration);
        elapsed.mul_f64(share)
    }
}

impl Steering {
    /// Has each thread look at what has changed.
    fn wake(&self) {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in &*threads {
            thread.unpark();
        }
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
    /// Ends the burn; [`finished`](Self::finished) then says how it came out.
    pub fn cancel(&self) {
        self.burns.cancel(self.burn.id);
    }

    /// Waits for its end. May be waited for again after having been given up.
    pub async fn finished(&self) -> Outcome {
        self.burn.steering.alive.closed().await;
        if self.burn.is_cancelled() {
            Outcome::Cancelled
        } else {
            Outcome::Completed
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut running = self.burns.running();
        self.burn.stop();
        self.burns.remove(&mut running, &self.burn);
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::OpenOptionsExt, path::PathBuf};

    use super::*;

    fn request(millicores: u32, millis: u64) -> BurnRequest {
        BurnRequest {
            millicores,
            duration: Duration::from_millis(millis),
            force: false,
            caller: None,
        }
    }

    const HEADROOM: Headroom = Headroom { percent: 5.0 };

    fn burns(max_burns: usize) -> Burns {
        Burns::new(max_burns, HEADROOM)
    }

    /// Waits for what other threads are to bring about; so long that only a defect takes longer.
    fn until(what: &str, mut happens: impl FnMut() -> bool) {
        let start = Instant::now();
        while !happens() {
            assert!(start.elapsed() < Duration::from_secs(20), "never: {what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// A made-up container of so many CPUs, whose CPU limit can be changed.
    struct FakeContainer(PathBuf);

    impl FakeContainer {
        fn new(name: &str, cpus: u32, cpu_max: &str) -> Self {
            let root = std::env::temp_dir().join(format!("oneapi-{}-{name}", std::process::id()));
            fs::create_dir_all(root.join("proc/self")).unwrap();
            fs::create_dir_all(root.join("sys/fs/cgroup")).unwrap();
            let fake = Self(root);
            fake.write(
                "proc/self/mountinfo",
                "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
            );
            fake.write("proc/self/cgroup", "0::/\n");
            let last = cpus - 1;
            fake.write(
                "proc/self/status",
                &format!("Cpus_allowed_list:\t0-{last}\n"),
            );
            fake.limit(cpu_max);
            fake
        }

        fn limit(&self, cpu_max: &str) {
            // Replaced as a whole, as a reader of the kernel's file sees it.
            self.write("sys/fs/cgroup/next", cpu_max);
            let folder = self.0.join("sys/fs/cgroup");
            fs::rename(folder.join("next"), folder.join("cpu.max")).unwrap();
        }

        fn write(&self, file: &str, text: &str) {
            fs::write(self.0.join(file), text).unwrap();
        }

        fn burns(&self, max_burns: usize) -> Burns {
            let container = Container::under(&self.0);
            Burns::made_of(max_burns, HEADROOM, container, clock::thread_cpu_time)
        }
    }

    impl Drop for FakeContainer {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// How exactly, the kernel says: tests/exact.rs.
    #[tokio::test]
    async fn a_burn_goes_on_for_its_time_and_uses_no_more_than_was_asked() {
        for millicores in [20, 200] {
            let handle = burns(1).start(request(millicores, 500)).unwrap();
            assert_eq!(handle.finished().await, Outcome::Completed);
            assert!(handle.burn.started.elapsed() >= Duration::from_millis(500));
            let asked = f64::from(handle.burn.least_granted()) / 1000.0 * 0.5;
            let used = handle.burn.achieved().as_secs_f64();
            assert!(used < asked * 1.05, "asked {asked} s, used {used} s");
        }
    }

    #[tokio::test]
    async fn a_cancelled_burn_ends_within_milliseconds() {
        let burns = burns(1);
        let handle = burns.start(request(500, 60_000)).unwrap();
        handle.cancel();
        let cancelled = Instant::now();
        assert_eq!(handle.finished().await, Outcome::Cancelled);
        assert!(
            cancelled.elapsed() < Duration::from_millis(50),
            "took {:?}",
            cancelled.elapsed()
        );
    }

    #[tokio::test]
    async fn a_cancelled_burn_is_gone_at_once_and_cannot_be_cancelled_again() {
        let burns = burns(3);
        let handles = [1, 2, 3].map(|_| burns.start(request(1, 60_000)).unwrap());
        assert!(burns.cancel(2));
        assert!(!burns.cancel(2), "it has been cancelled already");
        assert!(!burns.cancel(4), "there never was one");
        let ids = |burns: &Burns| burns.list().iter().map(|b| b.id).collect::<Vec<_>>();
        assert_eq!(ids(&burns), [1, 3]);
        assert_eq!(burns.sum().running, 2);
        assert!(burns.start(request(1, 1)).is_ok(), "its place is free");
        assert_eq!(burns.cancel_all(None), 2, "those that it ended");
        assert_eq!(burns.cancel_all(None), 0);
        assert!(ids(&burns).is_empty());
        for handle in &handles {
            assert_eq!(handle.finished().await, Outcome::Cancelled);
        }
    }

    #[tokio::test]
    async fn a_completed_burn_cannot_be_cancelled() {
        let burns = burns(1);
        let handle = burns.start(request(1, 1)).unwrap();
        assert_eq!(handle.finished().await, Outcome::Completed);
        assert!(!burns.cancel(1));
        assert!(burns.list().is_empty(), "it doesn't run any more");
        assert_eq!(handle.finished().await, Outcome::Completed);
    }

    #[test]
    fn a_caller_ends_its_own_burns_and_no_others() {
        let burns = burns(4);
        let start = |caller: &str| {
            let caller = Caller::new(caller);
            let request = BurnRequest {
                caller,
                ..request(1, 60_000)
            };
            burns.start(request).unwrap()
        };
        let _handles = [start("a"), start("b"), start("a"), start("")];
        assert_eq!(burns.cancel_all(Caller::new("a").as_ref()), 2);
        let left: Vec<_> = burns.list().iter().map(|b| b.id).collect();
        assert_eq!(left, [2, 4], "those of the other, and of nobody");
        assert_eq!(burns.cancel_all(Caller::new("c").as_ref()), 0);
        assert_eq!(burns.cancel_all(None), 2);
    }

    #[test]
    fn a_callers_name_is_short_and_printable() {
        for name in ["a", "twoapi burn/7f3c", "~!", &"x".repeat(64)] {
            assert_eq!(Caller::new(name).unwrap().as_str(), name);
        }
        for name in ["", "a\nb", "\u{1b}[2J", "é", "\u{202e}", &"x".repeat(65)] {
            assert_eq!(Caller::new(name), None, "{name:?}");
        }
    }

    #[tokio::test]
    async fn a_dropped_handle_ends_its_burn_and_leaves_its_totals() {
        let burns = burns(1);
        let handle = burns.start(request(1000, 60_000)).unwrap();
        let burn = Arc::clone(&handle.burn);
        until("it burns", || !burn.achieved().is_zero());
        assert_eq!(burns.sum().millicores, 1000);
        drop(handle);
        burn.steering.alive.closed().await;
        let sum = burns.sum();
        assert_eq!((sum.running, sum.millicores), (0, 0));
        assert_eq!(
            sum.achieved,
            burn.achieved(),
            "all that it used is counted, to its last moment"
        );
    }

    #[tokio::test]
    async fn totals_never_go_backwards() {
        let burns = burns(2);
        let watched = std::thread::spawn({
            let burns = burns.clone();
            move || {
                let mut last = Sum::default();
                let mut looks = 0;
                // Until all three are known to have run, and are gone.
                while last.asked < Duration::from_nanos(9_000) || last.running > 0 {
                    let sum = burns.sum();
                    assert!(sum.asked >= last.asked, "asked: {sum:?} after {last:?}");
                    assert!(
                        sum.achieved >= last.achieved,
                        "achieved: {sum:?} after {last:?}"
                    );
                    last = sum;
                    looks += 1;
                }
                looks
            }
        });
        for _ in 0..3 {
            // 3,086.4 nanoseconds are due: a total that keeps whole microseconds loses some.
            let request = BurnRequest {
                duration: Duration::from_nanos(3_086_419),
                ..request(1, 0)
            };
            let handle = burns.start(request).unwrap();
            assert_eq!(handle.finished().await, Outcome::Completed);
            let before = burns.sum();
            drop(handle);
            let after = burns.sum();
            assert!(after.asked >= before.asked, "{after:?} after {before:?}");
            assert!(
                after.achieved >= before.achieved,
                "{after:?} after {before:?}"
            );
        }
        assert!(watched.join().unwrap() > 3);
    }

    #[tokio::test]
    async fn too_many_burns_are_refused_with_the_time_until_one_completes() {
        let burns = burns(2);
        let _running = [
            burns.start(request(1, 60_000)).unwrap(),
            burns.start(request(1, 30_000)).unwrap(),
        ];
        match burns.start(request(1, 1)) {
            Err(StartError::TooMany(soonest)) => {
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
    fn an_ended_burn_leaves_its_share_to_the_others() {
        let container = FakeContainer::new("leaves", 2, "50000 100000\n");
        let burns = container.burns(2);
        let first = burns.start(request(1000, 60_000)).unwrap();
        assert_eq!(first.burn.granted(), 475);
        let second = burns.start(request(1000, 60_000)).unwrap();
        assert_eq!((first.burn.granted(), second.burn.granted()), (237, 237));
        burns.cancel(2);
        assert_eq!(first.burn.granted(), 475);
        assert_eq!(first.burn.least_granted(), 237, "what its answer will say");
    }

    #[test]
    fn while_a_burn_that_starts_reads_the_containers_files_the_others_go_on() {
        let container = FakeContainer::new("reads", 1, "50000 100000\n");
        let stat = container.0.join("sys/fs/cgroup/cpu.stat");
        // Who reads it waits for somebody to write.
        let made = std::process::Command::new("mkfifo").arg(&stat).status();
        assert!(made.unwrap().success());
        let burns = container.burns(2);
        std::thread::scope(|scope| {
            let starts = scope.spawn(|| burns.start(request(100, 60_000)).unwrap());
            let (mut options, mut writer) = (fs::OpenOptions::new(), None);
            options.write(true).custom_flags(libc::O_NONBLOCK);
            until("it reads the file", || {
                writer = options.open(&stat).ok();
                writer.is_some()
            });
            assert!(
                burns.0.running.try_lock().is_ok(),
                "for lists, metrics and burners"
            );
            fs::remove_file(&stat).unwrap();
            drop(writer);
            assert_eq!(starts.join().unwrap().burn.id, 1);
        });
    }

    #[test]
    fn a_limit_that_changes_is_followed_within_a_second_while_nothing_starts_or_ends() {
        let container = FakeContainer::new("follows", 2, "20000 100000\n");
        let burns = container.burns(1);
        let handle = burns.start(request(1000, 60_000)).unwrap();
        let burn = &handle.burn;
        assert_eq!(burn.granted(), 180, "20 millicores below the limit");
        for (cpu_max, granted) in [
            ("60000 100000\n", 570),
            ("20000 100000\n", 180),
            ("max 100000\n", 1000),
            ("30000 100000\n", 280),
        ] {
            let (changed, starved) = (Instant::now(), burn.starved());
            container.limit(cpu_max);
            until("the limit is followed", || burn.granted() == granted);
            let took = changed.elapsed();
            let starved = burn.starved() - starved;
            assert!(
                took < Duration::from_secs(1) + starved,
                "{cpu_max}: after {took:?}, of which its threads had no CPU for {starved:?}"
            );
        }
    }

    #[test]
    fn threads_without_a_share_do_not_make_the_others_portions_longer() {
        let container = FakeContainer::new("active", 64, "50000 100000\n");
        let burns = container.burns(1);
        let handle = burns.start(request(64_000, 60_000)).unwrap();
        assert_eq!(handle.burn.granted(), 475);
        let threads = handle.burn.steering.threads.lock().unwrap().len();
        assert_eq!(threads, 64, "enough for when the limit is raised");
        assert_eq!(burns.0.active_threads.load(Ordering::Relaxed), 1);
        let period = thread::period(0.475, Duration::from_micros(2631), 1);
        assert_eq!(period.as_micros(), 5011, "and not 80 ms");
        container.limit("max 100000\n");
        let active = &burns.0.active_threads;
        until("all have a share", || active.load(Ordering::Relaxed) == 64);
        burns.cancel_all(None);
        assert_eq!(active.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn threads_without_a_share_sleep_until_they_have_one() {
        let container = FakeContainer::new("sleeps", 2, "10000 100000\n");
        let burns = container.burns(1);
        let handle = burns.start(request(2000, 60_000)).unwrap();
        let burn = &handle.burn;
        // The time in which threads had work: it was done, or waited for a CPU.
        let busy = || burn.achieved() + burn.starved();
        until("it burns", || !burn.achieved().is_zero());
        let two = |from: Duration, since: Instant| busy() - from > since.elapsed().mul_f64(1.5);
        assert_eq!(burn.granted(), 80, "which one thread does");
        container.limit("max 100000\n");
        until("all is granted", || burn.granted() == 2000);
        let (from, since) = (busy(), Instant::now());
        until("both threads burn", || {
            since.elapsed() > Duration::from_millis(200) && two(from, since)
        });
    }
}
