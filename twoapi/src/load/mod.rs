//! The subcommand `load`: requests at a fixed rate, and what became of them.
//!
//! It is an open loop: request number i is due i / rate seconds after the start, whatever happened
//! to those before it, and its latency counts from then. So a stall of the service isn't hidden
//! by a client that waits for it. Nothing is tried twice: what fails has failed.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `target` | the URL, and the addresses that its name stands for |
//! | `connection` | one request over a fresh or a kept connection, and how it can fail |
//! | `tally` | counts and latencies, of a second and of all |
//! | `report` | what is printed: a line a second, and the summary |
//!
//! Left out: HTTP/2, bodies, and URLs other than one.

mod connection;
mod report;
mod tally;
mod target;

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use axum::http::Uri;
use chassis::{probe::http_url, settings::duration, signal::Signals};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{MissedTickBehavior, interval_at, timeout},
};

use self::{connection::Connection, report::Report, tally::Tally, target::Target};

/// Ask a URL at a fixed rate and count what fails: exit 0 when nothing did, else 1
#[derive(Clone, Debug, clap::Args)]
pub struct Load {
    /// What to ask, such as `http://chesterservice:5000/test`
    #[arg(value_parser = http_url)]
    url: Uri,

    /// Requests per second, also less than one: `0.5`
    #[arg(long, value_parser = rate)]
    rate: f64,

    /// For how long
    #[arg(long = "for", value_parser = some_time)]
    time: Duration,

    /// How many connections at most, so how many requests at once
    // 64: with answers within 10 ms enough for 6400 requests a second; with fewer the load would
    // wait for itself whenever the service stalls.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,

    /// A new connection for each request; else connections are kept
    #[arg(long)]
    fresh: bool,

    /// When to give up on a request, counted from when it is sent
    #[arg(long, default_value = "5s", value_parser = some_time)]
    timeout: Duration,

    /// Print JSON, an object on each line, to be read by a program
    #[arg(long)]
    json: bool,

    /// The highest rate that may be asked for
    // 10000: about what one core can ask. Who has more to spare may say so.
    #[arg(long, env, default_value = "10000", value_parser = rate)]
    max_rate: f64,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && f64::is_finite(rate) => Ok(rate),
        _ => Err("a rate is a number above 0: requests per second".to_owned()),
    }
}

fn some_time(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("that is no time at all".to_owned()),
        time => Ok(time),
    }
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    load: Load,
    target: Target,
    start: Instant,
    /// How many requests there are to be.
    requests: u64,
    /// A permit for each that is due. Closed by a signal.
    due: Semaphore,
    /// How many have been taken; the next one's number.
    next: AtomicU64,
    tally: Tally,
}

impl Load {
    /// What is wrong with it as a whole.
    pub fn contradictions(&self) -> Vec<String> {
        if self.rate <= self.max_rate {
            return Vec::new();
        }
        vec![format!(
            "--rate {} is more than MAX_RATE allows, which is {}",
            self.rate, self.max_rate
        )]
    }

    /// Asks until the time is over or a signal comes, then waits for what is in flight.
    pub async fn run(self, mut signals: Signals) -> ExitCode {
        // What can't be reached at all is told before anything is counted.
        let target = match Target::find(&self.url, self.timeout).await {
            Ok(target) => target,
            Err(why) => {
                eprintln!("{}: {why}", self.url);
                return ExitCode::FAILURE;
            }
        };
        let shared = Arc::new(Shared {
            start: Instant::now(),
            requests: (self.rate * self.time.as_secs_f64()).ceil() as u64,
            due: Semaphore::new(0),
            next: AtomicU64::new(0),
            tally: Tally::default(),
            target,
            load: self,
        });
        let mut connections = JoinSet::new();
        for _ in 0..shared.load.connections {
            connections.spawn(ask(shared.clone()));
        }
        thread::spawn({
            let shared = shared.clone();
            move || shared.pace()
        });
        let refresh = tokio::spawn({
            let shared = shared.clone();
            async move { shared.target.keep_up_to_date().await }
        });

        let mut report = Report::new(shared.load.json, shared.load.time);
        let mut second = interval_at((shared.start + SECOND).into(), SECOND);
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = second.tick() => {
                    report.second(shared.start.elapsed(), &shared.tally.take_second());
                }
                _ = signals.next() => shared.due.close(),
                ended = connections.join_next() => match ended {
                    None => break,
                    Some(Ok(())) => {}
                    Some(Err(panic)) => eprintln!("a connection was lost to a fault of this program: {panic}"),
                }
            }
        }
        refresh.abort();
        // What came in since the last full second.
        let elapsed = shared.start.elapsed();
        report.second(elapsed, &shared.tally.take_second());
        let all = shared.tally.all();
        report.summary(elapsed, &all);
        if all.failed() == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

impl Shared {
    fn due(&self, number: u64) -> Instant {
        self.start + Duration::from_secs_f64(number as f64 / self.load.rate)
    }

    /// Lets each request go when it is due. On a thread of its own: the runtime's timers tick in
    /// milliseconds, and so long an answer takes only rarely.
    fn pace(&self) {
        for number in 0..self.requests {
            thread::sleep(self.due(number).saturating_duration_since(Instant::now()));
            self.due.add_permits(1);
        }
        // Everybody comes once more, to learn that there is nothing left.
        self.due.add_permits(usize::from(self.load.connections));
    }
}

/// One connection's life: takes the next request that is due and asks, until there is none.
async fn ask(shared: Arc<Shared>) {
    let mut connection = Connection::new(shared.load.fresh);
    while let Ok(permit) = shared.due.acquire().await {
        permit.forget();
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        if number >= shared.requests {
            return;
        }
        let answer = timeout(shared.load.timeout, connection.ask(&shared.target))
            .await
            .unwrap_or_else(|_| Err("timed out".into()));
        shared.tally.add(shared.due(number).elapsed(), answer);
    }
}
