//! Lets hyper do its work on a connection, and beside it keeps the timeouts and listens for the stop.
//!
//! It is polled for each request, so whatever takes a lock is polled only when it may have news: the
//! phase during a stop, the timer when it has elapsed, the client's leaving while a request is being
//! answered.

use std::{
    convert::Infallible,
    error::Error,
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use hyper::{
    Request, Response,
    body::{Body, Incoming},
    server::conn::{http1, http2},
    service::Service,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::sleep_until;

use super::{
    progress::{Progress, State},
    shared::Shared,
    socket::{Client, Socket},
    timeouts::Timeouts,
    timer::Timer,
    version::Version,
};
use crate::lifecycle::Phase;

/// How long a surplus connection lasts at most: longer than a probe waits for its answer.
const MAX_SURPLUS_LIFE: Duration = Duration::from_secs(10);

/// How long a client of HTTP/2 has to read an answer before it is told to go. A common one for Python
/// (h2 4) takes a PING after a GOAWAY for an error, and loses the answer that it has read with them.
// 50 ms: a round trip within a region, and the client's own time.
const ANSWER_IS_READ: Duration = Duration::from_millis(50);

/// How often the timeouts of a connection are looked at, at most: the wake-ups cost CPU time.
const MIN_LOOK: Duration = Duration::from_millis(100);

/// How a connection came to its end.
pub(super) enum Ended {
    ByItself(hyper::Result<()>),
    TimedOut(State),
    ClientLeft,
}

/// hyper's two kinds of connection.
pub(super) trait Connection: Future<Output = hyper::Result<()>> {
    /// Ends after what is in flight.
    fn graceful_shutdown(self: Pin<&mut Self>);
}

impl<S, B> Connection for http1::Connection<TokioIo<Socket>, S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
{
    fn graceful_shutdown(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S, B> Connection for http2::Connection<TokioIo<Socket>, S, TokioExecutor>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S::Future: Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    fn graceful_shutdown(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// What keeps the timeouts of one connection.
pub(super) struct Driver<'a> {
    version: Version,
    client: &'a Client,
    progress: &'a Arc<Progress>,
    shared: &'a Shared,
    timeouts: Timeouts,
    /// When the connection ends in any case. `None` if it isn't surplus.
    end: Option<Instant>,
    /// In HTTP/1: how often the timer has elapsed while a request was being answered.
    looks: u32,
    /// In HTTP/2: when the [turn](Progress::turn) began.
    turned_at: Instant,
    /// In HTTP/2: when the client was told to go.
    told_at: Option<Instant>,
    /// In HTTP/2: when the client is to be told to go.
    tell_at: Option<Instant>,
    /// In HTTP/2: `tell_at` is set anew after one more answer than these. Until then it holds only for a
    /// client that asks for nothing.
    unless_answered: Option<u32>,
}

enum Event {
    Ended(hyper::Result<()>),
    ClientLeft,
    PhaseChanged,
    Answered,
    TimerElapsed,
}

/// What to do when the timer has elapsed.
enum Due {
    Later(Instant),
    TellToGo,
    TimeOut(State),
}

impl<'a> Driver<'a> {
    pub(super) fn new(
        version: Version,
        client: &'a Client,
        shared: &'a Shared,
        is_surplus: bool,
    ) -> Self {
        let now = Instant::now();
        Self {
            version,
            client,
            progress: client.progress(),
            shared,
            timeouts: shared.timeouts_of(is_surplus),
            end: is_surplus.then(|| now + MAX_SURPLUS_LIFE),
            looks: 0,
            turned_at: now,
            told_at: None,
            tell_at: None,
            // A surplus client is told after its first answer, so that it gets a place when there is one.
            unless_answered: is_surplus.then_some(0),
        }
    }

    /// Drives the connection to its end.
    pub(super) async fn run<C: Connection>(
        mut self,
        mut connection: Pin<&mut C>,
        client_left: impl Future<Output = ()>,
    ) -> Ended {
        let (progress, life) = (self.progress, &self.shared.life);
        let first_look = progress.since() + self.time_to_look();
        let mut sleep = pin!(sleep_until(first_look.into()));
        let mut timer = Timer::new(sleep.as_mut());
        let mut client_left = pin!(client_left);
        let mut phase = life.phase();
        if life.is_stopping() {
            phase.mark_changed();
        }
        loop {
            let event = {
                let mut phase_changed = pin!(phase.changed());
                let mut waits_for_phase = false;
                poll_fn(|cx| {
                    if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                        return Poll::Ready(Event::Ended(result));
                    }
                    let since = progress.since();
                    let state = progress.state();
                    // In HTTP/2 an answer that isn't let come may be for nobody any more.
                    let awaits = state == State::Busy
                        || (state == State::Stalled && self.version == Version::Http2);
                    if awaits {
                        if client_left.as_mut().poll(cx).is_ready() {
                            return Poll::Ready(Event::ClientLeft);
                        }
                    } else if state == State::ReceivingHeaders {
                        timer.set_if_earlier(since + self.timeouts.header);
                    }
                    // While the first change still wakes others up, it may wake the wait for the second:
                    // so during a stop each wake-up may be about the phase.
                    if !waits_for_phase || life.is_stopping() {
                        waits_for_phase = true;
                        if phase_changed.as_mut().poll(cx).is_ready() {
                            return Poll::Ready(Event::PhaseChanged);
                        }
                    }
                    if let Some(answers) = self.unless_answered
                        && progress.poll_ended(answers, cx).is_ready()
                    {
                        return Poll::Ready(Event::Answered);
                    }
                    timer.poll(cx).map(|()| Event::TimerElapsed)
                })
                .await
            };
            let now = Instant::now();
            match event {
                Event::Ended(result) => return Ended::ByItself(result),
                Event::ClientLeft => return Ended::ClientLeft,
                Event::PhaseChanged => {
                    let phase = *phase.borrow_and_update();
                    let is_closing = matches!(phase, Phase::Closing(_));
                    if is_closing {
                        self.shared.remaining.add(progress);
                    }
                    match self.version {
                        _ if phase == Phase::Serving => {}
                        // HTTP/1.1 can't tell an idle client to go elsewhere: the connection stays open,
                        // and the next answer carries `Connection: close`. hyper would cut a request that
                        // is coming in.
                        Version::Http1 => {
                            if is_closing && progress.state() != State::ReceivingHeaders {
                                connection.as_mut().graceful_shutdown();
                            }
                        }
                        Version::Http2 => self.plan_to_tell(is_closing, now),
                    }
                }
                Event::Answered => {
                    self.unless_answered = None;
                    self.tell_at = Some(now + ANSWER_IS_READ);
                }
                Event::TimerElapsed => match self.look(now) {
                    Due::TimeOut(state) => return Ended::TimedOut(state),
                    Due::Later(at) => timer.set(self.end.map_or(at, |end| at.min(end))),
                    Due::TellToGo => {
                        connection.as_mut().graceful_shutdown();
                        self.told_at = Some(now);
                        self.unless_answered = None;
                        timer.set(now + self.timeouts.linger);
                    }
                },
            }
            if let (None, Some(at)) = (self.told_at, self.tell_at) {
                timer.set_if_earlier(at);
            }
        }
    }

    /// An idle time that is shorter than that of headers is kept too, though not to the millisecond.
    fn time_to_look(&self) -> Duration {
        self.timeouts.header.min(self.timeouts.idle).max(MIN_LOOK)
    }

    /// The service stops, so the client of HTTP/2 is to be told to go. A client that hasn't asked yet would
    /// have to ask anew, and some that are told to go in the middle of an answer drop it.
    fn plan_to_tell(&mut self, is_closing: bool, now: Instant) {
        if self.told_at.is_some() {
            return;
        }
        let (is_busy, answers) = (self.progress.is_busy(), self.progress.ended());
        if is_busy || answers == 0 {
            self.unless_answered = Some(answers);
        }
        if !is_busy && answers > 0 {
            self.tell_at = Some(self.progress.since() + ANSWER_IS_READ);
        } else if !is_busy && is_closing {
            self.tell_at = Some(now + self.timeouts.latecomer);
        }
    }

    /// Looks at the timeouts.
    fn look(&mut self, now: Instant) -> Due {
        let progress = self.progress;
        let Timeouts {
            header,
            idle,
            stalled,
            linger,
            ..
        } = self.timeouts;
        let (state, since) = (progress.state(), progress.since());
        if self.end.is_some_and(|end| now >= end) {
            return Due::TimeOut(state);
        }
        if self.version == Version::Http2 && now >= self.turned_at + stalled {
            self.turned_at = now;
            if progress.turn() {
                return Due::TimeOut(State::Stalled);
            }
        }
        if (self.version, state) == (Version::Http1, State::Busy) {
            self.looks += 1;
            // Less and less often, since there is one byte for each.
            if self.looks.is_power_of_two() {
                self.client.look_behind_unread_input();
            }
        }
        let tell_at = self
            .tell_at
            .filter(|_| self.unless_answered.is_none() || !progress.is_busy());
        let deadline = match (state, self.told_at, tell_at) {
            (_, None, Some(at)) => at,
            (State::ReceivingHeaders, ..) => since + header,
            // A client that doesn't close in its turn holds nothing up.
            (State::Idle, Some(at), _) => since.max(at) + linger,
            (State::Idle, None, None) => since + idle,
            (State::Stalled, ..) => since + stalled,
            // Looks again then.
            (State::Busy, Some(_), _) => now + linger,
            (State::Busy, None, None) => now + self.time_to_look(),
        };
        // The client is told, so that no request of its crosses the end.
        let is_told_first = self.version == Version::Http2
            && self.told_at.is_none()
            && (state == State::Idle || tell_at.is_some());
        if deadline > now {
            Due::Later(deadline)
        } else if is_told_first {
            Due::TellToGo
        } else {
            Due::TimeOut(state)
        }
    }
}
