//! Burns where the clock of CPU time is coarse, as in gVisor: judged by the kernel's own account of this
//! process, in which nothing else runs.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // a test may
#![allow(unsafe_code)] // the standard library has no clock of a thread's CPU time

use std::{
    cell::Cell,
    fs, thread,
    time::{Duration, Instant},
};

use oneapi::burn::{BurnRequest, Burns, Clock, Handle, Headroom};

fn thread_cpu_time() -> Duration {
    // SAFETY: the call writes to `time` alone.
    let time = unsafe {
        let mut time = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time);
        time
    };
    Duration::new(
        time.tv_sec.try_into().unwrap(),
        time.tv_nsec.try_into().unwrap(),
    )
}

/// As gVisor counts: a hundred times a second, a whole hundredth to whoever runs just then.
fn sampled() -> Duration {
    const TICK: Duration = Duration::from_millis(10);
    thread_local! {
        static START: Instant = Instant::now();
        static LAST: Cell<(Duration, Duration, Duration)> = Cell::default();
    }
    let wall = START.with(Instant::elapsed);
    LAST.with(|last| {
        let (wall_before, used_before, mut counted) = last.get();
        let used = thread_cpu_time();
        let ticked =
            wall.as_millis() / TICK.as_millis() > wall_before.as_millis() / TICK.as_millis();
        // Between two looks that far apart it has slept.
        if ticked && (used - used_before) * 2 > wall - wall_before {
            counted += TICK;
        }
        last.set((wall, used, counted));
        counted
    })
}

/// CPU time of all threads so far, and how long they have waited for a CPU, as the kernel has it:
/// <https://docs.kernel.org/scheduler/sched-stats.html>.
fn account() -> (Duration, Duration) {
    let (mut used, mut waited) = (0, 0);
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let text = fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
        let mut numbers = text
            .split(' ')
            .map(|number| number.parse::<u64>().unwrap_or(0));
        used += numbers.next().unwrap();
        waited += numbers.next().unwrap();
    }
    (Duration::from_nanos(used), Duration::from_nanos(waited))
}

#[test]
fn a_burn_is_as_asked_where_the_clock_of_cpu_time_counts_in_steps_of_ten_milliseconds() {
    for millicores in [250, 1000] {
        let burns = Burns::with_clock(1, Headroom { percent: 5.0 }, sampled);
        let request = BurnRequest {
            millicores,
            duration: Duration::from_secs(60),
            force: true, // whatever limit this test has
            caller: None,
        };
        let handle = burns.start(request).unwrap();
        let begun = Instant::now();
        while burns.clock().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(20), "nothing looks");
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(burns.clock(), Some(Clock::Wall));
        thread::sleep(Duration::from_millis(100)); // what the look cost is paid off
        // What interrupts a thread is charged to it by the kernel, though not by the burn: up to a fifth of 250m
        // on a virtual machine whose host is busy. So one of eight looks is enough, and a tenth is allowed: a burn
        // that counts the steps of such a clock is wrong by a factor of two, at each look.
        let wrong: Vec<String> = (0..8)
            .map_while(|_| look(&handle, millicores).err())
            .collect();
        assert!(wrong.len() < 8, "{wrong:#?}");
    }
}

/// Compares, for two seconds, what a burn uses with what it says and what was asked.
fn look(handle: &Handle, millicores: u32) -> Result<(), String> {
    let (begun, before, said_before) = (Instant::now(), account(), handle.burn.achieved());
    thread::sleep(Duration::from_secs(2)); // it is the passing of time that is tested
    let (after, said, wall) = (account(), handle.burn.achieved(), begun.elapsed());
    let used = (after.0 - before.0).as_secs_f64();
    let waited = (after.1 - before.1).as_secs_f64();
    let said = (said - said_before).as_secs_f64();
    let asked = wall.as_secs_f64() * f64::from(millicores) / 1000.0;
    // A piece of a period may be at either end.
    let is_true = (said - asked).abs() < asked * 0.05 + 0.01 + waited;
    let is_as_asked = used < asked * 1.1 + 0.01 && used > asked * 0.95 - 0.01 - waited;
    if is_true && is_as_asked {
        return Ok(());
    }
    Err(format!(
        "{millicores}m: asked {asked:.3} s, used {used:.3} s, said {said:.3} s, waited {waited:.3} s"
    ))
}
