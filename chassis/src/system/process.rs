//! What the process has used so far, for `/metrics` and `/info`. Asked only when somebody looks.

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use super::{descriptors, seconds};

/// The process's use of the machine.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Usage {
    /// User and system time of all threads.
    pub(crate) cpu_seconds: f64,
    /// Resident.
    pub(crate) memory_bytes: u64,
    pub(crate) virtual_memory_bytes: u64,
    pub(crate) open_files: Option<u64>,
    pub(crate) max_open_files: u64,
}

/// A page may ask several times a second, so nothing here reads what grows with the machine, as
/// `/proc/stat` does with its CPUs.
pub(crate) fn usage() -> Usage {
    let cpu_time = clock_gettime(ClockId::ProcessCPUTime);
    let (memory_bytes, virtual_memory_bytes) = memory();
    Usage {
        cpu_seconds: seconds(cpu_time.try_into().unwrap_or_default()),
        memory_bytes,
        virtual_memory_bytes,
        open_files: descriptors::open(),
        max_open_files: descriptors::limit(),
    }
}

/// Resident and virtual. sysinfo would read `/proc/stat` for it, to learn when the machine was started.
#[cfg(target_os = "linux")]
fn memory() -> (u64, u64) {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let page = u64::try_from(rustix::param::page_size()).unwrap_or_default();
    memory_of(&statm, page)
}

#[cfg(any(target_os = "linux", fuzzing))]
pub(super) fn memory_of(statm: &str, page: u64) -> (u64, u64) {
    let pages = statm
        .split(' ')
        .map_while(|pages| pages.parse::<u64>().ok());
    let mut bytes = pages.map(|pages| pages.saturating_mul(page));
    let total = bytes.next().unwrap_or_default();
    (bytes.next().unwrap_or_default(), total)
}

#[cfg(not(target_os = "linux"))]
fn memory() -> (u64, u64) {
    use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

    let own = Pid::from_u32(std::process::id());
    let memory = ProcessRefreshKind::nothing().with_memory().without_tasks();
    System::new().map_or((0, 0), |mut system| {
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[own]), false, memory);
        let process = system.process(own);
        process.map_or((0, 0), |own| (own.memory(), own.virtual_memory()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_uses_what_a_process_uses() {
        let before = usage();
        assert!(
            before.memory_bytes > 100_000,
            "a test runs in more than 100 kB: {before:?}"
        );
        assert!(
            before.open_files.is_some_and(|n| n >= 3),
            "stdin, stdout, stderr: {before:?}"
        );
        let (mut work, clock) = (0u64, std::time::Instant::now());
        while clock.elapsed().as_micros() < 500 {
            work = std::hint::black_box(work + 1);
        }
        assert!(
            usage().cpu_seconds > before.cpu_seconds,
            "half a millisecond of work is seen, and not only ticks of the kernel's"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn to_ask_reads_the_processs_own_files_alone() {
        let bytes_read = || {
            let io = std::fs::read_to_string("/proc/thread-self/io").unwrap();
            let read = io.lines().find_map(|line| line.strip_prefix("rchar: "));
            read.unwrap().parse::<u64>().unwrap()
        };
        usage();
        let first = bytes_read();
        let look = bytes_read() - first;
        usage();
        let read = bytes_read() - first - 2 * look;
        assert!(read < 300, "{read} bytes of /proc are read");
    }
}
