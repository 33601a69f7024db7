//! What `burn` prints: a line a second, on a terminal one line that is overwritten, errors as they
//! happen, and the summary at the end. With `--json` each line is an object, and the summary the
//! last one; all seconds but `elapsed_seconds` are CPU seconds:
//!
//! ```json
//! {"kind":"second","elapsed_seconds":1.0,"asked_seconds":0.9,"achieved_seconds":0.898,
//!  "pods":[{"pod":"chesterapi-1","address":"10.244.0.12:5000","asked_millicores":300,
//!           "granted_millicores":300,"asked_seconds":0.3,"achieved_seconds":0.299,
//!           "error":null}],"errors":[]}
//! {"kind":"summary", …the same of all}
//! ```

use std::{fmt::Write as _, time::Duration};

use chassis::config::print;
use serde_json::{Value, json};

use super::{coordinator::Progress, stats::PodStats};
use crate::terminal::{Terminal, rounded};

/// Prints the progress of a burn, and remembers what it printed last.
#[derive(Debug)]
pub(super) struct BurnReport {
    json: bool,
    terminal: Terminal,
    time: Duration,
    elapsed: f64,
    achieved: f64,
}

impl BurnReport {
    pub(super) fn new(json: bool, time: Duration) -> Self {
        Self {
            json,
            terminal: Terminal::stdout(),
            time,
            elapsed: 0.0,
            achieved: 0.0,
        }
    }

    pub(super) fn second(&mut self, progress: &Progress) {
        if self.json {
            return print(&format!("{}\n", fields("second", progress)));
        }
        for error in &progress.errors {
            self.terminal.message(error);
        }
        let (elapsed, achieved) = (progress.elapsed.as_secs_f64(), progress.achieved_seconds());
        let now = (achieved - self.achieved) / (elapsed - self.elapsed).max(0.001) * 1000.0;
        (self.elapsed, self.achieved) = (elapsed, achieved);
        let mut line = format!(
            "{elapsed:>4.0}/{} s {:>3} pods  {}m asked, {now:.0}m achieved",
            self.time.as_secs_f64(),
            progress.burning,
            progress.asked_millicores,
        );
        let withheld = progress.pods.values().map(PodStats::withheld);
        let withheld: u64 = withheld.map(u64::from).sum();
        if withheld > 0 {
            write!(line, ", {withheld}m not granted").expect("a string takes what it is given");
        }
        self.terminal.progress(progress.elapsed, self.time, &line);
    }

    pub(super) fn summary(&self, progress: &Progress) {
        if self.json {
            return print(&format!("{}\n", fields("summary", progress)));
        }
        for error in &progress.errors {
            self.terminal.message(error);
        }
        let mut text = String::from("\n");
        let mut row = |name: &str, asked: f64, achieved: f64, error: &str| {
            let share = if asked > 0.0 {
                achieved / asked * 100.0
            } else {
                0.0
            };
            writeln!(
                text,
                "{}",
                format!("{name:<40} {asked:>10.3} {achieved:>10.3} {share:>7.2} %  {error}")
                    .trim_end()
            )
            .expect("a string takes what it is given");
        };
        for (address, pod) in &progress.pods {
            let name = format!("{} {address}", pod.name);
            let error = pod.error.as_deref().unwrap_or_default();
            row(name.trim(), pod.asked_seconds, pod.achieved_seconds, error);
        }
        let (asked, achieved) = (progress.asked_seconds, progress.achieved_seconds());
        row("total", asked, achieved, "");
        let head = format!("\n{:<40} {:>10} {:>10}", "CPU seconds", "asked", "achieved");
        self.terminal.end(&format!("{head}{text}"));
    }
}

fn fields(kind: &str, progress: &Progress) -> Value {
    let pods = progress.pods.iter().map(|(address, pod)| {
        json!({
            "pod": pod.name,
            "address": address.to_string(),
            "asked_millicores": pod.asked_millicores,
            "granted_millicores": pod.granted_millicores,
            "asked_seconds": rounded(pod.asked_seconds),
            "achieved_seconds": rounded(pod.achieved_seconds),
            "error": pod.error,
        })
    });
    json!({
        "kind": kind,
        "elapsed_seconds": rounded(progress.elapsed.as_secs_f64()),
        "asked_seconds": rounded(progress.asked_seconds),
        "achieved_seconds": rounded(progress.achieved_seconds()),
        "pods": pods.collect::<Vec<_>>(),
        "errors": progress.errors,
    })
}
