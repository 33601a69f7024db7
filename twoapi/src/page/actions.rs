//! `POST /page/actions`: what a viewer can do to the pods. The body is JSON, one of
//!
//! ```json
//! {"action":"burn","service":0,"pod":"10.244.0.12","millicores":250,"seconds":60}
//! {"action":"end burns","service":0,"pod":null}
//! {"action":"set fault","service":0,"pod":"10.244.0.12","container":"oneapi","fault":"readiness?mode=fail&for=20s"}
//! {"action":"clear faults","service":0,"pod":null}
//! ```
//!
//! where a `pod` of null means all pods of that Service. It is answered with one sentence. A burn is
//! a request to oneapi that lasts as long as the burn, and it ends when the pod that holds it ends.
//!
//! Only the page itself may ask for it, and only pods of the watched Services can be named: any pod
//! that serves the page finds them by DNS, since a request may reach another than the events do.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode},
};
use chassis::{http::Refusal, text::shown};
use reqwest::{Client, Url, redirect::Policy};
use serde::Deserialize;
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

use super::{Page, discovery, origin};

/// Burns that this pod holds at once. The pods have a bound of their own.
const MAX_BURNS: usize = 256;

/// A burn that isn't refused within this time runs.
const REFUSED_WITHIN: Duration = Duration::from_millis(500);

const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest burn: as MAX_MINUTES is by default.
const MAX_SECONDS: f64 = 3600.0;

#[derive(Debug, Deserialize)]
struct Action {
    #[serde(default)]
    service: usize,
    /// None: all.
    pod: Option<IpAddr>,
    #[serde(flatten)]
    what: What,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "action")]
enum What {
    #[serde(rename = "burn")]
    Burn { millicores: u32, seconds: f64 },
    #[serde(rename = "end burns")]
    EndBurns,
    #[serde(rename = "set fault")]
    SetFault { container: Container, fault: String },
    #[serde(rename = "clear faults")]
    ClearFaults,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Container {
    Oneapi,
    Twoapi,
}

/// The requests that burns are.
#[derive(Debug)]
pub(super) struct Burns {
    client: Client,
    permits: Arc<Semaphore>,
}

impl Burns {
    pub(super) fn new() -> Self {
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(1))
            .pool_max_idle_per_host(0);
        Self {
            client: client
                .build()
                .expect("without TLS and proxies there is nothing that can fail"),
            permits: Arc::new(Semaphore::new(MAX_BURNS)),
        }
    }
}

pub(super) async fn act(
    State(page): State<Page>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<String, Refusal> {
    if !page.0.actions {
        let sentence = "actions are turned off by PAGE_ACTIONS=false";
        return Err(Refusal::new(StatusCode::FORBIDDEN, sentence));
    }
    origin::check_same_origin(&headers, &page.0.hosts)
        .map_err(|why| Refusal::new(StatusCode::FORBIDDEN, why))?;
    let action: Action = serde_json::from_slice(&body)
        .map_err(|error| shown(error.to_string()))
        .map_err(|why| Refusal::bad_input(format!("the action can't be read: {why}")))?;
    let pods = page.pods_for(&action).await?;
    let mut tasks = JoinSet::new();
    for pod in &pods {
        tasks.spawn(page.clone().act_on(*pod, action.what.clone()));
    }
    let results = tasks.join_all().await;
    let failures: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    match failures.first() {
        None => Ok(format!("done on {} of {} pods", pods.len(), pods.len())),
        Some(why) => Err(Refusal::new(
            StatusCode::BAD_GATEWAY,
            format!(
                "done on {} of {} pods; {why}",
                pods.len() - failures.len(),
                pods.len()
            ),
        )),
    }
}

impl Page {
    async fn pods_for(&self, action: &Action) -> Result<Vec<IpAddr>, Refusal> {
        let services = &self.0.services;
        let service = services.get(action.service).ok_or_else(|| {
            Refusal::bad_input(format!("service is a number below {}", services.len()))
        })?;
        if let What::Burn { seconds, .. } = action.what
            && !(seconds > 0.0 && seconds <= MAX_SECONDS)
        {
            return Err(Refusal::bad_input("seconds is above 0, up to 3600"));
        }
        let pods = discovery::addresses(&service.pods, self.0.ports.twoapi).await;
        let pods = pods.map_err(Refusal::unavailable)?;
        match action.pod {
            None => Ok(pods),
            Some(pod) if pods.contains(&pod) => Ok(vec![pod]),
            Some(pod) => Err(Refusal::not_found(format!("there is no pod {pod} there"))),
        }
    }

    async fn act_on(self, pod: IpAddr, what: What) -> Result<(), String> {
        let ports = self.0.ports;
        match what {
            What::Burn {
                millicores,
                seconds,
            } => self.burn(pod, millicores, seconds).await,
            What::EndBurns => {
                let url = url(pod, ports.oneapi, "/burns");
                self.ask(Method::DELETE, url).await
            }
            What::SetFault { container, fault } => {
                let port = match container {
                    Container::Oneapi => ports.oneapi,
                    Container::Twoapi => ports.twoapi,
                };
                let (name, parameters) = fault.split_once('?').unwrap_or((&fault, ""));
                let mut url = url(pod, port, "/faults");
                // Pushed as a segment, a name can't lead to another path.
                url.path_segments_mut()
                    .expect("an http URL has a path")
                    .push(name);
                url.set_query((!parameters.is_empty()).then_some(parameters));
                self.ask(Method::PUT, url).await
            }
            What::ClearFaults => {
                for port in [ports.oneapi, ports.twoapi] {
                    self.ask(Method::DELETE, url(pod, port, "/faults")).await?;
                }
                Ok(())
            }
        }
    }

    async fn ask(&self, method: Method, url: Url) -> Result<(), String> {
        let host = url.authority().to_owned();
        let request = self.0.burns.client.request(method, url);
        let response = request.timeout(ANSWER_TIMEOUT).send().await;
        sentence(&host, response).await
    }

    async fn burn(&self, pod: IpAddr, millicores: u32, seconds: f64) -> Result<(), String> {
        let permits = Arc::clone(&self.0.burns.permits);
        let permit = permits
            .try_acquire_owned()
            .map_err(|_| format!("this pod holds {MAX_BURNS} burns already"))?;
        let mut url = url(pod, self.0.ports.oneapi, "/test/highcpu");
        let minutes = seconds / 60.0;
        url.set_query(Some(&format!(
            "minutes={minutes:.6}&millicores={millicores}"
        )));
        let host = url.authority().to_owned();
        let request = self.0.burns.client.get(url);
        let longest = Duration::from_secs_f64(seconds) + Duration::from_secs(60);
        let request = request.timeout(longest);
        let mut burn = tokio::spawn(async move {
            let _permit = permit;
            sentence(&host, request.send().await).await
        });
        match timeout(REFUSED_WITHIN, &mut burn).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(_)) => Err("the burn broke off".to_owned()),
            Err(_) => Ok(()),
        }
    }
}

async fn sentence(
    host: &str,
    response: Result<reqwest::Response, reqwest::Error>,
) -> Result<(), String> {
    match response {
        Ok(response) if response.status().is_success() => Ok(()),
        Ok(mut response) => {
            let status = response.status();
            let text = response.chunk().await.ok().flatten().unwrap_or_default();
            Err(format!("{host} answered {status}: {}", shown(text)))
        }
        Err(error) if error.is_timeout() => Err(format!("{host} doesn't answer")),
        Err(_) => Err(format!("{host} can't be reached")),
    }
}

fn url(pod: IpAddr, port: u16, path: &str) -> Url {
    let host = std::net::SocketAddr::new(pod, port);
    let url = format!("http://{host}{path}").parse();
    url.expect("an address and a path make a URL")
}
