//! `POST /page/actions`: what a viewer can do to the pods. The body is JSON, one of
//!
//! ```json
//! {"action":"burn","service":0,"pod":"10.244.0.12","millicores":250,"seconds":60}
//! {"action":"end burns","service":0,"pod":null}
//! {"action":"set fault","service":0,"pod":"10.244.0.12","container":"oneapi","fault":"readiness?mode=fail&for=20s"}
//! {"action":"clear faults","service":0,"pod":null}
//! ```
//!
//! where a `pod` of null means all pods of that Service. It is answered with one sentence, in Chinese if
//! `Accept-Language` begins with it, which says
//! for each container on how many of the pods it is done, and why not on the others:
//!
//! | status | when |
//! | --- | --- |
//! | 200 | all is done; a container whose switches are off has none to clear |
//! | 403 | actions are turned off, it isn't the page that asks, or the switches of all containers are off |
//! | 502 | a part could not be done |
//!
//! A burn belongs to the pod that burns: it goes on when this pod ends.
//!
//! Only the page itself may ask for it, and only pods of the watched Services can be named: any pod
//! that serves the page finds them by DNS, since a request may reach another than the events do.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
};
use chassis::{
    http::{Refusal, RequestBody, parameters},
    text::shown,
};
use reqwest::{Client, Url};
use serde_json::Value;
use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    chinese::spoken, containers::ContainerName, discovery, origin, services::Watched,
    settings::Settings,
};
use crate::{bounds::MILLICORES, client::http};

/// An action is some hundred bytes long.
const MAX_BODY_BYTES: usize = 4 << 10;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest burn: the default of MAX_MINUTES.
const MAX_SECONDS: f64 = 3600.0;

/// Actions that are carried out at once; the others wait. Each asks all containers of a Service at the
/// same time, over a connection for each.
const MAX_ACTIONS: usize = 8;

#[derive(Debug)]
struct Action {
    service: usize,
    /// `None` stands for all pods.
    pod: Option<IpAddr>,
    kind: ActionKind,
}

#[derive(Clone, Debug, PartialEq)]
enum ActionKind {
    Burn {
        millicores: u32,
        seconds: f64,
    },
    EndBurns,
    SetFault {
        container: ContainerName,
        fault: String,
    },
    ClearFaults,
}

impl Action {
    fn read(body: &[u8]) -> Result<Self, String> {
        let fields: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let pod = match &fields["pod"] {
            Value::Null => None,
            pod => {
                let ip = pod.as_str().and_then(|ip| ip.parse().ok());
                Some(ip.ok_or("pod is an IP, or null for all pods")?)
            }
        };
        Ok(Self {
            service: match &fields["service"] {
                Value::Null => 0,
                service => service
                    .as_u64()
                    .and_then(|it| it.try_into().ok())
                    .unwrap_or(usize::MAX),
            },
            pod,
            kind: ActionKind::read(&fields)?,
        })
    }
}

impl ActionKind {
    fn read(fields: &Value) -> Result<Self, &'static str> {
        match fields["action"].as_str() {
            Some("burn") => {
                let millicores = fields["millicores"]
                    .as_u64()
                    .and_then(|it| it.try_into().ok())
                    .filter(|millicores| MILLICORES.contains(millicores));
                let seconds = fields["seconds"].as_f64();
                Ok(Self::Burn {
                    millicores: millicores
                        .ok_or("millicores is a whole number from 1 to 10000000")?,
                    seconds: seconds
                        .filter(|seconds| *seconds > 0.0 && *seconds <= MAX_SECONDS)
                        .ok_or("seconds is above 0, up to 3600")?,
                })
            }
            Some("end burns") => Ok(Self::EndBurns),
            Some("set fault") => Ok(Self::SetFault {
                container: match fields["container"].as_str() {
                    Some("oneapi") => ContainerName::Oneapi,
                    Some("twoapi") => ContainerName::Twoapi,
                    _ => return Err("container is oneapi or twoapi"),
                },
                fault: match fields["fault"].as_str() {
                    Some(fault) if fault.starts_with(|char: char| char.is_ascii_alphabetic()) => {
                        fault.to_owned()
                    }
                    _ => return Err("fault is a switch, such as readiness?mode=fail&for=20s"),
                },
            }),
            Some("clear faults") => Ok(Self::ClearFaults),
            _ => Err("action is burn, end burns, set fault or clear faults"),
        }
    }

    /// The containers of a pod that have to do something.
    fn containers(&self) -> &[ContainerName] {
        match self {
            Self::Burn { .. } | Self::EndBurns => &[ContainerName::Oneapi],
            Self::SetFault { container, .. } => std::slice::from_ref(container),
            Self::ClearFaults => &[ContainerName::Oneapi, ContainerName::Twoapi],
        }
    }
}

/// What became of an action in one container of one pod.
#[derive(Debug)]
enum Outcome {
    Done,
    /// Fault switches are turned off there, and so none is set.
    NoSwitches,
    /// It could not be done, for this reason.
    Failed(String),
}

/// What the handler needs.
#[derive(Debug)]
pub(super) struct Actions {
    allowed: bool,
    /// The hosts of `PAGE_HOSTS`.
    hosts: Vec<String>,
    watched: Arc<Watched>,
    client: Client,
    turns: Semaphore,
}

/// Answers in the language that is asked for.
pub(super) async fn act(
    State(own): State<Arc<Actions>>,
    uri: Uri,
    headers: HeaderMap,
    body: RequestBody,
) -> Result<String, Refusal> {
    match answer(own, &uri, &headers, body).await {
        Ok(sentence) => Ok(spoken(&headers, sentence)),
        Err(Refusal { status, sentence }) => Err(Refusal::new(status, spoken(&headers, sentence))),
    }
}

/// Whatever can be refused without the body is refused before the body is read.
async fn answer(
    own: Arc<Actions>,
    uri: &Uri,
    headers: &HeaderMap,
    body: RequestBody,
) -> Result<String, Refusal> {
    if !own.allowed {
        let sentence = "actions are turned off by PAGE_ACTIONS=false";
        return Err(Refusal::new(StatusCode::FORBIDDEN, sentence));
    }
    origin::check_same_origin(headers, uri, &own.hosts)
        .map_err(|why| Refusal::new(StatusCode::FORBIDDEN, why))?;
    parameters(uri.query().unwrap_or_default(), &[])?;
    let body = body.read(MAX_BODY_BYTES).await?;
    let action = Action::read(&body)
        .map_err(|why| Refusal::bad_input(format!("the action can't be read: {why}")))?;
    let turn = own.turns.acquire().await;
    let _turn = turn.expect("nobody closes it");
    let containers = action.kind.containers();
    let mut tasks = JoinSet::new();
    for pod in own.pods_for(&action).await? {
        for container in containers.iter().copied() {
            let (own, kind) = (Arc::clone(&own), action.kind.clone());
            tasks.spawn(async move { (container, own.act_on(pod, container, kind).await) });
        }
    }
    let outcomes = tasks.join_all().await;
    let sentences: Vec<String> = containers
        .iter()
        .map(|container| {
            let of_container = outcomes.iter().filter(|(name, _)| name == container);
            let of_container: Vec<_> = of_container.map(|(_, outcome)| outcome).collect();
            format!("{container}: {}", summary(&of_container))
        })
        .collect();
    let sentence = sentences.join("; ");
    let any = |wanted: fn(&Outcome) -> bool| outcomes.iter().any(|(_, outcome)| wanted(outcome));
    if any(|outcome| matches!(outcome, Outcome::Failed(_))) {
        Err(Refusal::new(StatusCode::BAD_GATEWAY, sentence))
    } else if any(|outcome| matches!(outcome, Outcome::Done)) {
        Ok(sentence)
    } else {
        Err(Refusal::new(StatusCode::FORBIDDEN, sentence))
    }
}

/// A sentence about an action in one container of all pods.
fn summary(outcomes: &[&Outcome]) -> String {
    let pods = outcomes.len();
    let count = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|it| wanted(it)).count();
    let without = count(|it| matches!(it, Outcome::NoSwitches));
    if without == pods {
        return "fault switches are off there (FAULTS=true turns them on)".to_owned();
    }
    let mut sentence = format!(
        "done on {} of {pods} Pods",
        count(|it| matches!(it, Outcome::Done))
    );
    if without > 0 {
        sentence += &format!(", fault switches are off on {without}");
    }
    let mut reasons = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Failed(why) => Some(why.as_str()),
        _ => None,
    });
    if let Some(first) = reasons.next() {
        sentence += &format!(", but {first}");
        match reasons.count() {
            0 => {}
            more => sentence += &format!(" (and {more} more)"),
        }
    }
    sentence
}

impl Actions {
    pub(super) fn new(settings: &Settings, watched: Arc<Watched>) -> Self {
        Self {
            allowed: settings.page_actions,
            hosts: settings.page_hosts.clone(),
            watched,
            client: http::client(CONNECT_TIMEOUT, |client| client.pool_max_idle_per_host(0)),
            turns: Semaphore::new(MAX_ACTIONS),
        }
    }

    async fn pods_for(&self, action: &Action) -> Result<Vec<IpAddr>, Refusal> {
        let services = &self.watched.services;
        let service = services.get(action.service).ok_or_else(|| {
            Refusal::bad_input(format!("service is a number below {}", services.len()))
        })?;
        let pods = discovery::addresses(&self.watched.resolver, &service.pods).await;
        let pods = pods.map_err(Refusal::unavailable)?;
        match action.pod {
            None if pods.is_empty() => Err(Refusal::not_found("there are no Pods")),
            None => Ok(pods),
            Some(pod) if pods.contains(&pod) => Ok(vec![pod]),
            Some(pod) => Err(Refusal::not_found(format!("there is no Pod {pod} there"))),
        }
    }

    async fn act_on(&self, pod: IpAddr, container: ContainerName, kind: ActionKind) -> Outcome {
        let url = |path: &str| {
            let host = SocketAddr::new(pod, self.watched.ports.of(container));
            let url: Url = format!("http://{host}{path}")
                .parse()
                .expect("an address and a path make a URL");
            url
        };
        match kind {
            ActionKind::Burn {
                millicores,
                seconds,
            } => {
                let mut url = url("/burns");
                let minutes = seconds / 60.0;
                let burn = format!("minutes={minutes:.6}&millicores={millicores}");
                url.set_query(Some(&burn));
                self.ask(Method::POST, url).await
            }
            ActionKind::EndBurns => self.ask(Method::DELETE, url("/burns")).await,
            ActionKind::SetFault { fault, .. } => {
                self.ask(Method::PUT, switch(url("/faults"), &fault)).await
            }
            ActionKind::ClearFaults => {
                let url = url("/faults");
                match self.send(Method::DELETE, url.clone()).await {
                    Ok(response) if response.status() == StatusCode::FORBIDDEN => {
                        Outcome::NoSwitches
                    }
                    answered => outcome(url.authority(), answered).await,
                }
            }
        }
    }

    async fn ask(&self, method: Method, url: Url) -> Outcome {
        let answered = self.send(method, url.clone()).await;
        outcome(url.authority(), answered).await
    }

    async fn send(&self, method: Method, url: Url) -> reqwest::Result<reqwest::Response> {
        let request = self.client.request(method, url);
        request.timeout(ANSWER_TIMEOUT).send().await
    }
}

/// The URL of a fault switch, such as `readiness?mode=fail&for=20s`, below that of all of them.
fn switch(mut url: Url, fault: &str) -> Url {
    let (name, parameters) = fault.split_once('?').unwrap_or((fault, ""));
    // Pushed as a segment, a name that begins with a letter can't lead to another path.
    url.path_segments_mut()
        .expect("an http URL has a path")
        .push(name);
    url.set_query((!parameters.is_empty()).then_some(parameters));
    url
}

async fn outcome(host: &str, answered: reqwest::Result<reqwest::Response>) -> Outcome {
    Outcome::Failed(match answered {
        Ok(response) if response.status().is_success() => return Outcome::Done,
        Ok(mut response) => {
            let status = response.status();
            let text = response.chunk().await.ok().flatten().unwrap_or_default();
            format!("{host} answered {status}: {}", shown(text))
        }
        Err(error) if error.is_timeout() => format!("{host} doesn't answer"),
        Err(_) => format!("{host} can't be reached"),
    })
}

/// The URL of the fault switch that an action sets, for cargo fuzz.
#[cfg(fuzzing)]
pub(super) fn switch_of(body: &[u8], all: Url) -> Result<Option<(String, Url)>, String> {
    Ok(match Action::read(body)?.kind {
        ActionKind::SetFault { fault, .. } => Some((fault.clone(), switch(all, &fault))),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_read_and_what_is_none_is_refused_with_what_is_allowed() {
        let read = |text: &str| Action::read(text.as_bytes());
        let burn =
            read(r#"{"action":"burn","service":1,"pod":"::1","millicores":9,"seconds":0.5}"#);
        let burn = burn.unwrap();
        assert_eq!((burn.service, burn.pod), (1, "::1".parse().ok()));
        let kind = ActionKind::Burn {
            millicores: 9,
            seconds: 0.5,
        };
        assert_eq!(burn.kind, kind);
        let fault =
            read(r#"{"action":"set fault","container":"twoapi","fault":"deaf?for=1s","more":[]}"#);
        let fault = fault.unwrap();
        assert_eq!((fault.service, fault.pod), (0, None));
        let (container, switch) = (ContainerName::Twoapi, "deaf?for=1s".to_owned());
        assert_eq!(
            fault.kind,
            ActionKind::SetFault {
                container,
                fault: switch
            }
        );
        let (least, most) = (MILLICORES.start(), MILLICORES.end());
        let millicores = &*format!("millicores is a whole number from {least} to {most}");
        for (text, why) in [
            ("", "EOF"),
            ("[]", "action is burn, end burns, set fault or clear faults"),
            (r#"{"action":"end burns","pod":"a"}"#, "pod is an IP"),
            (r#"{"action":"end burns","pod":1}"#, "pod is an IP"),
            (
                r#"{"action":"burn","millicores":-1,"seconds":1}"#,
                millicores,
            ),
            (
                r#"{"action":"burn","millicores":1.5,"seconds":1}"#,
                millicores,
            ),
            (
                r#"{"action":"burn","millicores":0,"seconds":1}"#,
                millicores,
            ),
            (
                r#"{"action":"burn","millicores":10000001,"seconds":1}"#,
                millicores,
            ),
            (
                r#"{"action":"burn","millicores":4294967296,"seconds":1}"#,
                millicores,
            ),
            (r#"{"action":"burn","millicores":1}"#, "seconds is above 0"),
            (
                r#"{"action":"burn","millicores":1,"seconds":3601}"#,
                "seconds is above 0",
            ),
            (
                r#"{"action":"set fault","fault":"deaf"}"#,
                "container is oneapi",
            ),
            (
                r#"{"action":"set fault","container":"oneapi"}"#,
                "fault is a switch",
            ),
            (
                r#"{"action":"set fault","container":"oneapi","fault":"../burns?minutes=1"}"#,
                "fault is a switch",
            ),
            (
                r#"{"action":"set fault","container":"oneapi","fault":".\t."}"#,
                "fault is a switch",
            ),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.starts_with(why), "{text}: {said}");
        }
        let unknown = read(r#"{"action":"end burns","service":-1}"#).unwrap();
        assert_eq!(unknown.service, usize::MAX, "which no Service is");
    }
}
