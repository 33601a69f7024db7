//! One pod's burns over HTTP: starts a burn, asks how far it is, ends it. A burn is a request that is
//! answered when the burn has ended. If the request is given up, the burn ends within 50 ms.

use std::{
    fmt,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use axum::http::{
    StatusCode,
    header::{ACCEPT, RETRY_AFTER},
};
use chassis::text::shown;
use load::causes;
use reqwest::{Client, Response};
use serde::Deserialize;

use crate::client::{body::beginning, http};

/// A connection inside a cluster takes milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A pod answers in milliseconds, also while it burns.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// The most that is read of an answer: a list of some ten thousand burns. Another program at that port may
/// answer more.
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// A pod that is asked to burn. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    http: Client,
    pub(super) address: SocketAddr,
}

/// What a pod is asked for.
#[derive(Clone, Debug)]
pub(super) struct BurnRequest {
    pub(super) millicores: u32,
    pub(super) time: Duration,
    /// The name of this burn alone, so that no other caller's burn is taken for it.
    pub(super) caller: Caller,
}

/// The name by which a pod lists a burn, and by which it is ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller(String);

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names this run's burns. The process's ID would not do: in a container it is always 1.
#[derive(Debug)]
pub(super) struct Callers {
    run: u64,
    last: AtomicU64,
}

impl Callers {
    pub(super) fn new() -> Self {
        Self {
            run: chassis::base::random(),
            last: AtomicU64::new(0),
        }
    }

    pub(super) fn next(&self) -> Caller {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        Caller(format!("twoapi-burn-{:016x}-{number}", self.run))
    }
}

/// What a burn came to, as its answer says.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct BurnResult {
    pub(super) wall_seconds: f64,
    /// CPU seconds.
    pub(super) achieved_seconds: f64,
}

/// A burn in a pod's list.
#[derive(Debug, Deserialize)]
struct ListedBurn {
    caller: Option<String>,
    granted_millicores: u32,
    achieved_seconds: f64,
}

/// How far a burn is that runs.
#[derive(Clone, Debug)]
pub(super) struct BurnStatus {
    /// Less than asked where the pod has to stay below its CPU limit.
    pub(super) granted_millicores: u32,
    /// CPU seconds so far.
    pub(super) achieved_seconds: f64,
    /// As the pod calls itself.
    pub(super) pod: String,
}

/// Why a burn didn't start, or ended early.
#[derive(Clone, Debug)]
pub(super) struct BurnError {
    pub(super) kind: ErrorKind,
    pub(super) sentence: String,
    /// What was burnt nevertheless.
    pub(super) result: Option<BurnResult>,
}

/// What can be expected of the pod from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorKind {
    /// It can't be reached, it is stopping, or somebody ended its burn: it may burn again soon.
    Failed,
    /// It answered 429, since it runs as many burns as it may, and perhaps said when to ask again.
    Busy(Option<Duration>),
    /// It answered with another 4xx: it would refuse the same request again.
    Refused,
}

impl BurnError {
    pub(super) fn failed(sentence: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Failed,
            sentence: sentence.into(),
            result: None,
        }
    }
}

/// Every failure of a request is reported by its innermost cause.
impl From<reqwest::Error> for BurnError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::failed("it doesn't answer");
        }
        let innermost = causes(&error).last();
        Self::failed(innermost.map(ToString::to_string).unwrap_or_default())
    }
}

/// The HTTP client for all pods.
pub(super) fn client() -> Client {
    http::client(CONNECT_TIMEOUT, |client| client)
}

impl Pod {
    pub(super) fn new(http: Client, address: SocketAddr) -> Self {
        Self { http, address }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Burns, and returns when the burn has ended. Dropping this future ends the burn.
    pub(super) async fn burn(&self, request: &BurnRequest) -> Result<BurnResult, BurnError> {
        let minutes = request.time.as_secs_f64() / 60.0;
        let (millicores, caller) = (request.millicores, &request.caller);
        let path =
            format!("/test/highcpu?minutes={minutes:.9}&millicores={millicores}&caller={caller}");
        let request = self.http.get(self.url(&path));
        let response = request.header(ACCEPT, "application/json").send().await?;
        let status = response.status();
        let retry_after = retry_after(&response);
        let body = beginning(response, MAX_ANSWER_BYTES).await?;
        let result: Option<BurnResult> = serde_json::from_slice(&body).ok();
        match result {
            Some(result) if status.is_success() => Ok(result),
            _ => Err(BurnError {
                kind: match status {
                    StatusCode::TOO_MANY_REQUESTS => ErrorKind::Busy(retry_after),
                    // A success of another kind is no oneapi's.
                    _ if status.is_client_error() || status.is_success() => ErrorKind::Refused,
                    _ => ErrorKind::Failed,
                },
                sentence: match result {
                    Some(_) => "it is stopping".to_owned(),
                    None => format!("{status}: {}", shown(&body)),
                },
                result,
            }),
        }
    }

    /// How far this caller's burn is; `None` if it doesn't run yet, or has ended.
    pub(super) async fn status(&self, caller: &Caller) -> Result<Option<BurnStatus>, BurnError> {
        let request = self.http.get(self.url("/burns")).timeout(ANSWER_TIMEOUT);
        let response = request.send().await?;
        let pod = pod_name(&response);
        let body = beginning(response, MAX_ANSWER_BYTES).await?;
        let burns: Vec<ListedBurn> = serde_json::from_slice(&body).unwrap_or_default();
        let own = burns
            .into_iter()
            .find(|burn| burn.caller.as_deref() == Some(&caller.0));
        Ok(own.map(|burn| BurnStatus {
            granted_millicores: burn.granted_millicores,
            achieved_seconds: burn.achieved_seconds,
            pod,
        }))
    }

    /// Ends this caller's burn, if it runs; its own request is then answered.
    pub(super) async fn end(&self, caller: &Caller) -> Result<(), BurnError> {
        let path = format!("/burns?caller={caller}");
        let request = self.http.delete(self.url(&path));
        request.timeout(ANSWER_TIMEOUT).send().await?;
        Ok(())
    }
}

/// In seconds, as oneapi gives it; a date is not understood.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(seconds.parse().ok()?))
}

fn pod_name(response: &Response) -> String {
    let name = response.headers().get("pod");
    name.map(shown).unwrap_or_default()
}
