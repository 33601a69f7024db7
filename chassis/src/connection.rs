//! One connection: HTTP/1.1 or HTTP/2 in clear text, the time-outs on headers and on idleness,
//! and its end in good order while the service stops. What hyper and axum do is left to them.
//!
//! A connection is cut only when nothing is lost by it: a request that has begun to come in may
//! finish, an answer is written to its end and read by the client before the socket goes.

use std::{
    convert::Infallible,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use axum::{Router, body::Body, routing::future::RouteFuture};
use hyper::{
    Request, Response, Version,
    body::Incoming,
    header::{CONNECTION, HeaderName, HeaderValue},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::watch,
    time::{Sleep, sleep, sleep_until},
};
use tower::Service as _;
use tracing::debug;

use crate::{
    Chassis,
    life::{Life, Phase},
};

/// From a request's first byte, or the connection's start, to the end of its headers.
const HEADERS: Duration = Duration::from_secs(10);

/// Between two requests. Longer than the 90 s after which common clients' pools (Go's, reqwest's)
/// give an idle connection up, so that it is the client that closes, and no request crosses it.
const IDLE: Duration = Duration::from_secs(120);

/// A connection that comes out of the backlog while the listener closes has this long to say
/// what it wants; a client that connects to ask does so within a round trip.
const LATECOMER: Duration = Duration::from_millis(50);

/// After an answer, how long to wait for the client to have read it and closed in its turn. A
/// socket that is closed with unread input resets, and a pod's network goes with its last
/// process: both would take from the client what it has not read yet.
const LINGER: Duration = Duration::from_secs(1);

/// The most that a request's line and headers may take; more is 431.
const HEADERS_SIZE: usize = 16 << 10;

/// HTTP/2 requests at once on one connection.
const STREAMS: u32 = 256;

/// All connections of one service.
#[derive(Clone)]
pub(crate) struct Connections {
    shared: Arc<Shared>,
    /// Each connection holds a clone: that is how their end is seen.
    phase: watch::Receiver<Phase>,
    open: Arc<watch::Sender<()>>,
}

struct Shared {
    router: Router,
    builder: auto::Builder<TokioExecutor>,
    life: Life,
    /// Times are kept as milliseconds since then, so that they fit an atomic.
    epoch: Instant,
    /// Say in every answer who gives it.
    pod: HeaderValue,
    version: HeaderValue,
}

const POD: HeaderName = HeaderName::from_static("pod");
const VERSION: HeaderName = HeaderName::from_static("version");

impl Connections {
    pub(crate) fn new(chassis: &Chassis, router: Router) -> Self {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        // Time-outs are kept here, per connection and not per request, so hyper gets no timer.
        builder.http1().max_buf_size(HEADERS_SIZE);
        builder
            .http2()
            .max_header_list_size(HEADERS_SIZE as u32)
            .max_concurrent_streams(STREAMS);
        let identity = &chassis.identity;
        Self {
            shared: Arc::new(Shared {
                router,
                builder,
                life: chassis.life.clone(),
                epoch: Instant::now(),
                // A host may be named in ways that a header can't carry.
                pod: HeaderValue::from_str(&identity.pod)
                    .unwrap_or(HeaderValue::from_static("unknown")),
                version: HeaderValue::from_static(identity.service.version),
            }),
            phase: chassis.life.phase(),
            open: Arc::new(watch::Sender::new(())),
        }
    }

    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.clone()
    }

    /// Serves a connection, in a task of its own.
    pub(crate) fn serve(&self, stream: TcpStream) {
        // Answers are written whole, so there is nothing to gather.
        let _ = stream.set_nodelay(true);
        let here = self.open.subscribe();
        let (shared, phase) = (Arc::clone(&self.shared), self.phase.clone());
        tokio::spawn(async move {
            shared.serve(stream, phase).await;
            drop(here);
        });
    }

    /// Waits until the last connection has ended.
    pub(crate) async fn gone(&self) {
        self.open.closed().await;
    }

    pub(crate) fn open(&self) -> usize {
        self.open.receiver_count()
    }
}

impl Shared {
    async fn serve(self: Arc<Self>, stream: TcpStream, mut phase: watch::Receiver<Phase>) {
        let progress = Arc::new(Progress::new(&self));
        let io = TokioIo::new(Watched {
            stream,
            progress: Arc::clone(&progress),
            linger: None,
        });
        let handler = Handler {
            shared: Arc::clone(&self),
            progress: Arc::clone(&progress),
        };
        let mut serving = pin!(self.builder.serve_connection(io, handler));
        let mut timer = pin!(sleep(HEADERS));
        let mut closing = false;
        loop {
            tokio::select! {
                biased; // first what has come in, so that `progress` is up to date
                result = serving.as_mut() => {
                    if let Err(error) = result {
                        debug!(error, "connection ended early");
                    }
                    return;
                }
                () = timer.as_mut() => {
                    let (state, since) = progress.state();
                    let deadline = match state {
                        State::Fresh if closing => since + LATECOMER,
                        State::Fresh | State::Headers => since + HEADERS,
                        State::Idle => since + IDLE,
                        State::Busy => Instant::now() + HEADERS, // look again then
                    };
                    if deadline <= Instant::now() {
                        debug!(?state, "connection timed out");
                        return;
                    }
                    timer.as_mut().reset(deadline.into());
                },
                Ok(()) = phase.changed() => match *phase.borrow_and_update() {
                    Phase::Serving => {}
                    // HTTP/2 tells the client to go elsewhere, without a race. HTTP/1.1 can't: its
                    // idle connections stay open, and the next answer carries `Connection: close`.
                    Phase::Draining(_) if progress.is_http2() => serving.as_mut().graceful_shutdown(),
                    Phase::Draining(_) => {}
                    Phase::Closing(_) => {
                        closing = true;
                        match progress.state().0 {
                            State::Fresh => timer.as_mut().reset((Instant::now() + LATECOMER).into()),
                            // Its answer will carry `Connection: close`; hyper would cut it here.
                            State::Headers => {}
                            State::Idle | State::Busy => serving.as_mut().graceful_shutdown(),
                        }
                    }
                },
            }
        }
    }
}

/// How far a connection has come, as seen from its socket and its requests. Shared by the two
/// through atomics, since HTTP/2 answers from several tasks.
struct Progress {
    shared: Arc<Shared>,
    in_flight: AtomicU32,
    http2: AtomicBool,
    /// The state while nothing is in flight, and since when: milliseconds after the epoch, and
    /// the state in the two lowest bits.
    since: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing has come in yet.
    Fresh,
    /// Part of a request has.
    Headers,
    /// Between two requests.
    Idle,
    /// A request is being answered.
    Busy,
}

impl Progress {
    fn new(shared: &Arc<Shared>) -> Self {
        let progress = Self {
            shared: Arc::clone(shared),
            in_flight: AtomicU32::new(0),
            http2: AtomicBool::new(false),
            since: AtomicU64::new(0),
        };
        progress.enter(State::Fresh);
        progress
    }

    fn enter(&self, state: State) {
        let millis = self.shared.epoch.elapsed().as_millis() as u64;
        self.since
            .store(millis << 2 | state as u64, Ordering::Relaxed);
    }

    /// The state, and since when it is so; while busy, since when it was not.
    fn state(&self) -> (State, Instant) {
        let since = self.since.load(Ordering::Relaxed);
        let state = match since & 3 {
            _ if self.in_flight.load(Ordering::Relaxed) > 0 => State::Busy,
            0 => State::Fresh,
            1 => State::Headers,
            _ => State::Idle,
        };
        (state, self.shared.epoch + Duration::from_millis(since >> 2))
    }

    fn is_http2(&self) -> bool {
        self.http2.load(Ordering::Relaxed)
    }

    /// Bytes have come in. In HTTP/2 they may be frames that belong to no request.
    fn received(&self) {
        match self.state().0 {
            State::Fresh => self.enter(State::Headers),
            State::Idle if !self.is_http2() => self.enter(State::Headers),
            State::Idle | State::Headers | State::Busy => {}
        }
    }
}

/// Hands a connection's requests to the router.
struct Handler {
    shared: Arc<Shared>,
    progress: Arc<Progress>,
}

impl hyper::service::Service<Request<Incoming>> for Handler {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let http2 = request.version() == Version::HTTP_2;
        if http2 {
            self.progress.http2.store(true, Ordering::Relaxed);
        }
        self.progress.in_flight.fetch_add(1, Ordering::Relaxed);
        Answering {
            inner: self.shared.router.clone().call(request),
            http2,
            in_flight: InFlight(Arc::clone(&self.progress)),
        }
    }
}

pin_project_lite::pin_project! {
    struct Answering {
        #[pin]
        inner: RouteFuture<Infallible>,
        http2: bool,
        in_flight: InFlight,
    }
}

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(mut response) = ready!(this.inner.poll(cx));
        let shared = &this.in_flight.0.shared;
        let headers = response.headers_mut();
        headers.insert(POD, shared.pod.clone());
        headers.insert(VERSION, shared.version.clone());
        if !*this.http2 && shared.life.is_stopping() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(response))
    }
}

/// Holds a connection busy until dropped: answered, or the client gone.
struct InFlight(Arc<Progress>);

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.enter(State::Idle);
        }
    }
}

/// The socket, which tells `progress` what comes in, and ends in two steps: it tells the client
/// that there is no more, and then waits for the client to close too.
struct Watched {
    stream: TcpStream,
    progress: Arc<Progress>,
    linger: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.progress.received();
        }
        result
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self {
            stream,
            progress,
            linger,
        } = &mut *self;
        let linger = match linger {
            Some(linger) => linger,
            None => {
                ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
                // Counted from the last answer: one of long ago has been read.
                let (_, since) = progress.state();
                linger.insert(Box::pin(sleep_until((since + LINGER).into())))
            }
        };
        let mut scrap = [0; 512];
        while linger.as_mut().poll(cx).is_pending() {
            let mut scrap = ReadBuf::new(&mut scrap);
            match Pin::new(&mut *stream).poll_read(cx, &mut scrap) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !scrap.filled().is_empty() => {}
                Poll::Ready(_) => break, // the client has closed, in one way or the other
            }
        }
        Poll::Ready(Ok(()))
    }
}
