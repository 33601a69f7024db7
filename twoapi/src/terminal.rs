//! What both clients print with: at once, and on a terminal with a bar that is written over.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use serde_json::{Value, json};

/// Standard output, and whether somebody watches it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    watched: bool,
}

impl Terminal {
    pub(crate) fn stdout() -> Self {
        Self {
            watched: io::stdout().is_terminal(),
        }
    }

    /// A line of its own; on a terminal it takes the place of the one before.
    pub(crate) fn progress(self, done: Duration, all: Duration, line: &str) {
        if self.watched {
            let share = done.as_secs_f64() / all.as_secs_f64();
            print(&format!("\r{} {line}\x1b[K", bar(share)));
        } else {
            print(&format!("{line}\n"));
        }
    }

    /// A line that stays, in between.
    pub(crate) fn aside(self, line: &str) {
        let clear = if self.watched { "\r\x1b[K" } else { "" };
        print(&format!("{clear}{line}\n"));
    }

    /// Ends what is written over, and then says this.
    pub(crate) fn end(self, text: &str) {
        let end_of_bar = if self.watched { "\n" } else { "" };
        print(&format!("{end_of_bar}{text}"));
    }
}

/// At once: whoever reads along wants each line as it is known. Nobody may be left to read.
pub(crate) fn print(text: &str) {
    let mut out = io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// To three digits behind the point: more of them are noise.
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
