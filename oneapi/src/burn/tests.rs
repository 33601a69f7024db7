//! What burns do together, from their start to their end.

use std::{
    fs,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use chassis::system::container::Container;

use super::{BurnRequest, Burns, Caller, Headroom, Outcome, StartError, Totals, clock, thread};

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
pub(crate) struct FakeContainer(PathBuf);

impl FakeContainer {
    pub(crate) fn new(name: &str, cpus: u32, cpu_max: &str) -> Self {
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

    pub(crate) fn burns(&self, max_burns: usize) -> Burns {
        let container = Container::under(&self.0);
        Burns::in_container(max_burns, HEADROOM, container, clock::thread_cpu_time)
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
    assert_eq!(burns.totals().running, 2);
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
    assert_eq!(burns.totals().millicores, 1000);
    drop(handle);
    burn.steering.alive.closed().await;
    let totals = burns.totals();
    assert_eq!((totals.running, totals.millicores), (0, 0));
    assert_eq!(
        totals.achieved,
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
            let mut last = Totals::default();
            let mut looks = 0;
            // Until all three are known to have run, and are gone.
            while last.asked < Duration::from_nanos(9_000) || last.running > 0 {
                let totals = burns.totals();
                assert!(
                    totals.asked >= last.asked,
                    "asked: {totals:?} after {last:?}"
                );
                assert!(
                    totals.achieved >= last.achieved,
                    "achieved: {totals:?} after {last:?}"
                );
                last = totals;
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
        let before = burns.totals();
        drop(handle);
        let after = burns.totals();
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
    assert_eq!(burns.0.threads.active.load(Ordering::Relaxed), 1);
    let period = thread::period(0.475, Duration::from_micros(2631), 1);
    assert_eq!(period.as_micros(), 5011, "and not 80 ms");
    container.limit("max 100000\n");
    let active = &burns.0.threads.active;
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
