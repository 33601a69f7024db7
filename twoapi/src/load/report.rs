//! What `load` prints: a line a second, on a terminal one line that is overwritten, and the summary
//! at the end. With `--json` each line is an object, and the summary the last one:
//!
//! ```json
//! {"kind":"second","second":1,"requests":50,"ok":49,"failed":{"refused":1},"not_sent":{},
//!  "p50_ms":0.4,"p90_ms":0.6,"p99_ms":1.2,"max_ms":1.3,
//!  "pods":[{"pod":"chesterapi","version":"1.0","ok":49}]}
//! {"kind":"summary","seconds":60.001,"rate":50.0,"asked_rate":50.0, …the same of all}
//! ```
//!
//! A second counts the requests that ended within it. The last one may be shorter than a second.
//! `requests`, `rate` and the latencies count only what was sent. Without a request the latencies are
//! `null`.

use std::{fmt::Write as _, time::Duration};

use chassis::config::print;
use load::Count;
use serde_json::{Value, json};

use crate::terminal::{Terminal, rounded};

/// Prints what became of requests.
#[derive(Debug)]
pub(super) struct LoadReport {
    json: bool,
    terminal: Terminal,
    rate: f64,
    time: Duration,
}

impl LoadReport {
    /// The report on so many requests per second for that time.
    pub(super) fn new(json: bool, rate: f64, time: Duration) -> Self {
        Self {
            json,
            terminal: Terminal::stdout(),
            rate,
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
        let elapsed = Duration::from_secs(second);
        self.terminal
            .progress(elapsed, self.time, &line(second, count));
    }

    pub(super) fn summary(&self, elapsed: Duration, count: &Count) {
        let seconds = elapsed.as_secs_f64();
        let rate = count.requests() as f64 / seconds;
        if self.json {
            let mut fields = fields(count);
            fields["kind"] = "summary".into();
            fields["seconds"] = rounded(seconds);
            fields["rate"] = rounded(rate);
            fields["asked_rate"] = rounded(self.rate);
            return print(&format!("{fields}\n"));
        }
        let mut text = String::from("\n");
        let mut line = |name: &str, value: String| {
            writeln!(text, "{name:<32} {value:>12}").expect("a string takes what it is given");
        };
        line("requests", count.requests().to_string());
        let asked = rounded(self.rate);
        line(
            &format!("per second, of {asked} asked for"),
            format!("{rate:.1}"),
        );
        line("ok", count.ok().to_string());
        for (responder, ok) in &count.ok {
            line(
                &format!("  {} {}", responder.pod, responder.version),
                format!("{ok} ok"),
            );
        }
        line("failed", count.failed().to_string());
        for (kind, failed) in &count.failed {
            line(&format!("  {kind}"), format!("{failed} failed"));
        }
        if count.not_sent() > 0 {
            line("not sent", count.not_sent().to_string());
        }
        for (why, not_sent) in &count.not_sent {
            line(&format!("  {why}"), format!("{not_sent} not sent"));
        }
        for (name, millis) in latencies(count) {
            let millis = millis.map_or_else(|| "-".to_owned(), |it| format!("{it:.2} ms"));
            line(name, millis);
        }
        self.terminal.end(&text);
    }
}

fn line(second: u64, count: &Count) -> String {
    let mut line = format!(
        "{second:>4} s {:>6} requests {:>6} ok {:>5} failed",
        count.requests(),
        count.ok(),
        count.failed(),
    );
    if count.not_sent() > 0 {
        line.push_str(&format!(" {:>5} not sent", count.not_sent()));
    }
    if let Some(p99) = count.latencies.quantile(0.99) {
        line.push_str(&format!("  p99 {p99:.1} ms"));
    }
    line
}

fn latencies(count: &Count) -> [(&'static str, Option<f64>); 4] {
    let quantile = |share| count.latencies.quantile(share);
    [
        ("p50", quantile(0.5)),
        ("p90", quantile(0.9)),
        ("p99", quantile(0.99)),
        ("max", count.latencies.max()),
    ]
}

fn fields(count: &Count) -> Value {
    let pods: Vec<Value> = count
        .ok
        .iter()
        .map(|(responder, ok)| json!({ "pod": responder.pod, "version": responder.version, "ok": ok }))
        .collect();
    let mut fields = json!({
        "requests": count.requests(),
        "ok": count.ok(),
        "failed": count.failed,
        "not_sent": count.not_sent,
        "pods": pods,
    });
    for (name, millis) in latencies(count) {
        fields[format!("{name}_ms")] = millis.map_or(Value::Null, rounded);
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fits_80_columns_and_says_what_was_not_sent() {
        let mut count = Count::default();
        assert_eq!(
            line(1, &count),
            "   1 s      0 requests      0 ok     0 failed"
        );
        count.ok.insert(Default::default(), 9000);
        count.failed.insert("timed out".into(), 1000);
        count.not_sent.insert("connections busy".into(), 500);
        count.latencies.add(Duration::from_millis(5000));
        let said = line(3600, &count);
        assert_eq!(
            said,
            "3600 s  10000 requests   9000 ok  1000 failed   500 not sent  p99 5000.0 ms"
        );
        assert!(said.len() < 80, "{}", said.len());
    }
}
