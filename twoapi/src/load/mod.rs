//! The subcommand `load`: requests at a fixed rate, and what became of them.
//!
//! It is an open loop: request number i is due i / rate seconds after the start, whatever happened
//! to those before it, and its latency counts from then, as does its time-out. So a stall of the
//! service isn't hidden by a client that waits for it, and all is over a time-out after the last
//! request was due. Nothing is tried twice: what fails has failed.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `target` | the URL, and the addresses that its name stands for |
//! | `pace` | when each request is due |
//! | `connection` | one request over a fresh or a kept connection, and how it can fail |
//! | `tally`, `latencies` | counts and quantiles, of a second and of all |
//! | `report` | what is printed: a line a second, and the summary |
//!
//! A Service's name stands for one address, and who gets a connection to it stays with one pod:
//! kept connections reach as many pods as there are connections at most, `--fresh` reaches all.
//!
//! Left out: HTTP/2, bodies, and more than one URL.

mod connection;
mod latencies;
mod pace;
mod report;
mod tally;
mod target;

use std::{
    future::Future,
    process::ExitCode,
    sync::Arc,
    thread::{self, Thread},
    time::Duration,
};

use axum::http::Uri;
use chassis::{
    config::{duration, http_url},
    lifecycle::Signals,
};
use tokio::{
    runtime,
    task::{JoinSet, block_in_place},
    time::{Instant, MissedTickBehavior, interval_at, timeout_at},
};

use self::{connection::Connection, pace::Pace, report::Report, tally::Tally, target::Target};

/// Ask a URL at a fixed rate and count what fails: exit 0 when nothing did, else 1
#[derive(Clone, Debug, clap::Args)]
pub struct Load {
    /// What to ask, such as `http://chesterservice:5000/test`
    #[arg(value_parser = http_url)]
    url: Uri,

    /// Requests per second, also less than one: `0.5`
    #[arg(long, value_parser = rate, allow_hyphen_values = true)]
    rate: f64,

    /// For how long
    #[arg(long = "for", value_parser = some_time, allow_hyphen_values = true)]
    time: Duration,

    /// How many connections at most, so how many requests at once
    // 64: with answers within 10 ms enough for 6400 requests a second, and few enough to be no
    // load by themselves.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,

    /// A new connection for each request, which the service is asked to close; else they are kept
    #[arg(long)]
    fresh: bool,

    /// When to give up on a request, counted from when it is due
    // 5 s: no answer here takes longer, but for a burn; who looks at a page is gone by then.
    #[arg(long, default_value = "5s", value_parser = some_time, allow_hyphen_values = true)]
    timeout: Duration,

    /// Print JSON, an object on each line, to be read by a program
    #[arg(long)]
    json: bool,

    /// The highest rate that may be asked for
    // 10000: about what one core can ask. A slip of the finger should not take a cluster down.
    #[arg(long, env, default_value = "10000", value_parser = rate)]
    max_rate: f64,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && f64::is_finite(rate) => Ok(rate),
        _ => Err("a rate is a number above 0: requests per second".to_owned()),
    }
}

/// A length of time that is not nothing.
pub(crate) fn some_time(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("that is no time at all".to_owned()),
        time => Ok(time),
    }
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    target: Target,
    pace: Pace,
    tally: Tally,
    timeout: Duration,
}

impl Load {
    /// What is wrong with it as a whole.
    pub fn conflicts(&self) -> Vec<String> {
        if self.rate <= self.max_rate {
            return Vec::new();
        }
        vec![format!(
            "--rate {} is more than MAX_RATE (or --max-rate) allows, which is {}",
            self.rate, self.max_rate
        )]
    }

    /// Asks until the time is over or a signal comes, then waits for what is in flight; a second
    /// signal doesn't wait. Exit 0 when nothing failed, 1 when something did, or nobody was there.
    pub async fn run(self, signals: Signals) -> ExitCode {
        on_one_thread(self.ask(signals))
    }

    async fn ask(self, mut signals: Signals) -> ExitCode {
        // Whom nobody can reach at all is told before anything is counted.
        let found = tokio::select! {
            found = Target::find(&self.url, self.timeout) => found,
            _ = signals.next() => Err("ended before it began".to_owned()),
        };
        let target = match found {
            Ok(target) => target,
            Err(why) => {
                eprintln!("{}: {why}", self.url);
                return ExitCode::FAILURE;
            }
        };
        let connections = usize::from(self.connections);
        let shared = Arc::new(Shared {
            target,
            pace: Pace::new(self.rate, self.time, connections),
            tally: Tally::default(),
            timeout: self.timeout,
        });
        let keeper = match keep_pace(&shared) {
            Ok(keeper) => keeper,
            Err(error) => {
                eprintln!("the system has no thread for it: {error}");
                return ExitCode::FAILURE;
            }
        };
        let start = Instant::from_std(shared.pace.start);
        let mut asking = JoinSet::new();
        for _ in 0..connections {
            asking.spawn(ask(shared.clone(), Connection::new(self.fresh)));
        }
        let refresh = tokio::spawn({
            let shared = shared.clone();
            async move { shared.target.keep_up_to_date().await }
        });

        let report = Report::new(self.json, self.time);
        let mut second = interval_at(start + SECOND, SECOND);
        second.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut told_to_stop = false;
        loop {
            tokio::select! {
                _ = second.tick() => {
                    report.second(start.elapsed().as_secs(), &shared.tally.take_second());
                }
                _ = signals.next() => {
                    if told_to_stop {
                        break;
                    }
                    told_to_stop = true;
                    shared.pace.end(&keeper);
                }
                ended = asking.join_next() => match ended {
                    None => break,
                    Some(ended) => ended.expect("asking doesn't panic"),
                }
            }
        }
        refresh.abort();
        let elapsed = start.elapsed();
        let rest = shared.tally.take_second();
        if rest.requests() > 0 {
            report.second(elapsed.as_secs() + 1, &rest);
        }
        let all = shared.tally.take_all();
        report.summary(elapsed, &all);
        if all.failed() == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// At thousands of requests a second, handing each from thread to thread would cost more than
/// asking. Nothing else runs in this process meanwhile.
fn on_one_thread(load: impl Future<Output = ExitCode>) -> ExitCode {
    match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let code = block_in_place(|| runtime.block_on(load));
            // A look-up may be under way still.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            eprintln!("cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

fn keep_pace(shared: &Arc<Shared>) -> std::io::Result<Thread> {
    let shared = shared.clone();
    let keeper = thread::Builder::new().spawn(move || shared.pace.keep())?;
    Ok(keeper.thread().clone())
}

/// One connection's life: takes the next request that is due and asks, until there is none.
async fn ask(shared: Arc<Shared>, mut connection: Connection) {
    let Shared {
        target,
        pace,
        tally,
        timeout,
    } = &*shared;
    while let Some(due) = pace.next().await {
        let give_up = due + *timeout;
        let answer = if std::time::Instant::now() < give_up {
            timeout_at(give_up.into(), connection.ask(target))
                .await
                .unwrap_or_else(|_| Err("timed out".into()))
        } else {
            Err("not sent".into())
        };
        tally.add(due.elapsed(), answer);
    }
}
