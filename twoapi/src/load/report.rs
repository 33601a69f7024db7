//! What `load` prints: a line a second, on a terminal one line that is overwritten, and the summary
//! at the end. With `--json` each line is an object, and the summary the last one:
//!
//! ```json
//! {"kind":"second","second":1,"requests":50,"ok":49,"failed":{"refused":1},
//!  "p50_ms":0.4,"p90_ms":0.6,"p99_ms":1.2,"max_ms":1.3,
//!  "pods":[{"pod":"chesterapi","version":"1.0","ok":49}]}
//! {"kind":"summary","seconds":60.001,"rate":50.0, …the same of all}
//! ```
//!
//! A second counts the requests that ended within it. The last one may be shorter than a second.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Value, json};

use crate::terminal::{Terminal, print, rounded};

use super::tally::Count;

/// How it is printed.
#[derive(Debug)]
pub(super) struct Report {
    json: bool,
    terminal: Terminal,
    time: Duration,
}

impl Report {
    pub(super) fn new(json: bool, time: Duration) -> Self {
        Self {
            json,
            terminal: Terminal::stdout(),
            time,
        }
    }

    /// The second that ends now is number `second`, from 1 on.
    pub(super) fn second(&self, second: u64, count: &Count) {
        if self.json {
            let mut fields = fields(count);
            fields["kind"] = "second".into();
            fields["second"] = second.into();
            return print(&format!("{fields}\n"));
        }
        let line = format!(
            "{second:>4} s {:>6} requests {:>6} ok {:>5} failed  p99 {:.1} ms",
            count.requests(),
            count.ok(),
            count.failed(),
            count.latencies.quantile(0.99)
        );
        let elapsed = Duration::from_secs(second);
        self.terminal.progress(elapsed, self.time, &line);
    }

    pub(super) fn summary(&self, elapsed: Duration, count: &Count) {
        let seconds = elapsed.as_secs_f64();
        let rate = count.requests() as f64 / seconds;
        if self.json {
            let mut fields = fields(count);
            fields["kind"] = "summary".into();
            fields["seconds"] = rounded(seconds);
            fields["rate"] = rounded(rate);
            return print(&format!("{fields}\n"));
        }
        let mut text = String::from("\n");
        let mut line = |name: &str, value: String| {
            writeln!(text, "{name:<32} {value:>12}").expect("a string takes what it is given");
        };
        line("requests", count.requests().to_string());
        line("per second", format!("{rate:.1}"));
        line("ok", count.ok().to_string());
        for (who, ok) in &count.ok {
            line(
                &format!("  {} {}", who.pod, who.version),
                format!("{ok} ok"),
            );
        }
        line("failed", count.failed().to_string());
        for (kind, failed) in &count.failed {
            line(&format!("  {kind}"), format!("{failed} failed"));
        }
        for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
            line(name, format!("{:.2} ms", count.latencies.quantile(share)));
        }
        line("max", format!("{:.2} ms", count.latencies.max()));
        self.terminal.end(&text);
    }
}

fn fields(count: &Count) -> Value {
    let pods: Vec<Value> = count
        .ok
        .iter()
        .map(|(who, ok)| json!({ "pod": who.pod, "version": who.version, "ok": ok }))
        .collect();
    json!({
        "requests": count.requests(),
        "ok": count.ok(),
        "failed": count.failed,
        "p50_ms": rounded(count.latencies.quantile(0.5)),
        "p90_ms": rounded(count.latencies.quantile(0.9)),
        "p99_ms": rounded(count.latencies.quantile(0.99)),
        "max_ms": rounded(count.latencies.max()),
        "pods": pods,
    })
}
