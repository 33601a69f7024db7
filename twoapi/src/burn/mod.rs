//! The subcommand `burn`: so many millicores, by all pods behind a name together, for so long.
//! The total stays while pods come and go, so that an autoscaler sees a load that is known.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `share` | who burns how much |
//! | `coordinator` | which pods there are, and their shares from second to second |
//! | `worker` | one pod kept at its share, by one burn at a time |
//! | `pod` | a burn over HTTP: start, look, end |
//! | `stats` | what each pod was asked for, and has achieved |
//! | `report` | what is printed: a line a second, and the summary |
//!
//! A burn that is to change is ended and started anew, which takes some milliseconds. Left out:
//! making up for those, and for what a pod was not granted below its CPU limit; both are shown.

mod coordinator;
mod pod;
mod report;
mod share;
mod stats;
mod worker;

use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use axum::http::Uri;
use chassis::{
    config::{http_url, positive_duration},
    lifecycle::Signals,
};
use tokio::time::timeout;

use crate::{bounds, client::resolver};

pub use self::{
    coordinator::{Plan, Progress, steer},
    share::Millicores,
    stats::Entry,
};
use report::Report;

/// Have all pods behind a name burn CPU, in all or each: exit 0 when they did, else 1
#[derive(Clone, Debug, clap::Args)]
pub struct Burn {
    /// Whose addresses are to burn, such as `chesterheadless:5000`, a headless Service
    #[arg(value_parser = target)]
    target: Target,

    /// How much, in thousandths of a core: shared out among the pods, whole numbers to each
    #[arg(long, value_parser = bounds::millicores, allow_hyphen_values = true)]
    millicores: u32,

    /// For how long
    #[arg(long = "for", value_parser = positive_duration, allow_hyphen_values = true)]
    time: Duration,

    /// So much by each pod, whatever that is in all
    #[arg(long)]
    each: bool,

    /// Print JSON, an object on each line, to be read by a program
    #[arg(long)]
    json: bool,
}

/// A name, or an address, and a port.
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
    let wrong = || "a target is written as host:port".to_owned();
    let url: Uri = http_url(&url).map_err(|_| wrong())?;
    if url.path() != "/" || url.query().is_some() {
        return Err(wrong());
    }
    let authority = url.authority().expect("http_url saw to it");
    Ok(Target {
        host: authority.host().trim_matches(['[', ']']).to_owned(),
        port: authority.port_u16().unwrap_or(PORT),
    })
}

/// The first look-up: the name may be wrong, and then nobody should wait.
const FIRST_LOOKUP: Duration = Duration::from_secs(5);

impl Burn {
    /// Burns until the time is over or a signal comes; then ends all burns. Exit 1 when a pod
    /// refused its share, when none could be reached, or when the name is not known at the start.
    pub async fn run(self, signals: Signals) -> ExitCode {
        let Target { host, port } = &self.target;
        let first = timeout(FIRST_LOOKUP, resolver::lookup(host, *port))
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {FIRST_LOOKUP:?}")));
        if let Err(why) = first {
            eprintln!("the name {host} can't be resolved: {why}");
            return ExitCode::FAILURE;
        }
        let plan = Plan {
            millicores: if self.each {
                Millicores::Each(self.millicores)
            } else {
                Millicores::InAll(self.millicores)
            },
            time: self.time,
        };
        let mut report = Report::new(self.json, self.time);
        let target = Arc::new(self.target);
        let lookup = move || {
            let target = target.clone();
            async move {
                let mut found = resolver::lookup(&target.host, target.port).await?;
                // A pod with an address of either family is one pod. IPv4 comes first.
                let ipv4 = found.iter().any(SocketAddr::is_ipv4);
                found.retain(|address| address.is_ipv4() == ipv4);
                Ok(found)
            }
        };
        let end = steer(plan, lookup, signals, |progress| report.second(progress)).await;
        report.summary(&end);
        if end.is_good() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_name_or_an_address_and_a_port() {
        for (text, host, port) in [
            ("chesterheadless:5000", "chesterheadless", 5000),
            ("chesterheadless", "chesterheadless", 5000),
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
            assert!(target(text).is_err(), "'{text}' is no target");
        }
    }
}
