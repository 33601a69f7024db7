//! How both clients print: each line at once, and on a terminal a progress bar that is overwritten.

use std::{
    env,
    io::{self, IsTerminal},
    time::Duration,
};

use chassis::config::print;
use serde_json::{Value, json};

/// Standard output, and whether it is a terminal that can overwrite a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    is_terminal: bool,
}

/// A terminal has 80 columns at least, by custom. Some put the cursor on a line of its own behind the
/// last one.
const COLUMNS: usize = 79;

impl Terminal {
    pub(crate) fn stdout() -> Self {
        Self {
            is_terminal: io::stdout().is_terminal()
                && env::var_os("TERM").is_none_or(|term| term != "dumb"),
        }
    }

    /// A line of progress; on a terminal it replaces the one before. One that is narrower than the
    /// line cuts it off (`?7l`, until `?7h`), since of a wrapped line only the end would be replaced:
    /// so the bar comes last.
    pub(crate) fn progress(self, done: Duration, all: Duration, line: &str) {
        if self.is_terminal {
            let line = with_bar(line, done.as_secs_f64() / all.as_secs_f64());
            print(&format!("\x1b[?7l\r{line}\x1b[K\x1b[?7h"));
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

/// To three decimal places: more of them are noise.
pub(crate) fn rounded(number: f64) -> Value {
    json!((number * 1000.0).round() / 1000.0)
}

/// The line with a bar as long as there is room for. Too short a bar is left out.
fn with_bar(line: &str, share: f64) -> String {
    const MIN: usize = 8;
    const MAX: usize = 24;
    let around = "  []".len();
    let width = COLUMNS.saturating_sub(line.chars().count() + around);
    let width = width.min(MAX);
    if width < MIN {
        return line.to_owned();
    }
    let full = (share.clamp(0.0, 1.0) * width as f64) as usize;
    let (full, empty) = ("#".repeat(full), "-".repeat(width - full));
    format!("{line}  [{full}{empty}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_never_longer_than_full_nor_than_what_is_left_of_80_columns() {
        let bar = |full, empty| format!("  [{}{}]", "#".repeat(full), "-".repeat(empty));
        assert_eq!(with_bar("x", 0.5), format!("x{}", bar(12, 12)));
        for over in [1.0, 1.2] {
            assert_eq!(with_bar("x", over), format!("x{}", bar(24, 0)));
        }
        for length in 1..100 {
            let line = "x".repeat(length);
            let whole = with_bar(&line, 0.5);
            assert!(whole.len() <= length.max(79), "{whole}");
        }
        let line = "x".repeat(65);
        assert_eq!(with_bar(&line, 0.5), format!("{line}{}", bar(5, 5)));
    }
}
