//! One connection, from its first byte to its end: HTTP/1.1 or HTTP/2 in clear text, whichever the
//! client speaks, the timeouts, and an end in good order while the service stops. What hyper does
//! is left to hyper.
//!
//! A connection is cut only when nothing is lost by it: a request that has begun to come in may
//! finish, an answer is written to its end and read by the client before the socket goes.

use std::{
    convert::Infallible,
    error::Error,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, OnceLock},
};

use hyper::{
    Request, Response,
    body::{Body, Incoming},
    server::conn::{http1, http2},
    service::Service,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, task::AbortHandle, time::sleep};
use tracing::debug;

use super::{
    census::Place,
    drive::{Driver, Ended},
    peer::Peer,
    progress::Progress,
    shared::Shared,
    socket::Socket,
    tracked::Tracked,
    version::{Version, first_bytes},
};

/// The most that a request's line and headers may take; more is 431.
const MAX_HEADERS_SIZE: usize = 16 << 10;

/// HTTP/2 requests at once on one connection. Each of them may hold as much as a connection of HTTP/1
/// that is busy, so each takes a place.
const MAX_STREAMS: u32 = 16;

/// How a connection was let in.
pub(super) struct Admission {
    /// `None` if it is surplus.
    pub(super) place: Option<Place>,
    /// Ends it. It is set as soon as the connection's task has been started.
    pub(super) handle: Arc<OnceLock<AbortHandle>>,
}

/// Serves a connection to its end.
pub(super) async fn serve<S, B>(
    stream: TcpStream,
    address: SocketAddr,
    service_for: impl FnOnce(Peer) -> S,
    shared: Arc<Shared>,
    Admission { mut place, handle }: Admission,
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
    let progress = Arc::new(Progress::new(shared.epoch, version == Version::Http2));
    let socket = Socket::new(stream, Arc::clone(&progress), timeouts.linger);
    let client = socket.client();
    let service = Tracked {
        service: service_for(Peer::new(address, socket.to_reset(), is_surplus)),
        progress,
        life: shared.life.clone(),
    };
    let driver = Driver::new(version, &client, &shared, is_surplus);
    let io = TokioIo::new(socket);
    // hyper gets no timer: timeouts are kept here, for a connection and not for each request.
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
            driver.run(pin!(connection), client.has_left()).await
        }
        Version::Http2 => {
            let connection = http2::Builder::new(TokioExecutor::new())
                .max_header_list_size(MAX_HEADERS_SIZE as u32)
                .max_concurrent_streams(MAX_STREAMS)
                .serve_connection(io, service);
            // HTTP/2 can't be used by one that sends nothing: it can take no long answer, for one.
            let client_left = async {
                client.has_closed_sending().await;
                sleep(timeouts.half_closed).await;
            };
            // Boxed, so that an HTTP/1.1 connection doesn't take the memory that this one needs.
            let mut connection = Box::pin(connection);
            Box::pin(driver.run(connection.as_mut(), client_left)).await
        }
    };
    match ended {
        Ended::ByItself(Ok(())) => {}
        Ended::ByItself(Err(error)) => debug!(%error, "connection ended early"),
        Ended::TimedOut(state) => debug!(?state, "connection timed out"),
        Ended::ClientLeft => debug!("client left before its answer"),
    }
}
