//! Sends requests at a fixed rate and counts what became of them: the subcommand `load`, the page, and
//! whoever else needs a load.
//!
//! It is an open loop: request number i is due i / rate seconds after the start, whatever happened
//! to those before it, and its latency counts from then, as does its time-out. So a stall of the
//! service isn't hidden by a client that waits for it, and everything has ended one time-out after
//! the last request was due. Nothing is retried. What no connection was free for is not sent, and
//! counted apart from what failed: it says nothing of the service.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `target`, [`resolver`] | the URL, and the addresses that its name resolves to |
//! | `pace` | when each request is due |
//! | `connection`, `socket` | one request over a fresh or a kept connection, and how it can fail |
//! | `tally`, `latencies` | counts and quantiles, per second and in all |
//!
//! A Service's name resolves to one address, and a connection to it stays with one pod. So kept
//! connections reach at most as many pods as there are connections, and never a new pod, unless they
//! are renewed now and then.
//!
//! Left out: HTTP/2, bodies, and more than one URL.

mod connection;
mod latencies;
mod pace;
pub mod resolver;
mod socket;
mod tally;
mod target;

use std::{
    io,
    sync::Arc,
    thread::{self, Thread},
    time::{Duration, Instant},
};

use tokio::{
    task::{JoinHandle, JoinSet},
    time::timeout_at,
};

pub use self::{
    connection::{Answered, Connection, Exchange, Failure, Reuse, Words},
    latencies::Latencies,
    tally::Count,
    target::Target,
};
use self::{pace::Pace, tally::Tally};

/// How much is sent, and how.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Requests per second.
    pub rate: f64,
    /// For how long.
    pub time: Duration,
    /// How many connections at most, and so how many requests at once.
    pub connections: usize,
    /// When a connection is used again.
    pub reuse: Reuse,
    /// When to give up on a request, counted from when it is due.
    pub timeout: Duration,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    target: Target,
    pace: Pace,
    tally: Tally,
    timeout: Duration,
}

/// A load that is being sent, until its plan is over or this is dropped.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    timer: Thread,
    senders: JoinSet<()>,
    refresh: JoinHandle<()>,
}

impl Running {
    /// Begins to send.
    ///
    /// # Errors
    /// The thread that keeps the pace can't be started.
    pub fn start(target: Target, plan: Plan) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            target,
            pace: Pace::new(plan.rate, plan.time, plan.connections),
            tally: Tally::default(),
            timeout: plan.timeout,
        });
        let timer = {
            let shared = Arc::clone(&shared);
            thread::Builder::new().spawn(move || shared.pace.run())?
        };
        let mut senders = JoinSet::new();
        for _ in 0..plan.connections {
            senders.spawn(send_requests(
                Arc::clone(&shared),
                Connection::new(plan.reuse),
            ));
        }
        let refresh = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move { shared.target.keep_up_to_date().await }
        });
        Ok(Self {
            timer: timer.thread().clone(),
            shared,
            senders,
            refresh,
        })
    }

    /// When the first request was due.
    pub fn began(&self) -> Instant {
        self.shared.pace.start
    }

    /// What was counted since the last call.
    pub fn take_second(&self) -> Count {
        self.shared.tally.take_second()
    }

    /// The total, once the last second has been taken.
    pub fn take_all(&self) -> Count {
        self.shared.tally.take_all()
    }

    /// Sends nothing more; what is in flight goes on.
    pub fn end(&self) {
        self.shared.pace.end(&self.timer);
    }

    /// Waits until everything has been sent, and has ended.
    pub async fn over(&mut self) {
        while let Some(ended) = self.senders.join_next().await {
            ended.expect("sending doesn't panic");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
        self.refresh.abort();
    }
}

/// One connection's task: sends the next request that is due, until there is none.
async fn send_requests(shared: Arc<Shared>, mut connection: Connection) {
    let Shared {
        target,
        pace,
        tally,
        timeout,
    } = &*shared;
    while let Some(due) = pace.next().await {
        let deadline = due + *timeout;
        // Half of the time is left to the service. With fewer connections than the rate needs, each
        // request would otherwise be sent when its time is all but over, and none be answered.
        let answer = if due.elapsed() < *timeout / 2 {
            timeout_at(deadline.into(), connection.request(target))
                .await
                .unwrap_or_else(|_| Err("timed out".into()))
        } else {
            Err(Failure::busy())
        };
        tally.add(due.elapsed(), answer);
    }
}
