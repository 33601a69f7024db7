//! One request after the other, over fresh connections or a kept one, and how each can fail.
//! Nothing is tried twice.

use std::{borrow::Cow, error::Error, io, time::Duration};

use axum::{
    body::Bytes,
    http::{
        HeaderMap, HeaderValue, Request, Response,
        header::{CONNECTION, HOST},
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

/// Who answered with success: the pod and its version, as the response's headers say.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Answered {
    pub(super) pod: String,
    pub(super) version: String,
}

/// How a request failed, in a few words:
///
/// | failure | what happened |
/// | --- | --- |
/// | `refused` | nobody listens at that address |
/// | `unreachable` | there is no way to that address |
/// | `not resolved` | the name stands for no address at the moment |
/// | `reset` | the connection was torn down, at whatever moment |
/// | `closed early` | it was closed before a whole answer had come |
/// | `timed out` | no connection, or no whole answer, within the time-out |
/// | `not sent` | every connection was busy all that time |
/// | `malformed` | what came was not HTTP |
/// | `status 503` | a whole answer, and not a success |
///
/// Anything else is what the system said, such as being out of ports.
pub(super) type Failure = Cow<'static, str>;

/// The connection of one of the load's tasks.
#[derive(Debug)]
pub(super) struct Connection {
    fresh: bool,
    kept: Option<Open>,
}

/// A connection that was just made, or that waits for its next request.
#[derive(Debug)]
struct Open {
    sender: SendRequest<Empty<Bytes>>,
    /// A second handle on a kept one's socket, to look at it past hyper.
    socket: Option<Socket>,
    /// Ends with the connection; gives a fresh one's socket back, still open.
    served: JoinHandle<Option<TcpStream>>,
}

impl Connection {
    pub(super) fn new(fresh: bool) -> Self {
        Self { fresh, kept: None }
    }

    /// Asks once. A kept connection that the service has closed since is replaced by a new one
    /// before anything is sent over it.
    pub(super) async fn ask(&mut self, target: &Target) -> Result<Answered, Failure> {
        let (open, response) = self.send(target).await?;
        let (head, mut body) = response.into_parts();
        while let Some(frame) = body.frame().await {
            frame.map_err(|error| broken(&error))?;
        }
        if self.fresh {
            tokio::spawn(open.let_the_service_close());
        } else {
            self.kept = Some(open);
        }
        if !head.status.is_success() {
            return Err(format!("status {}", head.status.as_u16()).into());
        }
        Ok(Answered {
            pod: text(&head.headers, "pod"),
            version: text(&head.headers, "version"),
        })
    }

    async fn send(&mut self, target: &Target) -> Result<(Open, Response<Incoming>), Failure> {
        let mut request = Request::get(target.path.clone()).header(HOST, target.authority.clone());
        if self.fresh {
            request = request.header(CONNECTION, HeaderValue::from_static("close"));
        }
        let mut request = request.body(Empty::new()).expect("its parts are valid");
        if let Some(mut kept) = self.kept.take()
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
        let mut new = Open::connect(target, self.fresh).await?;
        let response = new.sender.send_request(request).await;
        Ok((new, response.map_err(|error| broken(&error))?))
    }
}

/// A service that was asked to close the connection does so with its answer.
const CLOSES_WITHIN: Duration = Duration::from_secs(1);

impl Open {
    async fn connect(target: &Target, fresh: bool) -> Result<Self, Failure> {
        let address = target.address().ok_or("not resolved")?;
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| kind(&error))?;
        // Small requests, each awaited: there is nothing to be gained by holding one back.
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
        // How it ends, the request on it is told.
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
        })
    }

    /// Whether the service hasn't closed it. hyper knows what its task has come to read; a
    /// closing that the kernel has heard of since is seen by looking into the socket.
    async fn is_still_open(&mut self) -> bool {
        let open = |socket: &Socket| {
            let nothing = socket.peek(&mut [std::mem::MaybeUninit::uninit()]);
            nothing.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        };
        self.sender.ready().await.is_ok() && self.socket.as_ref().is_some_and(open)
    }

    /// Whose side closes first keeps the port in use for a minute, and of those there are only
    /// some 28,000 here: at 1,000 new connections a second they would last for half a minute.
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
        drop(timeout(CLOSES_WITHIN, closed).await);
    }
}

fn text(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

/// How a connection broke.
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
