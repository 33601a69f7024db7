//! The subcommand `load`: has the crate `load` send requests at a fixed rate, and prints what became of
//! them (`report`).

mod report;

use std::{process::ExitCode, time::Duration};

use axum::http::{HeaderValue, Uri};
use chassis::{
    config::{Reader, complain, http_url, positive_duration},
    lifecycle::Signals,
    system::descriptors,
    text::shown,
};
use load::{Plan, Reuse, Running, Target};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use self::report::LoadReport;
use crate::bounds;

/// Request a URL at a fixed rate and count what fails: exit 0 when every request was sent and
/// answered with success, else 1; a signal ends it early, and then those count that were due until it came
#[derive(Clone, Debug, clap::Args)]
pub struct LoadCommand {
    /// What to request, such as `http://chesterservice:5000/test`
    #[arg(value_parser = Reader(http_url))]
    url: Uri,

    /// The header `Host`, such as a name that an Ingress or a Gateway knows; requests are sent to the
    /// URL's own host all the same [default: the URL's]
    #[arg(long, value_name = "NAME", value_parser = Reader(bounds::host_header))]
    host: Option<HeaderValue>,

    /// Requests per second, from 0.001 up to `MAX_RATE`
    #[arg(long, value_parser = Reader(bounds::rate), allow_hyphen_values = true)]
    rate: f64,

    /// For how long, at most a year
    #[arg(long = "for", value_parser = Reader(positive_duration), allow_hyphen_values = true)]
    time: Duration,

    /// How many connections at most, from 1 to 4096, and so how many requests at once
    // 64: with answers within 10 ms enough for 6400 requests a second, and few enough to be no
    // load by themselves.
    #[arg(long, default_value_t = 64, value_parser = Reader(bounds::connections), allow_hyphen_values = true)]
    connections: u16,

    /// Open a new connection for each request, and ask the service to close it
    #[arg(long)]
    fresh: bool,

    /// Renew a kept connection after at most this time, so that new Pods and addresses are reached
    /// [default: keep it for as long as the service does]
    #[arg(long, value_parser = Reader(positive_duration), allow_hyphen_values = true, conflicts_with = "fresh")]
    connection_life: Option<Duration>,

    /// When to give up on a request, counted from when it is due, from 1ms to 24h
    // 5 s: no answer here takes longer, except a burn's; a person looking at a page has left by then.
    #[arg(long, default_value = "5s", value_parser = Reader(bounds::timeout), allow_hyphen_values = true)]
    timeout: Duration,

    /// Print JSON, one object per line, for a program to read
    #[arg(long)]
    json: bool,

    /// The highest `--rate` that may be asked for, from `0.001` to `1000000`
    // 10000: so that a typing error doesn't take a cluster down. One core can send at least eight times as many.
    #[arg(long, env, default_value = "10000", value_parser = Reader(bounds::rate), allow_hyphen_values = true)]
    max_rate: f64,
}

impl LoadCommand {
    /// What is wrong with arguments that are valid by themselves, but not together.
    pub fn conflicts(&self) -> Vec<String> {
        if self.rate <= self.max_rate {
            return Vec::new();
        }
        vec![format!(
            "--rate {} is more than MAX_RATE (or --max-rate) allows, which is {}",
            self.rate, self.max_rate
        )]
    }

    /// Sends requests until the time is over or a signal comes, then waits for those in flight; a
    /// second signal doesn't wait. Exit 0 when every request was sent and answered with success, 1
    /// when not or the target can't be reached, 2 when there can't be so many connections, 130 or
    /// 143 by a second signal.
    pub async fn run(self, mut signals: Signals) -> ExitCode {
        if let Err(why) = self.check_descriptors() {
            complain(why);
            return ExitCode::from(2);
        }
        // A target that can't be reached at all is reported before anything is counted.
        let found = tokio::select! {
            found = Target::find_with_patience(&self.url, self.timeout) => found,
            _ = signals.next() => Err("stopped before the first request".to_owned()),
        };
        let target = match (found, self.host) {
            (Ok(target), None) => target,
            (Ok(target), Some(host)) => target.with_host(&host),
            (Err(why), _) => {
                complain(format_args!("{}: {why}", shown(self.url.to_string())));
                return ExitCode::FAILURE;
            }
        };
        let plan = Plan {
            rate: self.rate,
            time: self.time,
            connections: usize::from(self.connections),
            reuse: match (self.fresh, self.connection_life) {
                (true, _) => Reuse::Never,
                (false, None) => Reuse::Unlimited,
                (false, Some(life)) => Reuse::For(life),
            },
            timeout: self.timeout,
        };
        let mut running = match Running::start(target, plan) {
            Ok(running) => running,
            Err(error) => {
                complain(format_args!("cannot start a timer: {error}"));
                return ExitCode::FAILURE;
            }
        };
        let start = Instant::from_std(running.began());
        let report = LoadReport::new(self.json, self.rate, self.time);
        let mut second = interval_at(start + SECOND, SECOND);
        second.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut reported = 0;
        let mut stopping = false;
        let mut abandoned = None;
        loop {
            tokio::select! {
                _ = second.tick() => {
                    reported = start.elapsed().as_secs();
                    report.second(reported, &running.take_second());
                }
                signal = signals.next() => {
                    if stopping {
                        abandoned = Some(signal);
                        running.cut_off().await;
                        break;
                    }
                    stopping = true;
                    running.end();
                }
                () = running.over() => break,
            }
        }
        let elapsed = start.elapsed();
        let rest = running.take_second();
        // The last second ends at the same time as the load, which may come first.
        if !rest.is_empty() || elapsed.as_secs() > reported {
            report.second(elapsed.as_secs().max(reported + 1), &rest);
        }
        let all = running.take_all();
        report.summary(elapsed, &all);
        match abandoned {
            // What would have become of the requests in flight is not known.
            Some(signal) => ExitCode::from(signal.exit_code()),
            None if all.failed() + all.not_sent() == 0 => ExitCode::SUCCESS,
            None => ExitCode::FAILURE,
        }
    }

    /// A connection takes one descriptor. Without enough of them, requests would fail here that the
    /// service never saw.
    fn check_descriptors(&self) -> Result<(), String> {
        let limit = descriptors::raise_limit();
        let open = descriptors::open().unwrap_or(OPEN_AT_THE_START);
        let left = limit.saturating_sub(open + OTHER_DESCRIPTORS);
        if u64::from(self.connections) <= left {
            return Ok(());
        }
        Err(format!(
            "--connections {} can't be had: with at most {limit} open files (ulimit -n) there can be {left}",
            self.connections
        ))
    }
}

/// How many descriptors are taken to be open if they can't be counted: a few more than the standard
/// streams and the runtime's own.
const OPEN_AT_THE_START: u64 = 16;

/// How many descriptors a look-up takes at once: sockets to DNS servers, and the system's files about
/// names.
const OTHER_DESCRIPTORS: u64 = 8;

const SECOND: Duration = Duration::from_secs(1);
