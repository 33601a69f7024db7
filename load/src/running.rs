//! A load while it is being sent.

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

use crate::{
    connection::{Connection, Reuse},
    failure::Failure,
    pace::Pace,
    tally::{Count, Tally},
    target::Target,
};

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

/// The task of one connection: sends the next request that is due, until there are no more.
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
