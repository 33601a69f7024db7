//! How both clients print: each line at once, and on a terminal a progress bar that is overwritten.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use serde_json::{Value, json};

/// Standard output, and whether it is a terminal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    is_terminal: bool,
}

impl Terminal {
    pub(crate) fn stdout() -> Self {
        Self {
            is_terminal: io::stdout().is_terminal(),
        }
    }

    /// A line of progress; on a terminal it replaces the one before.
    pub(crate) fn progress(self, done: Duration, all: Duration, line: &str) {
        if self.is_terminal {
            let share = done.as_secs_f64() / all.as_secs_f64();
            print(&format!("\r{} {line}\x1b[K", bar(share)));
        } else {
            print(&format!("{line}\n"));
        }
    }

    /// A line that stays, between lines of progress.
    pub(crate) fn message(self, line: &str) {
        let clear = if self.is_terminal { "\r\x1b[K" } else { "" };
        print(&format!("{clear}{line}\n"));
    }

    /// Ends the progress, and then prints this.
    pub(crate) fn end(self, text: &str) {
        let end_of_bar = if self.is_terminal { "\n" } else { "" };
        print(&format!("{end_of_bar}{text}"));
    }
}

/// Flushes, since a reader wants each line when it is known, and ignores that nobody may be left to
/// read it.
pub(crate) fn print(text: &str) {
    let mut out = io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// To three decimal places: more of them are noise.
pub(crate) fn rounded(number: f64) -> Value {
    json!((number * 1000.0).round() / 1000.0)
}

fn bar(share: f64) -> String {
    const WIDTH: usize = 24; // leaves room for the line on a terminal of 80 columns
    let full = (share.clamp(0.0, 1.0) * WIDTH as f64) as usize;
    format!("[{}{}]", "#".repeat(full), "-".repeat(WIDTH - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_never_longer_than_full() {
        assert_eq!(bar(0.5), format!("[{}{}]", "#".repeat(12), "-".repeat(12)));
        for over in [1.0, 1.2] {
            assert_eq!(bar(over), format!("[{}]", "#".repeat(24)));
        }
    }
}
