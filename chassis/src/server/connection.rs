//! One connection, from its first byte to its end: HTTP/1.1 or HTTP/2 in clear text, whichever the
//! client speaks, the time-outs, and an end in good order while the service stops. What hyper does
//! is left to hyper.
//!
//! A connection is cut only when nothing is lost by it: a request that has begun to come in may
//! finish, an answer is written to its end and read by the client before the socket goes.

use std::{
    convert::Infallible,
    error::Error,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming, SizeHint},
    header::{CONNECTION, HeaderValue},
    server::conn::{http1, http2},
    service::Service,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::net::RecvFlags;
use tokio::{
    io::Interest,
    net::TcpStream,
    task::AbortHandle,
    time::{Sleep, sleep, sleep_until, timeout},
};
use tracing::debug;

use super::{
    Peer, Timeouts,
    census::{Census, Place},
    progress::{Progress, Remaining, State},
    socket::{Client, Socket},
};
use crate::lifecycle::{Life, Phase};

/// The most that a request's line and headers may take; more is 431.
const MAX_HEADERS_SIZE: usize = 16 << 10;

/// HTTP/2 requests at once on one connection. Each of them may hold as much as a connection of HTTP/1
/// that is busy, so each takes a place.
const MAX_STREAMS: u32 = 16;

/// A surplus connection lasts so long at most: longer than a probe waits for its answer.
const MAX_SURPLUS_LIFE: Duration = Duration::from_secs(10);

/// A client of HTTP/2 has so long to read an answer before it is told to go. A common one for Python
/// (h2 4) takes a PING after a GOAWAY for an error, and loses the answer that it has read with them.
// 50 ms: a round trip within a region, and the client's own time.
const ANSWER_IS_READ: Duration = Duration::from_millis(50);

/// A connection that was accepted while the listener closed has so long to send something: its first
/// bytes may have been dropped, and most systems send them again after 200 to 300 ms. See
/// [`admit_nobody_new`](super::listen::admit_nobody_new).
const SENT_AGAIN: Duration = Duration::from_millis(500);

/// How often the time-outs of a connection are looked at, at most: the wake-ups cost CPU time.
const MIN_LOOK: Duration = Duration::from_millis(100);

/// What all connections of a server share.
pub(super) struct Shared {
    pub(super) life: Life,
    pub(super) timeouts: Timeouts,
    /// [`Progress`] counts time from here.
    pub(super) epoch: Instant,
    /// Whoever is still there when the listener closes.
    pub(super) remaining: Remaining,
    pub(super) census: Census,
}

/// What a connection has for itself.
pub(super) struct Its {
    /// `None` if it is surplus.
    pub(super) place: Option<Place>,
    /// Ends it. It is set as soon as the connection's task has been started.
    pub(super) handle: Arc<OnceLock<AbortHandle>>,
}

impl Shared {
    fn timeouts_of(&self, is_surplus: bool) -> Timeouts {
        match is_surplus {
            false => self.timeouts,
            true => self.timeouts.of_surplus(),
        }
    }
}

/// Serves a connection to its end.
pub(super) async fn serve<S, B>(
    stream: TcpStream,
    address: SocketAddr,
    service_for: impl FnOnce(Peer) -> S,
    shared: Arc<Shared>,
    Its { mut place, handle }: Its,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let timeouts = shared.timeouts_of(place.is_none());
    let Some(version) = first_bytes(&stream, &shared.life, &timeouts).await else {
        return;
    };
    if version == Version::Http2
        && let Some(narrow) = place
    {
        place = narrow.widen(MAX_STREAMS);
        if place.is_none() {
            shared.census.add_surplus(handle.wait().clone());
        }
    }
    let is_surplus = place.is_none();
    let timeouts = shared.timeouts_of(is_surplus);
    let http2 = version == Version::Http2;
    let progress = Arc::new(Progress::new(shared.epoch, http2));
    let socket = Socket::new(stream, Arc::clone(&progress), timeouts.linger);
    let client = socket.client();
    let service = Tracked {
        service: service_for(Peer::new(address, socket.to_reset(), is_surplus)),
        progress: Arc::clone(&progress),
        life: shared.life.clone(),
    };
    let io = TokioIo::new(socket);
    // hyper gets no timer: time-outs are kept here, for a connection and not for each request.
    let ended = match version {
        Version::Http1 => {
            let connection = http1::Builder::new()
                // A client that has closed its sending side may wait for its answer. hyper reads nothing
                // while a handler is at work, and whether the client has left is found out here.
                .half_close(true)
                .keep_alive(!is_surplus)
                .header_read_timeout(None)
                .max_buf_size(MAX_HEADERS_SIZE)
                .serve_connection(io, service);
            let client_left = client.has_left();
            drive(
                pin!(connection),
                version,
                client_left,
                &client,
                &shared,
                &timeouts,
                is_surplus,
            )
            .await
        }
        Version::Http2 => {
            let connection = http2::Builder::new(TokioExecutor::new())
                .max_header_list_size(MAX_HEADERS_SIZE as u32)
                .max_concurrent_streams(MAX_STREAMS)
                .serve_connection(io, service);
            // Boxed, so that an HTTP/1.1 connection doesn't take the memory that this one needs.
            let mut connection = Box::pin(connection);
            let connection = connection.as_mut();
            // HTTP/2 can't be used by one that sends nothing: it can take no long answer, for one.
            let client_left = async {
                client.has_closed_sending().await;
                sleep(timeouts.half_closed).await;
            };
            Box::pin(drive(
                connection,
                version,
                client_left,
                &client,
                &shared,
                &timeouts,
                is_surplus,
            ))
            .await
        }
    };
    match ended {
        Ended::ByItself(Ok(())) => {}
        Ended::ByItself(Err(error)) => debug!(%error, "connection ended early"),
        Ended::TimedOut(state) => debug!(?state, "connection timed out"),
        Ended::ClientLeft => debug!("client left before its answer"),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Http1,
    Http2,
}

/// Waits for the client to say something, and looks at it without taking it: HTTP/2 begins with a
/// method that no other request has. None if nothing comes in time.
async fn first_bytes(stream: &TcpStream, life: &Life, timeouts: &Timeouts) -> Option<Version> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";
    // A part of it is as nothing: the next look is when there is more.
    let look = stream.async_io(Interest::READABLE, || {
        let mut first = [0; PREFACE.len()];
        let (n, _) = rustix::net::recv(stream, &mut first, RecvFlags::PEEK)?;
        match &first[..n] {
            [] => Err(io::ErrorKind::UnexpectedEof.into()),
            PREFACE => Ok(Version::Http2),
            part if PREFACE.starts_with(part) => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(Version::Http1),
        }
    });
    let patience = match *life.phase().borrow() {
        Phase::Closing(_) => SENT_AGAIN,
        _ => timeouts.latecomer,
    };
    let closing = async {
        life.closing().await;
        sleep(patience).await;
    };
    let in_time = async {
        tokio::select! {
            biased; // what has come counts, even if it is late
            version = look => version.ok(),
            () = closing => None,
        }
    };
    timeout(timeouts.header, in_time).await.ok().flatten()
}

/// How a connection came to its end.
enum Ended {
    ByItself(hyper::Result<()>),
    TimedOut(State),
    ClientLeft,
}

/// hyper's two kinds of connection.
trait Connection: Future<Output = hyper::Result<()>> {
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

/// Lets hyper do its work, and beside it keeps the time-outs and listens for the stop.
///
/// It is polled for each request, so whatever takes a lock is polled only when it may have news: the
/// phase during a stop, the timer when it has elapsed, the client's leaving while a
/// request is being answered.
async fn drive<C: Connection>(
    mut connection: Pin<&mut C>,
    version: Version,
    client_left: impl Future<Output = ()>,
    client: &Client,
    shared: &Shared,
    timeouts: &Timeouts,
    is_surplus: bool,
) -> Ended {
    enum Event {
        Ended(hyper::Result<()>),
        ClientLeft,
        PhaseChanged,
        Answered,
        TimerElapsed,
    }
    let Timeouts {
        header,
        idle,
        stalled,
        latecomer,
        linger,
        ..
    } = *timeouts;
    let progress = client.progress();
    // An idle time that is shorter than that of headers is kept too, though not to the millisecond.
    let look = header.min(idle).max(MIN_LOOK);
    let mut sleep = pin!(sleep_until((progress.since() + look).into()));
    let mut timer = Timer::new(sleep.as_mut());
    let mut client_left = pin!(client_left);
    let (mut looks, mut turned_at) = (0_u32, Instant::now());
    // In HTTP/2: when the client was told to go; or else when it will be, and whether that is only if
    // it asks for nothing until then: once there are more answers than so many, another time is set.
    let mut shutdown_at = None;
    let mut tell_at = None;
    // A surplus one is told after its first answer, so that its client gets a place when there is one.
    let mut unless_answered = is_surplus.then_some(0);
    let end = is_surplus.then(|| Instant::now() + MAX_SURPLUS_LIFE);
    let mut phase = shared.life.phase();
    if shared.life.is_stopping() {
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
                let awaits =
                    state == State::Busy || (state == State::Stalled && version == Version::Http2);
                if awaits {
                    if client_left.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(Event::ClientLeft);
                    }
                } else if state == State::ReceivingHeaders {
                    timer.set_if_earlier(since + header);
                }
                // While the first change still wakes others up, it may wake the wait for the second: so
                // during a stop each wake-up may be about the phase.
                if !waits_for_phase || shared.life.is_stopping() {
                    waits_for_phase = true;
                    if phase_changed.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(Event::PhaseChanged);
                    }
                }
                if let Some(answers) = unless_answered
                    && progress.poll_ended(answers, cx).is_ready()
                {
                    return Poll::Ready(Event::Answered);
                }
                timer.poll(cx).map(|()| Event::TimerElapsed)
            })
            .await
        };
        let now = Instant::now();
        let tell_to_go = match event {
            Event::Ended(result) => return Ended::ByItself(result),
            Event::ClientLeft => return Ended::ClientLeft,
            Event::PhaseChanged => {
                let phase = *phase.borrow_and_update();
                let closing = matches!(phase, Phase::Closing(_));
                if closing {
                    shared.remaining.add(progress);
                }
                match version {
                    _ if phase == Phase::Serving => false,
                    // HTTP/1.1 can't tell an idle client to go elsewhere: the connection stays open, and
                    // the next answer carries `Connection: close`.
                    Version::Http1 => {
                        // hyper would cut a request that is coming in.
                        if closing && progress.state() != State::ReceivingHeaders {
                            connection.as_mut().graceful_shutdown();
                        }
                        false
                    }
                    Version::Http2 if shutdown_at.is_some() => false,
                    // A client that hasn't asked yet would have to ask anew, and some that are told to go
                    // in the middle of an answer drop it.
                    Version::Http2 => {
                        let (busy, answers) = (progress.is_busy(), progress.ended());
                        if busy || answers == 0 {
                            unless_answered = Some(answers);
                        }
                        if !busy && answers > 0 {
                            tell_at = Some(progress.since() + ANSWER_IS_READ);
                        } else if !busy && closing {
                            tell_at = Some(now + latecomer);
                        }
                        false
                    }
                }
            }
            Event::Answered => {
                unless_answered = None;
                tell_at = Some(now + ANSWER_IS_READ);
                false
            }
            Event::TimerElapsed => {
                let (state, since) = (progress.state(), progress.since());
                if end.is_some_and(|end| now >= end) {
                    return Ended::TimedOut(state);
                }
                if version == Version::Http2 && now >= turned_at + stalled {
                    turned_at = now;
                    if progress.turn() {
                        return Ended::TimedOut(State::Stalled);
                    }
                }
                if (version, state) == (Version::Http1, State::Busy) {
                    looks += 1;
                    // Less and less often, since there is one byte for each.
                    if looks.is_power_of_two() {
                        client.look_behind_unread_input();
                    }
                }
                let tell_at = tell_at.filter(|_| unless_answered.is_none() || !progress.is_busy());
                let deadline = match (state, shutdown_at, tell_at) {
                    (_, None, Some(at)) => at,
                    (State::ReceivingHeaders, ..) => since + header,
                    // A client that doesn't close in its turn holds nothing up.
                    (State::Idle, Some(at), _) => since.max(at) + linger,
                    (State::Idle, None, None) => since + idle,
                    (State::Stalled, ..) => since + stalled,
                    // Looks again then.
                    (State::Busy, Some(_), _) => now + linger,
                    (State::Busy, None, None) => now + look,
                };
                // The client is told, so that no request of its crosses the end.
                let tell_to_go = version == Version::Http2
                    && shutdown_at.is_none()
                    && (state == State::Idle || tell_at.is_some());
                if deadline > now {
                    timer.set(end.map_or(deadline, |end| deadline.min(end)));
                    false
                } else if tell_to_go {
                    true
                } else {
                    return Ended::TimedOut(state);
                }
            }
        };
        if tell_to_go {
            connection.as_mut().graceful_shutdown();
            shutdown_at = Some(now);
            unless_answered = None;
            timer.set(now + linger);
        } else if let (None, Some(at)) = (shutdown_at, tell_at) {
            timer.set_if_earlier(at);
        }
    }
}

/// A timer that is polled often and rarely set: a poll that has nothing new takes no lock.
struct Timer<'a> {
    sleep: Pin<&'a mut Sleep>,
    registered: bool,
}

impl<'a> Timer<'a> {
    fn new(sleep: Pin<&'a mut Sleep>) -> Self {
        Self {
            sleep,
            registered: false,
        }
    }

    fn set(&mut self, at: Instant) {
        self.sleep.as_mut().reset(at.into());
        self.registered = false;
    }

    fn set_if_earlier(&mut self, at: Instant) {
        if self.sleep.deadline() > at.into() {
            self.set(at);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.registered && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.registered = true;
        self.sleep.as_mut().poll(cx)
    }
}

/// The service, with each of its requests noted in the connection's progress from its headers to
/// the last byte of its answer.
struct Tracked<S> {
    service: S,
    progress: Arc<Progress>,
    life: Life,
}

impl<S, B> Service<Request<Incoming>> for Tracked<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Body,
{
    type Response = Response<Held<B>>;
    type Error = Infallible;
    type Future = Answering<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.progress.request_begins();
        let in_flight = InFlight(Arc::clone(&self.progress));
        let version = request.version();
        Answering {
            answer: self.service.call(request),
            in_flight: Some(in_flight),
            life: self.life.clone(),
            version,
        }
    }
}

/// A request that is in flight until this is dropped.
struct InFlight(Arc<Progress>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.request_ends();
    }
}

pin_project_lite::pin_project! {
    struct Answering<F> {
        #[pin]
        answer: F,
        in_flight: Option<InFlight>,
        life: Life,
        version: hyper::Version,
    }
}

impl<F, B> Future for Answering<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
    B: Body,
{
    type Output = Result<Response<Held<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Poll::Ready(Ok(mut response)) = this.answer.poll(cx) else {
            if let Some(InFlight(progress)) = this.in_flight {
                progress.answer_awaited();
            }
            return Poll::Pending;
        };
        let http2 = *this.version == hyper::Version::HTTP_2;
        // HTTP/2 has a frame for what `Connection: close` says, and no such header.
        if !http2 && this.life.is_stopping() {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
            // To an answer of 1.1 that goes to a client of 1.0, hyper adds `keep-alive` beside the
            // `close`, and closes all the same.
            if *this.version == hyper::Version::HTTP_10 {
                *response.version_mut() = hyper::Version::HTTP_10;
            }
        }
        let in_flight = this.in_flight.take();
        if let Some(InFlight(progress)) = &in_flight {
            progress.answer_begins();
        }
        Poll::Ready(Ok(response.map(|body| {
            let mut held = Held {
                body,
                waiting: None,
                http2,
                in_flight,
            };
            if !held.body.is_end_stream() {
                held.waiting = WaitingForClient::new(held.http2, held.in_flight.as_ref());
            }
            held
        })))
    }
}

pin_project_lite::pin_project! {
    /// A body that keeps its request in flight.
    struct Held<B> {
        #[pin]
        body: B,
        // Before the request ends.
        waiting: Option<WaitingForClient>,
        http2: bool,
        in_flight: Option<InFlight>,
    }
}

/// From the moment at which a part of an answer could be taken until the next one is asked for.
struct WaitingForClient {
    progress: Arc<Progress>,
    turn: u8,
}

impl WaitingForClient {
    /// None in HTTP/1.1, where the socket knows whether the client takes what is written.
    fn new(http2: bool, in_flight: Option<&InFlight>) -> Option<Self> {
        let InFlight(progress) = in_flight.filter(|_| http2)?;
        Some(Self {
            progress: Arc::clone(progress),
            turn: progress.answer_held_back(),
        })
    }
}

impl Drop for WaitingForClient {
    fn drop(&mut self) {
        self.progress.answer_let_go(self.turn);
    }
}

impl<B: Body> Body for Held<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        *this.waiting = None;
        let frame = ready!(this.body.poll_frame(cx));
        if frame.is_some() {
            *this.waiting = WaitingForClient::new(*this.http2, this.in_flight.as_ref());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
