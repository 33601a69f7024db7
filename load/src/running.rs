//! A load while it is being sent.

use std::{
    io, mem,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::timeout_at};

use crate::{
    alarm::Alarm,
    answer::Responder,
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
    senders: JoinSet<()>,
    /// What goes on beside them.
    _others: JoinSet<()>,
}

impl Running {
    /// Begins to send.
    ///
    /// # Errors
    /// The timer that keeps the pace can't be had.
    pub fn start(target: Target, plan: Plan) -> io::Result<Self> {
        let alarm = Alarm::new()?;
        let shared = Arc::new(Shared {
            target,
            pace: Pace::new(plan.rate, plan.time, plan.connections),
            tally: Tally::default(),
            timeout: plan.timeout,
        });
        let mut senders = JoinSet::new();
        for _ in 0..plan.connections {
            senders.spawn(send_requests(
                Arc::clone(&shared),
                Connection::new(plan.reuse),
            ));
        }
        let mut others = JoinSet::new();
        let paced = Arc::clone(&shared);
        others.spawn(async move { paced.pace.run(&alarm).await });
        let looked_up = Arc::clone(&shared);
        others.spawn(async move { looked_up.target.keep_up_to_date().await });
        Ok(Self {
            shared,
            senders,
            _others: others,
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
        self.shared.pace.end();
    }

    /// Ends it without waiting for what is in flight.
    pub async fn cut_off(&mut self) {
        self.senders.shutdown().await;
        self.shared.tally.add_busy(self.shared.pace.not_taken());
    }

    /// Waits until everything has been sent, and has ended.
    pub async fn over(&mut self) {
        while let Some(ended) = self.senders.join_next().await {
            ended.expect("sending doesn't panic");
        }
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
    while let Some(due) = next(pace, &mut connection).await {
        let mut taken = Taken {
            due,
            tally,
            answer: Err("cut off".into()),
        };
        let deadline = due + *timeout;
        // Half of the time is left to the service. With fewer connections than the rate needs, each
        // request would otherwise be sent when its time is all but over, and none be answered.
        taken.answer = if due.elapsed() < *timeout / 2 {
            timeout_at(deadline.into(), connection.request(target))
                .await
                .unwrap_or_else(|_| Err("timed out".into()))
        } else {
            Err(Failure::busy())
        };
    }
}

/// A request that a connection has taken. It is counted once this is dropped, so also if its task is aborted.
struct Taken<'a> {
    due: Instant,
    tally: &'a Tally,
    answer: Result<Responder, Failure>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let answer = mem::replace(&mut self.answer, Ok(Responder::default()));
        self.tally.add(self.due.elapsed(), answer);
    }
}

/// When the next request is due. A connection that the service closes meanwhile is closed here too.
async fn next(pace: &Pace, connection: &mut Connection) -> Option<Instant> {
    let mut next = pin!(pace.next());
    loop {
        tokio::select! {
            biased;
            due = &mut next => return due,
            () = connection.closed() => {}
        }
    }
}
