//! Sends one request after the other, over fresh connections or a kept one, and tells the ways apart
//! in which each can fail. Nothing is retried.

use std::{
    borrow::Cow,
    error::Error,
    hash::{BuildHasher, RandomState},
    io,
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    http::{
        HeaderMap, HeaderValue, Request, Response,
        header::{CONNECTION, HOST},
        response::Parts,
    },
};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use socket2::Socket;
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};

use super::target::Target;

/// What answered with success: the pod and its version, as the response's headers say.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Answered {
    pub(super) pod: String,
    pub(super) version: String,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) head: Parts,
    /// The first of what came of the body; of a short answer that is all.
    pub(crate) body: Bytes,
}

/// How a request failed, in a few words:
///
/// | failure | what happened |
/// | --- | --- |
/// | `refused` | nothing listens at that address |
/// | `unreachable` | there is no route to that address |
/// | `reset` | the connection was reset, at whatever moment |
/// | `closed early` | it was closed before a whole answer had come |
/// | `timed out` | no connection, or no whole answer, within the time-out |
/// | `not sent` | every connection was busy all that time |
/// | `malformed` | the answer was not HTTP |
/// | `status 503` | a whole answer, and not a success |
///
/// Anything else is the system's own message, such as that there are no ports left.
pub(crate) type Failure = Cow<'static, str>;

/// The connection of one of the load's tasks.
#[derive(Debug)]
pub(crate) struct Connection {
    reuse: Reuse,
    kept: Option<Open>,
}

/// For how long a connection is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// For one request, with which the service is asked to close it.
    Never,
    /// Until the service closes it.
    Unlimited,
    /// Until it is this old, or somewhat younger.
    For(Duration),
}

impl Reuse {
    /// When a connection that is opened now is renewed. Connections are opened together at the
    /// start; renewed together, they would come as a burst each time.
    fn renew_at(self) -> Option<Instant> {
        const LEAST_SHARE: f64 = 0.8;
        let Self::For(life) = self else { return None };
        let share = LEAST_SHARE + (1.0 - LEAST_SHARE) * random_fraction();
        Some(Instant::now() + life.mul_f64(share))
    }
}

/// From 0 to 1. The standard library seeds its hash maps at random.
fn random_fraction() -> f64 {
    RandomState::new().hash_one(()) as f64 / u64::MAX as f64
}

/// A connection that was just made, or that waits for its next request.
#[derive(Debug)]
struct Open {
    sender: SendRequest<Empty<Bytes>>,
    /// A second handle on a kept one's socket, to look at it past hyper.
    socket: Option<Socket>,
    /// Ends with the connection; gives a fresh one's socket back, still open.
    served: JoinHandle<Option<TcpStream>>,
    renew_at: Option<Instant>,
}

impl Connection {
    pub(crate) fn new(reuse: Reuse) -> Self {
        Self { reuse, kept: None }
    }

    /// Sends one request; an answer that isn't a success is a failure.
    pub(super) async fn request(&mut self, target: &Target) -> Result<Answered, Failure> {
        let Exchange { head, .. } = self.exchange(target).await?;
        if !head.status.is_success() {
            return Err(format!("status {}", head.status.as_u16()).into());
        }
        Ok(Answered {
            pod: text(&head.headers, "pod"),
            version: text(&head.headers, "version"),
        })
    }

    /// Sends one request and reads the whole answer, whatever its status. A kept connection that the
    /// service has closed since, or that is old enough, is replaced by a new one before anything is
    /// sent over it.
    pub(crate) async fn exchange(&mut self, target: &Target) -> Result<Exchange, Failure> {
        let (open, response) = self.send(target).await?;
        let (head, mut body) = response.into_parts();
        let mut beginning = Bytes::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| broken(&error))?;
            if let Ok(data) = frame.into_data()
                && beginning.is_empty()
            {
                beginning = data;
            }
        }
        if self.reuse == Reuse::Never {
            tokio::spawn(open.let_the_service_close());
        } else {
            self.kept = Some(open);
        }
        Ok(Exchange {
            head,
            body: beginning,
        })
    }

    async fn send(&mut self, target: &Target) -> Result<(Open, Response<Incoming>), Failure> {
        let mut request = Request::get(target.path.clone()).header(HOST, target.authority.clone());
        if self.reuse == Reuse::Never {
            request = request.header(CONNECTION, HeaderValue::from_static("close"));
        }
        let mut request = request.body(Empty::new()).expect("its parts are valid");
        if let Some(mut kept) = self.kept.take()
            && !kept.is_due_for_renewal()
            && kept.is_still_open().await
        {
            match kept.sender.try_send_request(request).await {
                Ok(response) => return Ok((kept, response)),
                Err(mut error) => match error.take_message() {
                    // It was closed in this very moment: not a byte has been sent.
                    Some(unsent) => request = unsent,
                    None => return Err(broken(&error.into_error())),
                },
            }
        }
        let mut new = Open::connect(target, self.reuse).await?;
        let response = new.sender.send_request(request).await;
        Ok((new, response.map_err(|error| broken(&error))?))
    }
}

/// A service that was asked to close the connection does so with its answer.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

impl Open {
    async fn connect(target: &Target, reuse: Reuse) -> Result<Self, Failure> {
        let fresh = reuse == Reuse::Never;
        let stream = TcpStream::connect(target.address())
            .await
            .map_err(|error| kind(&error))?;
        // Requests are small and each is awaited, so nothing is gained by holding one back.
        drop(stream.set_nodelay(true));
        let socket = if fresh {
            None
        } else {
            let socket = socket2::SockRef::from(&stream).try_clone();
            Some(socket.map_err(|error| kind(&error))?)
        };
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(&error))?;
        // The request on it learns how it ended.
        let served = tokio::spawn(async move {
            if fresh {
                let parts = connection.without_shutdown().await.ok()?;
                return Some(parts.io.into_inner());
            }
            // Shuts the socket down for the second handle too, as soon as the service closes.
            drop(connection.await);
            None
        });
        Ok(Self {
            sender,
            socket,
            served,
            renew_at: reuse.renew_at(),
        })
    }

    fn is_due_for_renewal(&self) -> bool {
        self.renew_at.is_some_and(|at| Instant::now() >= at)
    }

    /// Whether the service hasn't closed it. hyper knows of what its task has read so far; that the
    /// service has closed it since is seen by peeking into the socket.
    async fn is_still_open(&mut self) -> bool {
        let open = |socket: &Socket| {
            let peeked = socket.peek(&mut [std::mem::MaybeUninit::uninit()]);
            peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        };
        self.sender.ready().await.is_ok() && self.socket.as_ref().is_some_and(open)
    }

    /// The side that closes first keeps the port in use for a minute (TIME_WAIT), and a client has
    /// some 28,000 ports: at 1,000 new connections a second they would last for half a minute.
    async fn let_the_service_close(self) {
        let Self { sender, served, .. } = self;
        drop(sender);
        let Ok(Some(stream)) = served.await else {
            return;
        };
        let closed = async {
            while stream.readable().await.is_ok() {
                match stream.try_read(&mut [0; 64]) {
                    Ok(0) => return,
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return,
                }
            }
        };
        drop(timeout(CLOSE_TIMEOUT, closed).await);
    }
}

fn text(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

/// What a failed connection is counted as.
fn broken(error: &hyper::Error) -> Failure {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return kind(error);
        }
        source = cause.source();
    }
    if error.is_parse() {
        "malformed".into()
    } else {
        // Before an answer, in the middle of one, or while the request was on its way.
        "closed early".into()
    }
}

fn kind(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "refused".into(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "reset".into(),
        io::ErrorKind::UnexpectedEof => "closed early".into(),
        io::ErrorKind::TimedOut => "timed out".into(),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "unreachable".into(),
        _ => error.to_string().into(),
    }
}
