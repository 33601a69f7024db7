//! Which CPUs a process may use: the load is kept off the server's. A process that is started has
//! the affinity of the thread that starts it, so nothing stands between exec and the program.

#![allow(unsafe_code)] // the kernel's call has no safe wrapper

use std::{io, thread};

#[cfg(target_os = "linux")]
use std::mem;

/// How the CPUs of this machine are shared.
#[derive(Clone, Debug)]
pub struct Cpus {
    /// The CPU of a server with one worker thread.
    pub server: Vec<usize>,
    /// Those of a server with two.
    pub two: Vec<usize>,
    /// Those of the load, and of what a service calls.
    pub load: Vec<usize>,
}

impl Cpus {
    /// None when there are fewer than two.
    pub fn of_machine() -> Option<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from);
        (count >= 2).then(|| Self::of(count))
    }

    fn of(count: usize) -> Self {
        Self {
            server: vec![0],
            two: vec![0, 1],
            // With two CPUs, a server with two workers shares one of them with the load.
            load: (2.min(count - 1)..count).collect(),
        }
    }
}

/// Lets this thread use these CPUs only.
///
/// # Errors
/// When there is none of them.
#[cfg(target_os = "linux")]
pub fn pin(cpus: &[usize]) -> io::Result<()> {
    // SAFETY: a set of CPUs is an array of integers, for which zero is a value: the empty set.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    for cpu in cpus {
        // SAFETY: it writes to the set, and nowhere if the number is beyond it.
        unsafe { libc::CPU_SET(*cpu, &mut set) };
    }
    // SAFETY: the call reads a set of the size that it is told.
    match unsafe { libc::sched_setaffinity(0, mem::size_of_val(&set), &raw const set) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The CPUs that this thread may use.
///
/// # Errors
/// When the kernel doesn't say.
#[cfg(target_os = "linux")]
pub fn current() -> io::Result<Vec<usize>> {
    // SAFETY: as above.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the call writes a set of the size that it is told.
    if unsafe { libc::sched_getaffinity(0, mem::size_of_val(&set), &raw mut set) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it reads the set, and the numbers are within it.
    let has = |cpu: &usize| unsafe { libc::CPU_ISSET(*cpu, &set) };
    Ok((0..libc::CPU_SETSIZE as usize).filter(has).collect())
}

/// Only Linux lets a thread choose.
#[cfg(not(target_os = "linux"))]
pub fn pin(_: &[usize]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Only Linux lets a thread choose.
#[cfg(not(target_os = "linux"))]
pub fn current() -> io::Result<Vec<usize>> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_load_has_no_cpu_of_the_server() {
        for count in 2..=8 {
            let cpus = Cpus::of(count);
            assert!(!cpus.load.is_empty());
            assert!(!cpus.load.contains(&cpus.server[0]), "{cpus:?}");
            if count > 2 {
                assert!(cpus.two.iter().all(|cpu| !cpus.load.contains(cpu)));
            }
        }
    }

    #[test]
    fn a_pinned_thread_sees_as_many_cpus_as_it_was_given() {
        thread::spawn(|| {
            pin(&[0]).unwrap();
            assert_eq!(thread::available_parallelism().unwrap().get(), 1);
        })
        .join()
        .unwrap();
    }
}
