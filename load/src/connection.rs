//! Sends one request after the other, over fresh connections or a kept one. Nothing is retried.

use std::{
    future::pending,
    io,
    mem::MaybeUninit,
    time::{Duration, Instant},
};

use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::{timeout, timeout_at},
};

use crate::{
    answer::{Exchange, Input, Responder},
    failure::{self, Failure},
    target::Target,
};

/// The connection of one of the load's tasks.
#[derive(Debug)]
pub struct Connection {
    reuse: Reuse,
    kept: Option<Open>,
    closing: Option<Closing>,
    input: Input,
    peer: Peer,
}

/// Who answers over a connection.
#[derive(Debug)]
enum Peer {
    /// Nobody has yet, as far as answers say.
    Unknown,
    /// This one alone.
    One(Responder),
    /// A proxy that shares the requests of a connection out.
    Several,
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
    stream: TcpStream,
    renew_at: Option<Instant>,
}

impl Connection {
    /// One that isn't open yet.
    pub fn new(reuse: Reuse) -> Self {
        Self {
            reuse,
            kept: None,
            closing: None,
            input: Input::default(),
            peer: Peer::Unknown,
        }
    }

    /// Sends one request. An answer that isn't a success is a failure.
    pub async fn request(&mut self, target: &Target) -> Result<Responder, Failure> {
        let exchange = self.exchange(target).await?;
        if exchange.is_success() {
            Ok(exchange.responder)
        } else {
            Err(Failure::OfService(
                format!("status {}", exchange.status).into(),
            ))
        }
    }

    /// Sends one request and reads the whole answer, whatever its status. A kept connection that the
    /// service has closed since, or that is old enough, is replaced by a new one before anything is
    /// sent over it.
    pub async fn exchange(&mut self, target: &Target) -> Result<Exchange, Failure> {
        let mut open = self.send(target).await?;
        let (exchange, is_kept) = self.input.answer(&mut open.stream).await?;
        if self.reuse == Reuse::Never {
            self.closing = Some(Closing::new(open.stream));
        } else if is_kept {
            self.kept = Some(open);
            self.note_peer(&exchange.responder);
        }
        Ok(exchange)
    }

    async fn send(&mut self, target: &Target) -> Result<Open, Failure> {
        let request = target.request(self.reuse == Reuse::Never);
        self.input.clear();
        if let Some(mut kept) = self.kept.take()
            && !kept.is_due_for_renewal()
            && kept.is_silent()
            // Else it was closed in this very moment: not a byte has been sent.
            && let Ok(sent) = kept.stream.write(request).await
        {
            kept.send(&request[sent..]).await?;
            return Ok(kept);
        }
        if let Some(closing) = &mut self.closing {
            closing.over().await;
            self.closing = None;
        }
        self.peer = Peer::Unknown;
        let stream = TcpStream::connect(target.address()).await;
        let mut new = Open {
            stream: stream.map_err(|error| failure::of_system(&error))?,
            renew_at: self.reuse.renew_at(),
        };
        new.send(request).await?;
        Ok(new)
    }

    fn note_peer(&mut self, responder: &Responder) {
        match &self.peer {
            Peer::Unknown if !responder.pod.is_empty() => self.peer = Peer::One(responder.clone()),
            Peer::One(known) if known.pod != responder.pod => self.peer = Peer::Several,
            _ => {}
        }
    }

    /// Whom a request without an answer has met, if that is known: the pod that has answered over the same
    /// connection before, and no other one has.
    pub fn peer(&self) -> Option<&Responder> {
        match &self.peer {
            Peer::One(responder) => Some(responder),
            Peer::Unknown | Peer::Several => None,
        }
    }

    /// Closes the kept connection as soon as the service has closed it, and ends then; never without one.
    pub async fn closed(&mut self) {
        let Some(kept) = &self.kept else {
            return pending().await;
        };
        // Nothing but the end is to come without a request.
        let _ = kept.stream.peek(&mut [0]).await;
        self.kept = None;
    }

    /// Closes the kept connection if the service has closed it.
    pub fn close_if_closed(&mut self) {
        self.kept.take_if(|kept| !kept.is_silent());
    }
}

/// A service that was asked to close the connection does so with its answer.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The same, if the next request needs another connection. After it, this side closes first: at more than some 470
/// requests a second, a service that never closes uses up the ports.
const SHORT_CLOSE_TIMEOUT: Duration = Duration::from_millis(10);

/// A connection that the service was asked to close. It goes on when this is dropped.
///
/// The side that closes first keeps the port in use for a minute (TIME_WAIT), and a client has
/// some 28,000 ports: at 1,000 new connections a second they would last for half a minute.
#[derive(Debug)]
struct Closing {
    closed: JoinHandle<()>,
    answered: Instant,
}

impl Closing {
    fn new(mut stream: TcpStream) -> Self {
        let closed = tokio::spawn(async move {
            let closed =
                async { while stream.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {} };
            drop(timeout(CLOSE_TIMEOUT, closed).await);
        });
        Self {
            closed,
            answered: Instant::now(),
        }
    }

    /// Ends when the connection is closed: by the service, or else here.
    async fn over(&mut self) {
        let end = self.answered + SHORT_CLOSE_TIMEOUT;
        if timeout_at(end.into(), &mut self.closed).await.is_err() {
            self.closed.abort();
            let _ = (&mut self.closed).await;
        }
    }
}

impl Open {
    fn is_due_for_renewal(&self) -> bool {
        self.renew_at.is_some_and(|at| Instant::now() >= at)
    }

    /// Whether nothing has come, not even the connection's end.
    fn is_silent(&self) -> bool {
        let peeked = SockRef::from(&self.stream).peek(&mut [MaybeUninit::uninit()]);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    async fn send(&mut self, request: &[u8]) -> Result<(), Failure> {
        let sent = self.stream.write_all(request).await;
        sent.map_err(|error| failure::of_system(&error))
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::resolver::Resolver;

    #[tokio::test]
    async fn a_fresh_connection_is_closed_before_the_next_even_if_the_service_does_not_close_it() {
        const LIMIT: Duration = Duration::from_secs(5);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let url = url.parse().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                if stream.read(&mut request).await.unwrap() > 0 {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    stream.write_all(answer).await.unwrap();
                    assert_eq!(stream.read(&mut request).await.unwrap(), 0);
                }
            }
        });
        let target = Target::find(Resolver::default(), &url, LIMIT).await;
        let target = target.unwrap();
        let mut connection = Connection::new(Reuse::Never);
        let requests = async {
            for _ in 0..10 {
                connection.request(&target).await.unwrap();
            }
        };
        timeout(LIMIT, requests).await.unwrap();
    }

    #[test]
    fn a_peer_is_known_as_long_as_no_other_pod_answers_over_its_connection() {
        let mut connection = Connection::new(Reuse::Unlimited);
        for (pod, known) in [
            ("", None),
            ("a", Some("a")),
            ("a", Some("a")),
            ("b", None),
            ("a", None),
        ] {
            connection.note_peer(&pod.into());
            let peer = connection.peer().map(|peer| peer.pod.as_str());
            assert_eq!(peer, known, "after {pod}");
        }
    }
}
