//! One request after the other, over fresh connections or a kept one, and how each can fail.

use std::{borrow::Cow, error::Error, io};

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderValue, Request,
        header::{CONNECTION, HOST},
    },
};
use http_body_util::BodyExt;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::target::Target;

/// Who answered with success: the pod and its version, as the response's headers say.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Answered {
    pub(super) pod: String,
    pub(super) version: String,
}

/// How a request failed: `refused`, `reset`, `closed early`, `timed out`, `status 503`, …
pub(super) type Failure = Cow<'static, str>;

/// The connection of one of the load's tasks.
#[derive(Debug)]
pub(super) struct Connection {
    fresh: bool,
    kept: Option<SendRequest<Body>>,
}

impl Connection {
    pub(super) fn new(fresh: bool) -> Self {
        Self { fresh, kept: None }
    }

    /// Asks once. A kept connection that the service has closed since is replaced by a new one
    /// before anything is sent over it; from then on nothing is tried twice.
    pub(super) async fn ask(&mut self, target: &Target) -> Result<Answered, Failure> {
        let mut sender = match self.still_open().await {
            Some(kept) => kept,
            None => connect(target).await?,
        };
        let mut request = Request::get(target.path.clone()).header(HOST, target.authority.clone());
        if self.fresh {
            // So it is the service that closes, and its side that keeps the port for a while:
            // here there are only so many.
            request = request.header(CONNECTION, HeaderValue::from_static("close"));
        }
        let request = request.body(Body::empty()).expect("its parts are valid");
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| broken(&error))?;
        let (head, mut body) = response.into_parts();
        while let Some(frame) = body.frame().await {
            frame.map_err(|error| broken(&error))?;
        }
        if !self.fresh {
            self.kept = Some(sender);
        }
        if !head.status.is_success() {
            return Err(format!("status {}", head.status.as_u16()).into());
        }
        Ok(Answered {
            pod: text(&head.headers, "pod"),
            version: text(&head.headers, "version"),
        })
    }

    async fn still_open(&mut self) -> Option<SendRequest<Body>> {
        let mut kept = self.kept.take()?;
        kept.ready().await.ok().map(|()| kept)
    }
}

async fn connect(target: &Target) -> Result<SendRequest<Body>, Failure> {
    let stream = TcpStream::connect(target.address())
        .await
        .map_err(|error| kind(&error))?;
    // Small requests, each awaited: there is nothing to be gained by holding one back.
    drop(stream.set_nodelay(true));
    let (sender, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(&error))?;
    // It ends with the connection; how, the request on it is told.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
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
