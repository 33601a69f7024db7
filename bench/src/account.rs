//! The kernel's account of a process, and of the whole machine: CPU time and memory.

#![allow(unsafe_code)] // the process's CPU clock has no safe wrapper

use std::{fs, thread, time::Instant};

/// CPU seconds of a process so far, user and system, to the nanosecond; none of one that has ended.
#[cfg(target_os = "linux")]
pub fn cpu(pid: u32) -> f64 {
    let mut clock = 0;
    // SAFETY: the call writes to `clock` and keeps no pointer to it.
    if unsafe { libc::clock_getcpuclockid(pid as libc::pid_t, &raw mut clock) } != 0 {
        return 0.0;
    }
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes to `time` and keeps no pointer to it.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return 0.0;
    }
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Only Linux has such a clock.
#[cfg(not(target_os = "linux"))]
pub fn cpu(_: u32) -> f64 {
    0.0
}

/// Resident memory of a process, in bytes. `/proc/PID/status` would say what each CPU last told of
/// it, which is off by hundreds of kilobytes; this is counted page by page.
pub fn resident(pid: u32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find(|line| line.starts_with("Rss:"))?;
    let kibibytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024.0)
}

/// The whole machine at a time.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// CPU seconds used so far.
    busy: f64,
    at: Instant,
}

impl Machine {
    /// The machine now.
    pub fn now() -> Self {
        let text = fs::read_to_string("/proc/stat").unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        let fields: Vec<u64> = line
            .split_whitespace()
            .skip(1)
            .filter_map(|field| field.parse().ok())
            .collect();
        // user, nice, system, irq, softirq, in the kernel's ticks; between them idle and iowait
        let busy: u64 = [0, 1, 2, 5, 6]
            .iter()
            .filter_map(|field| fields.get(*field))
            .sum();
        Self {
            busy: busy as f64 / 100.0,
            at: Instant::now(),
        }
    }

    /// What all but the measured processes have used since then, in percent of the machine.
    pub fn others(&self, earlier: &Self, measured: f64) -> f64 {
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        self.others_of(earlier, measured, cpus)
    }

    /// The same on a thread that is pinned and so doesn't see how many CPUs there are.
    pub fn others_of(&self, earlier: &Self, measured: f64, cpus: usize) -> f64 {
        let all = cpus as f64 * (self.at - earlier.at).as_secs_f64();
        ((self.busy - earlier.busy - measured) / all * 100.0).max(0.0)
    }
}

/// CPU seconds of this process and of its children that have ended.
pub fn own() -> f64 {
    [libc::RUSAGE_SELF, libc::RUSAGE_CHILDREN]
        .into_iter()
        .map(|who| {
            let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
            // SAFETY: the call writes to `usage`, of which zero is a value, and keeps no pointer.
            let usage = unsafe {
                libc::getrusage(who, usage.as_mut_ptr());
                usage.assume_init()
            };
            [usage.ru_utime, usage.ru_stime]
                .map(|time| time.tv_sec as f64 + time.tv_usec as f64 / 1e6)
                .iter()
                .sum::<f64>()
        })
        .sum()
}
