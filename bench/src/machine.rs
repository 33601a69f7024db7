//! The machine: which CPUs a process may use, and the kernel's account of CPU time and memory.

#![allow(unsafe_code)] // the CPU clock of another process has no safe wrapper

use std::{fs, io, thread, time::Instant};

/// How many CPUs this thread may use.
pub fn cpus() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Lets this thread, and what it starts, use these CPUs only. Returns those that it might use before.
#[cfg(target_os = "linux")]
pub fn pin(cpus: &[usize]) -> io::Result<Vec<usize>> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let before = sched_getaffinity(None)?;
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu);
    }
    sched_setaffinity(None, &set)?;
    let cpus = (0..CpuSet::MAX_CPU).filter(|cpu| before.is_set(*cpu));
    Ok(cpus.collect())
}

/// Only Linux lets a thread choose.
#[cfg(not(target_os = "linux"))]
pub fn pin(_: &[usize]) -> io::Result<Vec<usize>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// CPU seconds of a process so far, user and system, to the nanosecond; 0 once somebody has waited for its end.
#[cfg(target_os = "linux")]
pub fn cpu_time(pid: u32) -> f64 {
    let mut clock = 0;
    let mut time = std::mem::MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the calls write to `clock` and `time`, of which zero is a value, and keep no pointer.
    let time = unsafe {
        if libc::clock_getcpuclockid(pid as libc::pid_t, &raw mut clock) == 0 {
            libc::clock_gettime(clock, time.as_mut_ptr());
        }
        time.assume_init()
    };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Only Linux has such a clock.
#[cfg(not(target_os = "linux"))]
pub fn cpu_time(_: u32) -> f64 {
    0.0
}

/// CPU seconds of a process, of its descendants, and of those that it has waited for; the latter in
/// the kernel's ticks of 10 ms.
pub fn cpu_time_of_all(pid: u32) -> f64 {
    let waited_for = || -> u64 { stat(pid).iter().skip(13).take(2).sum() };
    loop {
        let before = waited_for();
        let alive: f64 = family(pid).into_iter().map(cpu_time).sum();
        // A child that somebody waits for in between would be in neither.
        if waited_for() == before {
            return alive + before as f64 / 100.0;
        }
    }
}

/// How often the threads of a process and of its descendants have gone to sleep, and so woken up.
pub fn wakeups(pid: u32) -> u64 {
    let folders = family(pid).into_iter();
    let folders = folders.filter_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).ok());
    let threads = folders.flatten().flatten().map(|thread| thread.path());
    let texts = threads.filter_map(|path| fs::read_to_string(path.join("status")).ok());
    let counts = texts.filter_map(|text| field(&text, "voluntary_ctxt_switches:"));
    counts.sum()
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Resident memory of a process, in bytes. `/proc/PID/status` would say what each CPU last told of it,
/// which is off by hundreds of kilobytes; this is counted page by page.
pub fn resident(pid: u32) -> io::Result<f64> {
    bytes(pid, "smaps_rollup", "Rss:")
}

/// The most that a process has had so far, in bytes.
pub fn most_resident(pid: u32) -> io::Result<f64> {
    bytes(pid, "status", "VmHWM:")
}

fn bytes(pid: u32, file: &str, name: &str) -> io::Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}"))?;
    let kibibytes = field(&text, name).ok_or(io::ErrorKind::InvalidData)?;
    Ok(kibibytes as f64 * 1024.0)
}

/// How many descriptors and threads a process has.
pub fn held(pid: u32) -> io::Result<[usize; 2]> {
    let entries = |folder| fs::read_dir(format!("/proc/{pid}/{folder}")).map(Iterator::count);
    Ok([entries("fd")?, entries("task")?])
}

/// A process and its descendants.
fn family(of: u32) -> Vec<u32> {
    let mut family = vec![of];
    let processes = fs::read_dir("/proc").into_iter().flatten();
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    for child in pids.filter(|pid| stat(*pid).get(1) == Some(&u64::from(of))) {
        family.extend(self::family(child));
    }
    family
}

/// The fields of `/proc/PID/stat` behind the name, which may contain anything.
fn stat(pid: u32) -> Vec<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = text.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let fields = fields.split(' ').map(|field| field.parse().unwrap_or(0));
    fields.collect()
}

/// From when on the use of the whole machine is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    /// CPU seconds used until then.
    busy: f64,
    at: Instant,
}

impl Begun {
    pub fn now() -> Self {
        let text = fs::read_to_string("/proc/stat").unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        let ticks: Vec<f64> = line.split(' ').filter_map(|it| it.parse().ok()).collect();
        // user, nice, system, irq, softirq; between them idle and iowait
        let busy = [0, 1, 2, 5, 6].into_iter().filter_map(|it| ticks.get(it));
        let (busy, at) = (busy.sum::<f64>() / 100.0, Instant::now());
        Self { busy, at }
    }

    /// What all but the measured processes have used of these CPUs since then, in percent.
    pub fn others(&self, measured: f64, cpus: usize) -> f64 {
        let now = Self::now();
        let all = cpus as f64 * (now.at - self.at).as_secs_f64();
        ((now.busy - self.busy - measured) / all * 100.0).max(0.0)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_childs_cpu_time_counts_while_it_runs_and_once_it_has_ended() {
        let (own, before) = (std::process::id(), pin(&[0]).unwrap());
        assert_eq!(pin(&before).unwrap(), [0]);
        let used = cpu_time_of_all(own);
        let burn = "i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done";
        let mut shell = std::process::Command::new("sh");
        let mut child = shell.args(["-c", burn]).spawn().unwrap();
        assert!(family(own).contains(&child.id()));
        assert!(resident(own).unwrap() > 1e5);
        child.wait().unwrap();
        assert!(cpu_time_of_all(own) > used + 0.01);
    }
}
