//! One pod's side of it, over HTTP: start a burn, look how far it is, end it. A burn is a request
//! that is answered when the burn is over; it ends within 50 ms when the request is given up.

use std::{error::Error, net::SocketAddr, time::Duration};

use axum::http::header::ACCEPT;
use reqwest::{Client, Response, redirect::Policy};
use serde_json::Value;

/// A connection inside a cluster takes milliseconds.
const CONNECT: Duration = Duration::from_secs(1);

/// A pod answers in milliseconds, also while it burns.
const ANSWER: Duration = Duration::from_secs(1);

/// A pod that is asked to burn. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    http: Client,
    pub(super) address: SocketAddr,
}

/// A burn that was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) millicores: u32,
    pub(super) time: Duration,
}

/// What a burn came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Came {
    pub(super) wall_seconds: f64,
    /// CPU seconds.
    pub(super) achieved_seconds: f64,
}

/// A burn as it runs.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) id: u64,
    /// Less than asked where the pod has to stay below its CPU limit.
    pub(super) granted_millicores: u32,
    /// CPU seconds so far.
    pub(super) achieved_seconds: f64,
    /// As the pod calls itself.
    pub(super) pod: String,
}

/// Why a burn didn't start, or didn't go on.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) sentence: String,
    /// The pod won't do it: asking for the same once more makes no sense.
    pub(super) refused: bool,
    /// How far it came.
    pub(super) came: Option<Came>,
}

impl Trouble {
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            refused: false,
            came: None,
        }
    }
}

/// As every failure of a request is told: by its innermost cause.
impl From<reqwest::Error> for Trouble {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::new("it doesn't answer");
        }
        let mut cause: &dyn Error = &error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        Self::new(cause.to_string())
    }
}

/// What all pods are asked with.
pub(super) fn client() -> Client {
    let client = Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .connect_timeout(CONNECT);
    let client = client.build();
    client.expect("without TLS and proxies there is nothing that can fail")
}

impl Pod {
    pub(super) fn new(http: Client, address: SocketAddr) -> Self {
        Self { http, address }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Burns, and returns when that is over. Dropping this future ends the burn.
    pub(super) async fn burn(&self, ask: Ask) -> Result<Came, Trouble> {
        let minutes = ask.time.as_secs_f64() / 60.0;
        let millicores = ask.millicores;
        let path = format!("/test/highcpu?minutes={minutes:.9}&millicores={millicores}");
        let request = self.http.get(self.url(&path));
        let response = request.header(ACCEPT, "application/json").send().await?;
        let status = response.status();
        let body = response.bytes().await?;
        let came = came(&body);
        match came {
            Some(came) if status.is_success() => Ok(came),
            _ => Err(Trouble {
                sentence: match came {
                    Some(_) => "it is stopping".to_owned(),
                    None => format!("{status}: {}", String::from_utf8_lossy(&body)),
                },
                refused: status.is_client_error() || status.is_success(),
                came,
            }),
        }
    }

    /// How far this burn is; none when it isn't there (yet, or any more).
    pub(super) async fn look(&self, ask: Ask) -> Result<Option<Running>, Trouble> {
        let request = self.http.get(self.url("/burns")).timeout(ANSWER);
        let response = request.send().await?;
        let pod = name(&response);
        let list: Value = serde_json::from_slice(&response.bytes().await?).unwrap_or_default();
        let own = list
            .as_array()
            .into_iter()
            .flatten()
            .find(|burn| is(burn, ask));
        Ok(own.and_then(|burn| {
            Some(Running {
                id: burn["id"].as_u64()?,
                granted_millicores: u32::try_from(burn["granted_millicores"].as_u64()?).ok()?,
                achieved_seconds: burn["achieved_seconds"].as_f64()?,
                pod,
            })
        }))
    }

    /// Ends a burn; its own request is then answered.
    pub(super) async fn end(&self, id: u64) -> Result<(), Trouble> {
        let request = self.http.delete(self.url(&format!("/burns/{id}")));
        request.timeout(ANSWER).send().await?;
        Ok(())
    }
}

/// The list doesn't say whose a burn is. But its length was what was left to the nanosecond when
/// it was asked for: nobody else's is the same.
fn is(burn: &Value, ask: Ask) -> bool {
    let seconds = ask.time.as_secs_f64() * f64::from(ask.millicores) / 1000.0;
    let same = |listed: f64| (listed - seconds).abs() < 1e-6 * seconds.max(1.0);
    burn["asked_millicores"] == ask.millicores && burn["asked_seconds"].as_f64().is_some_and(same)
}

fn name(response: &Response) -> String {
    let name = response.headers().get("pod");
    let name = name.and_then(|name| name.to_str().ok());
    name.unwrap_or_default().to_owned()
}

fn came(body: &[u8]) -> Option<Came> {
    let report: Value = serde_json::from_slice(body).ok()?;
    Some(Came {
        wall_seconds: report["wall_seconds"].as_f64()?,
        achieved_seconds: report["achieved_seconds"].as_f64()?,
    })
}
