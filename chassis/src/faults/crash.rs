//! The ends that a process can come to by a switch: an exit code, and signals.

use std::{process, time::Duration};

use tracing::warn;

use super::action::CrashSignal;
use crate::lifecycle::termination;

/// Whoever sets the switch gets an answer first.
// 100 ms: a round trip within a cluster takes a millisecond.
pub(super) const ANSWER_FIRST: Duration = Duration::from_millis(100);

/// Ends the process with that code.
pub(super) fn exit(code: u8) -> ! {
    warn!(fault = "exit", code, "exit, as the fault switch says");
    termination::write(&format!("exit {code}, as the fault switch exit says"));
    process::exit(code.into())
}

/// Ends the process by that signal, and not by an exit that looks alike.
///
/// The first process of a container is process 1 there, and Linux keeps from it what it sends to
/// itself. SEGV comes from the kernel, for a real fault, and KILL too, for too much CPU time. ABRT
/// can't be had that way: as process 1 the process exits with 134, which is what a container engine
/// makes of the signal. With `shareProcessNamespace: true` the service isn't process 1.
pub(super) fn crash(signal: CrashSignal) -> ! {
    let name = signal.as_str();
    warn!(
        fault = "crash",
        signal = name,
        "crash, as the fault switch says"
    );
    termination::write(&format!("SIG{name}, as the fault switch crash says"));
    match signal {
        CrashSignal::Segv => touch_forbidden_memory(),
        CrashSignal::Abrt if process::id() == 1 => process::exit(128 + libc::SIGABRT),
        CrashSignal::Abrt => process::abort(),
        CrashSignal::Kill => kill_itself(),
    }
}

#[allow(unsafe_code)] // no safe code does this
fn touch_forbidden_memory() -> ! {
    // SAFETY: a new mapping, so that nothing else is written to, whatever happens.
    let page = unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        libc::mmap(std::ptr::null_mut(), 1, libc::PROT_NONE, flags, -1, 0)
    };
    // SAFETY: none of the process's memory; the kernel ends the process here.
    unsafe { page.cast::<u8>().write_volatile(1) };
    unreachable!("memory without permissions can be written to")
}

#[allow(unsafe_code)] // the standard library has no such calls
fn kill_itself() -> ! {
    // SAFETY: no pointers.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    // Still here, so this is process 1. A process that has used up the CPU time that it may have is
    // killed by the kernel, whichever it is: that of a second is in use soon.
    // <https://man7.org/linux/man-pages/man2/setrlimit.2.html>, `RLIMIT_CPU`
    let second = libc::rlimit {
        rlim_cur: 1,
        rlim_max: 1,
    };
    // SAFETY: the pointer is valid for the call.
    unsafe { libc::setrlimit(libc::RLIMIT_CPU, &second) };
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    for _ in 1..cpus {
        let _ = std::thread::Builder::new().spawn(|| {
            loop {
                std::hint::spin_loop();
            }
        });
    }
    loop {
        std::hint::spin_loop();
    }
}
