//! What a switch takes and gives back in the end: memory and file descriptors.

use std::{
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixDatagram,
    },
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use tracing::{info, warn};

use crate::{base::lock, system::memory};

/// Memory that is taken by a thread of its own, and given back when this is dropped.
#[derive(Debug)]
pub(super) struct Memory {
    /// The thread ends when there is nobody to send any more.
    _until: Sender<()>,
}

const MIB: usize = 1 << 20;

impl Memory {
    /// Takes `mib`, `rate` of them each second, once it is its `turn`: the next one waits until this one has
    /// given back, so that a bound for one is one for all.
    pub(super) fn take(mib: u32, rate: Option<u32>, turn: Arc<Mutex<()>>) -> Self {
        let (until, ended) = channel();
        let thread = thread::Builder::new().name("fault-memory".into());
        if let Err(error) = thread.spawn(move || hold(mib, rate, &turn, &ended)) {
            warn!(%error, "cannot take memory");
        }
        Self { _until: until }
    }
}

fn hold(mib: u32, rate: Option<u32>, turn: &Mutex<()>, ended: &Receiver<()>) {
    let _turn = lock(turn);
    let mut held = Vec::<u8>::new();
    if let Err(error) = held.try_reserve_exact(mib as usize * MIB) {
        warn!(mib, %error, "cannot take memory");
        return;
    }
    let begins = Instant::now();
    for n in 1..=mib {
        let due = rate.map_or(begins, |rate| {
            begins + Duration::from_secs_f64(f64::from(n) / f64::from(rate))
        });
        let wait = due.saturating_duration_since(Instant::now());
        if ended.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            break;
        }
        // Written to, since untouched memory is none. And not with zeros, which a kernel can merge.
        held.resize(n as usize * MIB, 0xA5);
    }
    info!(mib = held.len() / MIB, "memory taken");
    let _ = ended.recv();
    drop(held);
    memory::release_free();
    info!("memory given back");
}

/// File descriptors, which are closed when this is dropped.
#[derive(Debug)]
pub(super) struct Files {
    _open: Vec<OwnedFd>,
}

impl Files {
    /// Opens `count` of them, or as many as the process may have.
    pub(super) fn open(count: u32) -> Self {
        let mut open = Vec::new();
        // A socket that is bound to nothing, and copies of it: no file system is needed for them.
        let first = UnixDatagram::unbound().map(OwnedFd::from);
        let mut next = first;
        loop {
            match next {
                Ok(file) => open.push(file),
                Err(error) => {
                    warn!(open = open.len(), %error, "cannot open more files");
                    break;
                }
            }
            if open.len() >= count as usize {
                break;
            }
            next = open[0].as_fd().try_clone_to_owned();
        }
        Self { _open: open }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::{base::alone::is_alone, system::process::usage};

    #[test]
    fn files_are_open_until_dropped() {
        if !is_alone("faults::taken::tests::files_are_open_until_dropped") {
            return;
        }
        let open = || usage().open_files.unwrap();
        let before = open();
        let files = Files::open(500);
        assert_eq!(open(), before + 500);
        drop(files);
        assert_eq!(open(), before);
    }

    #[test]
    fn memory_is_resident_until_dropped() {
        if !is_alone("faults::taken::tests::memory_is_resident_until_dropped") {
            return;
        }
        let resident = || usage().memory_bytes;
        let wait_until = |reached: &dyn Fn() -> bool| {
            let deadline = Instant::now() + Duration::from_secs(20);
            while !reached() {
                assert!(
                    Instant::now() < deadline,
                    "{} bytes are resident",
                    resident()
                );
                thread::sleep(Duration::from_millis(5));
            }
        };
        let before = resident();
        let taken = 90 * MIB as u64;
        let memory = Memory::take(100, None, Arc::default());
        wait_until(&|| resident() > before + taken);
        drop(memory);
        wait_until(&|| resident() < before + taken / 2);
    }
}
