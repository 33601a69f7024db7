//! Where the log goes: stdout, which is often a pipe. If whoever reads it has stopped, a write waits for good, and
//! with it the thread, all requests on it and the stop signals. So lines are left out until there is room again, and
//! the next line says how many.

use std::{
    io::{self, Write},
    sync::Mutex,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    stdio::stdout,
};

use crate::base::lock;

/// How long a line waits for room. A reader that is only slow makes some in less.
const PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// So much a pipe takes at once if there is room at all: Linux's `PIPE_BUF`.
const PART: usize = 4096;

/// Lines to stdout, one with each write.
#[derive(Debug)]
pub(super) struct Output(Mutex<State>);

#[derive(Debug)]
struct State {
    /// How many lines have been left out since the last one that was written.
    left_out: u64,
    /// Whether the last line was only written in part.
    torn: bool,
}

impl Output {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(State {
            left_out: 0,
            torn: false,
        }))
    }

    /// Writes a line, or leaves it out. Returns how many had been left out before, if it is written.
    fn line(&self, line: &[u8]) -> u64 {
        let mut state = lock(&self.0);
        // Only the first one waits.
        let mut patience = if state.left_out == 0 {
            PATIENCE
        } else {
            Timespec::default()
        };
        if std::mem::take(&mut state.torn) {
            state.torn = !write(b"\n", patience);
        }
        for (number, part) in line.chunks(PART).enumerate() {
            if state.torn || !write(part, patience) {
                state.torn |= number > 0;
                state.left_out += 1;
                return 0;
            }
            patience = PATIENCE;
        }
        std::mem::take(&mut state.left_out)
    }
}

impl Write for &Output {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let left_out = self.line(line);
        if left_out > 0 {
            tracing::warn!(
                left_out,
                "lines of the log were left out, since nobody read it"
            );
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether there was room. What can't be written at all, such as on a full disk, is gone.
fn write(mut part: &[u8], patience: Timespec) -> bool {
    while !part.is_empty() {
        let stdout = stdout();
        let mut room = [PollFd::new(&stdout, PollFlags::OUT)];
        match poll(&mut room, Some(&patience)) {
            Ok(0) => return false,
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return true,
        }
        match rustix::io::write(stdout, part) {
            Ok(written) => part = &part[written..],
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => return true,
        }
    }
    true
}
