//! The subcommand `burn`: has all pods behind a name burn a number of millicores together. The total
//! stays the same while pods come and go, so that an autoscaler sees a load that is known.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `coordinator` | which pods there are, and the share of each from second to second |
//! | `share` | how a total is divided |
//! | `worker` | keeps one pod at its share, by one burn at a time |
//! | `pod` | a burn over HTTP: start, status, end |
//! | `stats` | what each pod was asked for, and has achieved |
//! | `report` | what is printed: a line a second, and the summary |
//!
//! When a share changes, its burn is ended and a new one started, which takes some milliseconds.
//! Left out: making up for those, and for what a pod doesn't burn because it stays below its CPU
//! limit; both are shown.

mod coordinator;
mod pod;
mod report;
mod share;
mod stats;
mod worker;

use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use axum::http::Uri;
use chassis::{
    config::{Reader, complain, host_and_port, http_url, positive_duration},
    lifecycle::Signals,
};

use load::resolver::{self, prefer_ipv4};

use self::report::BurnReport;
pub use self::{
    coordinator::{Plan, Progress, run},
    share::Millicores,
    stats::PodStats,
};
use crate::bounds;

/// Have all Pods behind a name burn CPU, together or each: exit 0 when they did, else 1
#[derive(Clone, Debug, clap::Args)]
pub struct BurnCommand {
    /// The name whose addresses burn, such as `chesterpods:5000`, a headless Service
    #[arg(value_parser = Reader(target))]
    target: Target,

    /// How much, in thousandths of a core, from 1 to 10000000: divided among the Pods
    #[arg(long, value_parser = Reader(bounds::millicores), allow_hyphen_values = true)]
    millicores: u32,

    /// For how long, at most a year
    #[arg(long = "for", value_parser = Reader(positive_duration), allow_hyphen_values = true)]
    time: Duration,

    /// Have each Pod burn that much, instead of all Pods together
    #[arg(long)]
    each: bool,

    /// Print JSON, one object per line, for a program to read
    #[arg(long)]
    json: bool,
}

/// A name or an address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    host: String,
    port: u16,
}

/// oneapi's own port.
const PORT: u16 = 5000;

fn target(text: &str) -> Result<Target, String> {
    let url = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let invalid = || "a target is written as host:port".to_owned();
    let url: Uri = http_url(&url).map_err(|_| invalid())?;
    if url.path() != "/" || url.query().is_some() {
        return Err(invalid());
    }
    let (host, port) = host_and_port(&url, PORT);
    Ok(Target {
        host: host.to_owned(),
        port,
    })
}

impl BurnCommand {
    /// Burns until the time is over or a signal comes, then ends all burns. Exit 1 if a pod refused its
    /// share for good, if no pod could be reached, if the others couldn't take over from a pod that was
    /// busy or that failed, or if the name can't be resolved at the start.
    pub async fn run(self, mut signals: Signals) -> ExitCode {
        let Target { host, port } = &self.target;
        let first = tokio::select! {
            first = resolver::first_lookup(host, *port) => first,
            _ = signals.next() => Err("stopped before the first burn".to_owned()),
        };
        let mut first = match first {
            Ok(first) => Some(first),
            Err(why) => {
                complain(why);
                return ExitCode::FAILURE;
            }
        };
        let plan = Plan {
            millicores: if self.each {
                Millicores::Each(self.millicores)
            } else {
                Millicores::Total(self.millicores)
            },
            time: self.time,
        };
        let mut report = BurnReport::new(self.json, self.time);
        let target = Arc::new(self.target);
        let lookup = move || {
            let (target, first) = (target.clone(), first.take());
            async move {
                let mut found = match first {
                    Some(found) => found,
                    None => resolver::lookup(&target.host, target.port).await?,
                };
                prefer_ipv4(&mut found, SocketAddr::is_ipv4);
                Ok(found)
            }
        };
        let end = coordinator::run(plan, lookup, signals, |progress| report.second(progress)).await;
        report.summary(&end);
        match end.failure() {
            None => ExitCode::SUCCESS,
            Some(why) => {
                complain(why);
                ExitCode::FAILURE
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_name_or_an_address_and_a_port() {
        for (text, host, port) in [
            ("chesterpods:5000", "chesterpods", 5000),
            ("chesterpods", "chesterpods", 5000),
            ("http://10.0.0.1:5002/", "10.0.0.1", 5002),
            ("http://10.0.0.1", "10.0.0.1", 5000),
            ("[::1]:5001", "::1", 5001),
        ] {
            let host = host.to_owned();
            assert_eq!(target(text), Ok(Target { host, port }), "{text}");
        }
        for text in [
            "",
            "x:99999",
            "x:",
            "x:y",
            "https://x",
            "http://x/test",
            "x y",
            "x/?a",
        ] {
            assert!(target(text).is_err(), "'{text}' is not a target");
        }
    }
}
