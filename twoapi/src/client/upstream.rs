//! The call to oneapi: how many calls there are at once, their timeouts, and the status and the sentence
//! that each kind of failure becomes.

use std::{fmt, io, sync::Arc, time::Duration};

use axum::http::StatusCode;
use chassis::telemetry::Trace;
use load::{causes, resolver::Resolver};
use reqwest::{
    Client, RequestBuilder, Url,
    dns::{Addrs, Name, Resolve, Resolving},
};
use tokio::{sync::Semaphore, time::timeout};

use super::{body::beginning, http};

/// Over localhost a connection is made in microseconds or refused.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How many calls are under way at once; the others wait for their turn. Each has a connection of its own
/// beside its client's and takes some 24 kB, so without a bound the memory and the descriptors that
/// `MAX_CONNECTIONS` goes by would not be enough. Of a oneapi that takes half a second, 128 calls are 256
/// a second.
const MAX_CALLS: usize = 128;

/// So many connections are kept for the next calls.
const MAX_IDLE: usize = 64;

/// Long enough for the calls of a probe every 10 s, and shorter than oneapi's own `IDLE_TIMEOUT`, so that
/// no call is sent into a connection that is just being closed. The reference tells users so: oneapi keeps
/// an idle connection for 120 s by default, and below 15 s calls would cross the close.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// The most that is read of an answer, which is one sentence.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// A client that calls one URL. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Upstream(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    url: Url,
    timeout: Duration,
    turns: Semaphore,
}

/// Looks names up for reqwest.
#[derive(Default)]
struct Dns(Resolver);

impl Resolve for Dns {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.0.clone();
        Box::pin(async move {
            // Port 0 stands for the URL's own.
            let addresses = resolver.lookup(name.as_str(), 0).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// How a call failed.
#[derive(Debug)]
pub(crate) enum CallError {
    /// 502: nothing listens there, or the connection broke.
    Unreachable(reqwest::Error),
    /// 504: connected or not, the answer did not come in time.
    TooSlow(reqwest::Error),
    /// 504: its turn did not come while there was time enough.
    NoTurn,
    /// 504: it had to wait for its turn, and the time was up before the answer came.
    Crowded,
    /// 502: an answer, but not 200.
    Status(StatusCode),
    /// 502: an answer longer than any that oneapi gives.
    TooLong,
}

/// A failed call, with the upstream's name for the sentence.
#[derive(Debug)]
pub(crate) struct Failed {
    url: Url,
    timeout: Duration,
    error: CallError,
}

impl Upstream {
    pub(crate) fn new(url: Url, timeout: Duration) -> Self {
        let client = http::client(CONNECT_TIMEOUT, |client| {
            client
                .dns_resolver(Dns::default())
                .timeout(timeout)
                .pool_idle_timeout(IDLE_TIMEOUT)
                .pool_max_idle_per_host(MAX_IDLE)
        });
        Self(Arc::new(Inner {
            client,
            url,
            timeout,
            turns: Semaphore::new(MAX_CALLS),
        }))
    }

    /// The body of oneapi's answer, to a call that belongs to that trace.
    pub(crate) async fn call(&self, trace: Option<&Trace>) -> Result<String, CallError> {
        if let Ok(_turn) = self.0.turns.try_acquire() {
            return self.ask(trace).await;
        }
        let in_turn = async {
            // The other half is oneapi's. Otherwise, with a little more demand than there are turns for,
            // each call would get its own when its time is all but over, and none be answered.
            let turn = timeout(self.0.timeout / 2, self.0.turns.acquire()).await;
            let _turn = turn
                .map_err(|_| CallError::NoTurn)?
                .expect("nobody closes it");
            self.ask(trace).await
        };
        let called = timeout(self.0.timeout, in_turn).await;
        called.unwrap_or(Err(CallError::Crowded))
    }

    async fn ask(&self, trace: Option<&Trace>) -> Result<String, CallError> {
        let request = self.0.client.get(self.0.url.clone());
        let Some(trace) = trace else {
            return self.answer_to(request).await;
        };
        let url = &self.0.url;
        let (host, port) = (url.host_str(), url.port_or_known_default());
        let mut call = trace.call(
            url.as_str(),
            host.unwrap_or_default(),
            port.unwrap_or_default(),
        );
        let answer = self.answer_to(request.headers(call.headers.clone())).await;
        match &answer {
            Ok(_) => call.answered(StatusCode::OK),
            Err(CallError::Status(status)) => call.answered(*status),
            Err(CallError::TooSlow(_)) => call.failed("timeout"),
            Err(CallError::TooLong) => call.failed("too_long"),
            Err(_) => call.failed("unreachable"),
        }
        answer
    }

    async fn answer_to(&self, request: RequestBuilder) -> Result<String, CallError> {
        let response = request.send().await?;
        if response.status() != StatusCode::OK {
            return Err(CallError::Status(response.status()));
        }
        let body = beginning(response, MAX_ANSWER_BYTES + 1).await?;
        if body.len() > MAX_ANSWER_BYTES {
            return Err(CallError::TooLong);
        }
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Logs a failure, once, with its causes, and names the upstream in it.
    pub(crate) fn failed(&self, error: CallError) -> Failed {
        let failed = Failed {
            url: self.0.url.clone(),
            timeout: self.0.timeout,
            error,
        };
        tracing::warn!(upstream = %failed.url, cause = failed.causes(), "call failed");
        failed
    }
}

impl From<reqwest::Error> for CallError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::TooSlow(error)
        } else {
            Self::Unreachable(error)
        }
    }
}

impl Failed {
    /// 504 for one that was too slow, else 502.
    pub(crate) fn status(&self) -> StatusCode {
        match self.error {
            CallError::TooSlow(_) | CallError::NoTurn | CallError::Crowded => {
                StatusCode::GATEWAY_TIMEOUT
            }
            _ => StatusCode::BAD_GATEWAY,
        }
    }

    fn causes(&self) -> String {
        let (CallError::Unreachable(error) | CallError::TooSlow(error)) = &self.error else {
            return self.to_string();
        };
        let causes: Vec<_> = causes(error).map(ToString::to_string).collect();
        causes.join(": ")
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            url,
            timeout,
            error,
        } = self;
        write!(f, "oneapi at {url} ")?;
        match error {
            CallError::Unreachable(cause) if refused(cause) => write!(f, "refuses connections"),
            CallError::Unreachable(cause) if cause.is_connect() => write!(f, "can't be reached"),
            CallError::Unreachable(cause) if malformed(cause) => {
                write!(f, "answered what is not HTTP")
            }
            CallError::Unreachable(_) => write!(f, "broke the connection"),
            CallError::TooSlow(cause) if cause.is_connect() => {
                write!(f, "could not be connected to within {CONNECT_TIMEOUT:?}")
            }
            CallError::TooSlow(_) => write!(f, "did not answer within {timeout:?}"),
            CallError::Crowded => write!(
                f,
                "did not answer within {timeout:?}: {MAX_CALLS} other calls were under way"
            ),
            CallError::NoTurn => write!(
                f,
                "was not asked within {:?}: {MAX_CALLS} other calls were under way",
                *timeout / 2
            ),
            CallError::Status(status) => write!(f, "answered {status}"),
            CallError::TooLong => write!(f, "answered more than {MAX_ANSWER_BYTES} bytes"),
        }
    }
}

fn malformed(error: &reqwest::Error) -> bool {
    let of_hyper = causes(error).find_map(|cause| cause.downcast_ref::<hyper::Error>());
    of_hyper.is_some_and(|error| error.is_parse() && !error.is_parse_too_large())
}

fn refused(error: &reqwest::Error) -> bool {
    let of_system = causes(error).find_map(|cause| cause.downcast_ref::<io::Error>());
    of_system.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}
