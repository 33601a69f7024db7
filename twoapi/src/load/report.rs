//! What `load` prints: a line a second, on a terminal one line that is written over, and at the
//! end the summary. With `--json` each is an object on a line of its own:
//!
//! `{"kind":"second","second":1,"requests":50,"ok":49,"failed":{"refused":1},"p50_ms":…,"p90_ms":…,"p99_ms":…,"max_ms":…,"pods":[{"pod":…,"version":…,"ok":…}]}`,
//! and at last `{"kind":"summary","seconds":…,"rate":…, …}` with the same fields of all.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write},
    time::Duration,
};

use serde_json::{Value, json};

use super::tally::Count;

/// Where it is printed: standard output.
#[derive(Debug)]
pub(super) struct Report {
    json: bool,
    terminal: bool,
    time: Duration,
}

impl Report {
    pub(super) fn new(json: bool, time: Duration) -> Self {
        Self {
            json,
            terminal: io::stdout().is_terminal(),
            time,
        }
    }

    pub(super) fn second(&mut self, elapsed: Duration, count: &Count) {
        let second = elapsed.as_secs_f64().round();
        if self.json {
            let mut fields = fields(count);
            fields["kind"] = "second".into();
            fields["second"] = json!(second);
            return print(&format!("{fields}\n"));
        }
        let line = format!(
            "{second:>5.0} s  {:>6} requests  {:>6} ok  {:>5} failed  p99 {:.1} ms",
            count.requests(),
            count.ok(),
            count.failed(),
            count.quantile(0.99)
        );
        if self.terminal {
            let done = (elapsed.as_secs_f64() / self.time.as_secs_f64()).min(1.0);
            print(&format!("\r{} {line}\x1b[K", bar(done)));
        } else {
            print(&format!("{line}\n"));
        }
    }

    pub(super) fn summary(&mut self, elapsed: Duration, count: &Count) {
        let seconds = elapsed.as_secs_f64();
        let rate = count.requests() as f64 / seconds;
        if self.json {
            let mut fields = fields(count);
            fields["kind"] = "summary".into();
            fields["seconds"] = rounded(seconds);
            fields["rate"] = rounded(rate);
            return print(&format!("{fields}\n"));
        }
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            writeln!(text, "{name:<24} {value:>12}").expect("a string takes what it is given");
        };
        line("requests", count.requests().to_string());
        line("per second", format!("{rate:.1}"));
        line("ok", count.ok().to_string());
        line("failed", count.failed().to_string());
        for (kind, failed) in &count.failed {
            line(&format!("  {kind}"), failed.to_string());
        }
        for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
            line(name, format!("{:.2} ms", count.quantile(share)));
        }
        line("max", format!("{:.2} ms", count.max()));
        for (who, ok) in &count.ok {
            let who = format!("{} {}", who.pod, who.version);
            line(&format!("ok by {}", who.trim()), ok.to_string());
        }
        let end_of_bar = if self.terminal { "\n" } else { "" };
        print(&format!("{end_of_bar}\n{text}"));
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
        "p50_ms": rounded(count.quantile(0.5)),
        "p90_ms": rounded(count.quantile(0.9)),
        "p99_ms": rounded(count.quantile(0.99)),
        "max_ms": rounded(count.max()),
        "pods": pods,
    })
}

/// More digits than these are noise.
fn rounded(number: f64) -> Value {
    json!((number * 1000.0).round() / 1000.0)
}

fn bar(done: f64) -> String {
    const WIDTH: usize = 24;
    let full = (done * WIDTH as f64) as usize;
    format!("[{}{}]", "#".repeat(full), "-".repeat(WIDTH - full))
}

/// At once: whoever reads along wants each line as it is known. Nobody may be left to read.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}
