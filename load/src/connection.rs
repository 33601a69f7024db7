//! Sends one request after the other, over fresh connections or a kept one. Nothing is retried.

use std::time::{Duration, Instant};

use chassis::text::shown;
use http_body_util::{BodyExt, Empty};
use hyper::{
    HeaderMap, Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1::{self, SendRequest},
    header::{CONNECTION, HOST, HeaderValue},
    http::response::Parts,
};
use hyper_util::rt::TokioIo;
use tokio::{io::AsyncReadExt, net::TcpStream, task::JoinHandle, time::timeout};

use crate::{
    failure::{self, Failure},
    socket::Socket,
    target::Target,
};

/// The pod that answered with success, as the headers of its response say.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Responder {
    /// Its header `pod`.
    pub pod: String,
    /// Its header `version`.
    pub version: String,
}

impl From<&'static str> for Responder {
    fn from(pod: &'static str) -> Self {
        Self {
            pod: pod.to_owned(),
            version: String::new(),
        }
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Exchange {
    /// Its status and headers.
    pub head: Parts,
    /// The first part of the body to arrive, which is all of a short one.
    pub body: Bytes,
}

/// The connection of one of the load's tasks.
#[derive(Debug)]
pub struct Connection {
    reuse: Reuse,
    kept: Option<Open>,
    /// hyper's task for the last connection, which ends when the connection is closed.
    served: Option<JoinHandle<()>>,
}

/// For how long a connection is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
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

/// From 0 to 1.
fn random_fraction() -> f64 {
    chassis::base::random() as f64 / u64::MAX as f64
}

/// A connection that was just made, or that waits for its next request.
#[derive(Debug)]
struct Open {
    sender: SendRequest<Empty<Bytes>>,
    socket: Socket,
    renew_at: Option<Instant>,
}

impl Connection {
    /// One that isn't open yet.
    pub fn new(reuse: Reuse) -> Self {
        Self {
            reuse,
            kept: None,
            served: None,
        }
    }

    /// Sends one request. An answer that isn't a success is a failure.
    pub async fn request(&mut self, target: &Target) -> Result<Responder, Failure> {
        let Exchange { head, .. } = self.exchange(target).await?;
        if !head.status.is_success() {
            let status = format!("status {}", head.status.as_u16());
            return Err(Failure::OfService(status.into()));
        }
        Ok(Responder {
            pod: text(&head.headers, "pod"),
            version: text(&head.headers, "version"),
        })
    }

    /// Sends one request and reads the whole answer, whatever its status. A kept connection that the
    /// service has closed since, or that is old enough, is replaced by a new one before anything is
    /// sent over it.
    pub async fn exchange(&mut self, target: &Target) -> Result<Exchange, Failure> {
        let (open, response) = self.send(target).await?;
        let (head, mut body) = response.into_parts();
        let mut beginning = Bytes::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| failure::of_connection(&error))?;
            if let Ok(data) = frame.into_data()
                && beginning.is_empty()
            {
                beginning = data;
            }
        }
        if self.reuse == Reuse::Never {
            tokio::spawn(open.let_the_service_close(self.served.take()));
        } else {
            self.kept = Some(open);
        }
        Ok(Exchange {
            head,
            body: beginning,
        })
    }

    async fn send(&mut self, target: &Target) -> Result<(Open, Response<Incoming>), Failure> {
        let mut request =
            Request::get(target.path.clone()).header(HOST, target.host_header.clone());
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
                    None => return Err(failure::of_connection(&error.into_error())),
                },
            }
        }
        self.close().await;
        let mut new = self.connect(target).await?;
        let response = new.sender.send_request(request).await;
        Ok((
            new,
            response.map_err(|error| failure::of_connection(&error))?,
        ))
    }

    async fn connect(&mut self, target: &Target) -> Result<Open, Failure> {
        let stream = TcpStream::connect(target.address())
            .await
            .map_err(|error| failure::of_system(&error))?;
        // Requests are small and each is awaited, so nothing is gained by holding one back.
        drop(stream.set_nodelay(true));
        let socket = Socket::new(stream);
        let (sender, connection) = http1::handshake(TokioIo::new(socket.clone()))
            .await
            .map_err(|error| failure::of_connection(&error))?;
        // The request on it learns how it ended.
        let fresh = self.reuse == Reuse::Never;
        self.served = Some(tokio::spawn(async move {
            if fresh {
                drop(connection.without_shutdown().await);
            } else {
                // Shuts the socket down as soon as the service closes.
                drop(connection.await);
            }
        }));
        Ok(Open {
            sender,
            socket,
            renew_at: self.reuse.renew_at(),
        })
    }

    /// Closes what is left of the last connection, so that there are never two, nor two descriptors.
    async fn close(&mut self) {
        if let Some(served) = &mut self.served {
            served.abort();
            drop(served.await);
            self.served = None;
        }
    }
}

/// A service that was asked to close the connection does so with its answer.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

impl Open {
    fn is_due_for_renewal(&self) -> bool {
        self.renew_at.is_some_and(|at| Instant::now() >= at)
    }

    /// Whether the service hasn't closed it. hyper knows of what its task has read so far; that the
    /// service has closed it since is seen by peeking into the socket.
    async fn is_still_open(&mut self) -> bool {
        self.sender.ready().await.is_ok() && self.socket.is_silent()
    }

    /// The side that closes first keeps the port in use for a minute (TIME_WAIT), and a client has
    /// some 28,000 ports: at 1,000 new connections a second they would last for half a minute.
    async fn let_the_service_close(self, served: Option<JoinHandle<()>>) {
        let Self {
            sender, mut socket, ..
        } = self;
        drop(sender);
        if let Some(served) = served {
            drop(served.await);
        }
        let closed = async { while socket.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {} };
        drop(timeout(CLOSE_TIMEOUT, closed).await);
    }
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map(shown).unwrap_or_default()
}
