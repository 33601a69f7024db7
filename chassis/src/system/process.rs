//! What the process has used so far, for `/metrics` and `/info`. Asked only when somebody looks.

use serde::Serialize;
use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// The process's use of the machine.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Usage {
    /// User and system time of all threads.
    pub(crate) cpu_seconds: f64,
    /// Resident.
    pub(crate) memory_bytes: u64,
    pub(crate) virtual_memory_bytes: u64,
    pub(crate) open_files: Option<u64>,
    pub(crate) max_open_files: Option<u64>,
}

pub(crate) fn usage() -> Usage {
    let Ok(mut system) = System::new() else {
        return Usage::default();
    };
    let own = Pid::from_u32(std::process::id());
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[own]),
        false,
        ProcessRefreshKind::nothing()
            .with_cpu()
            .with_memory()
            .with_exe(UpdateKind::Never)
            .without_tasks(),
    );
    let number = |count: usize| u64::try_from(count).ok();
    system
        .process(own)
        .map_or_else(Usage::default, |process| Usage {
            cpu_seconds: process.accumulated_cpu_time() as f64 / 1000.0,
            memory_bytes: process.memory(),
            virtual_memory_bytes: process.virtual_memory(),
            open_files: process.open_files().and_then(number),
            max_open_files: Process::open_files_limit(process).and_then(number),
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
        while clock.elapsed().as_millis() < 60 {
            work = std::hint::black_box(work + 1);
        }
        assert!(
            usage().cpu_seconds > before.cpu_seconds,
            "60 ms of work are seen"
        );
    }
}
