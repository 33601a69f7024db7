//! Polls one pod: both containers' identity and readiness, the burns, the probes that they have
//! answered, the fault switches that are set. Looking changes nothing: all of it comes from `/info` and
//! from other routes that no switch, no mirror and no metric knows of, and no probe is asked. What it
//! finds is put on the board as one object:
//!
//! ```json
//! {"id":"0/10.244.0.12","service":0,"ip":"10.244.0.12","name":"chesterdeployment-5d79c7596-lgds2",
//!  "version":"1.0","node":"kind-worker","state":"ready","why":"","restarts":0,
//!  "started":"2026-01-01T00:00:00.000Z","cpu":3,"limit":1000,"stop":null,
//!  "burns":[{"id":1,"millicores":250,"left":58.2}],
//!  "probes":[{"container":"oneapi","kind":"readiness","at":"…","status":200}],
//!  "faults":[{"container":"oneapi","name":"readiness","left":12.5}],
//!  "allows_faults":["oneapi"]}
//! ```
//!
//! The states are `starting`, `ready`, `not ready`, `stopping` and `no answer`. In an update a pod may be
//! of a version whose `/info` doesn't say yet whether it is ready: then the last probe that it shows
//! tells. Its burns aren't shown, since its list of them is a request like any other; nor is known
//! whether it allows fault switches, and `allows_faults` is null.

use std::{cmp::Ordering, net::IpAddr, sync::Arc, time::Duration};

use axum::http::{StatusCode, header::ACCEPT};
use chassis::text::shown;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{Ports, board::Board, watch::Listed};
use crate::client::body::beginning;

/// `/info` is asked this often: a pod is ready or stopping within tenths of a second.
const POLL_INTERVAL: Duration = Duration::from_millis(400);

/// Up to that many pods; more are asked less often, so that all together cost the same.
const PODS_AT_FULL_SPEED: usize = 20;

/// The kernel counts CPU time in hundredths of a second: over less time than that, one of them more or
/// less would be seen as a change.
const CPU_INTERVAL: Duration = Duration::from_millis(700);

/// Within a cluster, also while a pod burns.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// The most that is read of an answer: `/probes` has some 128 entries of 150 bytes.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// Burns, and switches, of one container: MAX_BURNS is as many by default.
const MAX_ENTRIES: usize = 16;

/// A pod that was stopping and doesn't answer any more has ended; one that vanished without a stop
/// is looked for a little longer.
const ENDED_AFTER: Duration = Duration::from_secs(1);
const LOST_AFTER: Duration = Duration::from_secs(4);

#[derive(Debug)]
pub(super) struct Poller {
    pub(super) client: Client,
    pub(super) ip: IpAddr,
    pub(super) ports: Ports,
    pub(super) service: usize,
    pub(super) listed: Arc<Listed>,
    pub(super) board: Arc<Board>,
    /// There is no other pod, so this one stays on the page even while it doesn't answer.
    pub(super) own_pod: bool,
    /// Shown when it answers and not before: DNS may name a pod that has left for a while longer, and
    /// an address that a setting gives may be nobody's yet.
    pub(super) must_answer: bool,
}

/// The HTTP client for one Service's pods. Its connections end with the watch.
pub(super) fn client() -> Client {
    crate::client::client(CONNECT_TIMEOUT, |client| {
        client.timeout(ANSWER_TIMEOUT).pool_max_idle_per_host(1)
    })
}

/// One container, as far as it is known. Of its answers only what the page shows is kept: JSON of
/// [`MAX_ANSWER_BYTES`] can take a hundred times that in memory.
#[derive(Debug, Default)]
struct Container {
    readiness: Readiness,
    info: Value,
    burns: Vec<Value>,
    probes: Vec<Value>,
    faults: Vec<Value>,
    /// CPU seconds, and when that was.
    used: Option<(f64, Instant)>,
    millicores: Option<f64>,
    restarts: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Readiness {
    #[default]
    Unknown,
    Ready,
    /// With its reason.
    NotReady(String),
    Stopping,
    NoAnswer,
}

impl Poller {
    /// Polls until the pod has left, and returns which one it was.
    pub(super) async fn run(self) -> IpAddr {
        let id = format!("{}/{}", self.service, self.ip);
        let ports = [self.ports.oneapi, self.ports.twoapi];
        let mut containers = [Container::default(), Container::default()];
        let mut answered = Instant::now();
        let (mut was_stopping, mut has_answered) = (false, false);
        for round in 0_u64.. {
            let [oneapi, twoapi] = &mut containers;
            tokio::join!(
                self.poll("oneapi", oneapi, ports[0], round),
                self.poll("twoapi", twoapi, ports[1], round)
            );
            let silent = |container: &Container| container.readiness == Readiness::NoAnswer;
            let stopping = |container: &Container| container.readiness == Readiness::Stopping;
            if !containers.iter().all(silent) {
                answered = Instant::now();
                has_answered = true;
            }
            was_stopping = containers.iter().any(stopping)
                || was_stopping && !containers.iter().any(|c| c.readiness == Readiness::Ready);
            let ended = was_stopping && answered.elapsed() > ENDED_AFTER;
            let expected = self.listed.contains(self.ip) && !self.must_answer;
            let lost = !expected && answered.elapsed() > LOST_AFTER;
            if !self.own_pod && (ended || lost) {
                break;
            }
            if has_answered || !self.must_answer {
                self.board
                    .put(&id, self.describe(&id, &containers, was_stopping));
            }
            let share = self.listed.pods().div_ceil(PODS_AT_FULL_SPEED).max(1);
            sleep(POLL_INTERVAL * u32::try_from(share).unwrap_or(u32::MAX)).await;
        }
        self.board.remove(&id);
        self.ip
    }

    async fn poll(&self, name: &str, container: &mut Container, port: u16, round: u64) {
        let Some((status, info)) = self.ask(port, "/info").await else {
            container.readiness = Readiness::NoAnswer;
            container.millicores = None;
            return;
        };
        container.take_info(&info);
        // Seldom what changes seldom.
        if round.is_multiple_of(4) {
            container.take_probes(name, &self.ask_json(port, "/probes").await);
            container.take_faults(name, &self.ask_json(port, "/faults").await);
        }
        if round.is_multiple_of(2) && port == self.ports.oneapi && container.lists_burns() {
            container.take_burns(&self.ask_json(port, "/burns").await);
        }
        container.readiness = if info.is_object() {
            container.readiness_by(&info)
        } else {
            Readiness::NotReady(match status {
                StatusCode::OK => "/info answers what isn't its JSON".to_owned(),
                _ => format!("/info answers {status}"),
            })
        };
    }

    /// Null for an answer that isn't a success, or is no JSON.
    async fn ask_json(&self, port: u16, path: &str) -> Value {
        let answer = self.ask(port, path).await;
        answer.map_or(Value::Null, |(_, said)| said)
    }

    /// None without an answer.
    async fn ask(&self, port: u16, path: &str) -> Option<(StatusCode, Value)> {
        let host = match self.ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let request = self.client.get(format!("http://{host}:{port}{path}"));
        let request = request.header(ACCEPT, "application/json");
        let response = request.send().await.ok()?;
        let status = response.status();
        let body = beginning(response, MAX_ANSWER_BYTES + 1).await.ok()?;
        let is_right = status == StatusCode::OK && body.len() <= MAX_ANSWER_BYTES;
        let said = is_right.then(|| serde_json::from_slice(&body).unwrap_or_default());
        Some((status, said.unwrap_or_default()))
    }

    fn describe(&self, id: &str, containers: &[Container; 2], was_stopping: bool) -> Value {
        let [oneapi, twoapi] = containers;
        let (state, why) = state(containers, was_stopping);
        let text = |name: &str| {
            let value = [twoapi, oneapi].map(|container| container.info[name].as_str());
            value[0].or(value[1])
        };
        let sum = |values: [Option<f64>; 2]| {
            let [a, b] = values;
            (a.is_some() || b.is_some()).then(|| (a.unwrap_or(0.0) + b.unwrap_or(0.0)).round())
        };
        let limit = |container: &Container| container.info["limits"]["cpu_millicores"].as_f64();
        let of_both = |list: fn(&Container) -> &[Value]| [list(oneapi), list(twoapi)].concat();
        let both = || [("oneapi", oneapi), ("twoapi", twoapi)].into_iter();
        let allowed = both().map(|(name, container)| (name, &container.info["faults_allowed"]));
        let known = allowed.clone().any(|(_, allowed)| allowed.is_boolean());
        let allow = allowed.filter(|(_, allowed)| **allowed == true);
        let allow: Vec<_> = allow.map(|(name, _)| name).collect();
        json!({
            "id": id,
            "service": self.service,
            "ip": self.ip.to_string(),
            "name": text("pod"),
            "version": text("version"),
            "node": text("node"),
            "namespace": text("namespace"),
            "state": state,
            "why": why,
            "restarts": oneapi.restarts + twoapi.restarts,
            "started": text("started"),
            "cpu": sum([oneapi.millicores, twoapi.millicores]),
            "limit": sum([limit(oneapi), limit(twoapi)]),
            "stop": longer_stop(containers),
            "burns": oneapi.burns,
            "probes": of_both(|container| &container.probes),
            "faults": of_both(|container| &container.faults),
            "allows_faults": known.then_some(allow),
        })
    }
}

impl Container {
    fn take_info(&mut self, said: &Value) {
        if !said.is_object() {
            return;
        }
        let text = |name: &str| said[name].as_str().map(shown);
        let info = json!({
            "pod": text("pod"),
            "version": text("version"),
            "node": text("node"),
            "namespace": text("namespace"),
            "started": text("started"),
            "limits": { "cpu_millicores": said["limits"]["cpu_millicores"].as_f64() },
            "faults_allowed": said["faults_allowed"].as_bool(),
            "stop": stop(&said["stop"]),
        });
        let same_pod = info["pod"] == self.info["pod"];
        if same_pod && info["started"] != self.info["started"] {
            self.restarts += 1;
        } else if !same_pod {
            self.restarts = 0;
        }
        let now = Instant::now();
        let is_due = |(_, at): (f64, Instant)| now - at >= CPU_INTERVAL;
        if let Some(used) = said["usage"]["cpu_seconds"].as_f64()
            && self.used.is_none_or(is_due)
        {
            if let Some((before, at)) = self.used {
                let elapsed = (now - at).as_secs_f64();
                // Less than before: another process.
                self.millicores = (used >= before).then(|| (used - before) / elapsed * 1000.0);
            }
            self.used = Some((used, now));
        }
        self.info = info;
    }

    /// What `/info` says of the readiness, or else the last probe.
    fn readiness_by(&self, info: &Value) -> Readiness {
        if !info["stop"].is_null() {
            return Readiness::Stopping;
        }
        let readiness = &info["readiness"];
        if let Some(ready) = readiness["ready"].as_bool() {
            return if ready {
                Readiness::Ready
            } else {
                let why = readiness["why"].as_str().unwrap_or_default();
                Readiness::NotReady(shown(why))
            };
        }
        let last = |kind: &str| self.probes.iter().find(|probe| probe["kind"] == kind);
        match last("readiness").or_else(|| last("startup")) {
            Some(probe) if probe["status"] != 200 => {
                let kind = probe["kind"].as_str().unwrap_or_default();
                Readiness::NotReady(format!("{kind} {}", probe["status"]))
            }
            _ => Readiness::Ready,
        }
    }

    /// Whether it tells of its burns to who only looks.
    fn lists_burns(&self) -> bool {
        self.info["faults_allowed"].is_boolean()
    }

    fn take_burns(&mut self, said: &Value) {
        let tenth = |seconds: &Value| (seconds.as_f64().unwrap_or(0.0) * 10.0).round() / 10.0;
        let burns = said.as_array().into_iter().flatten().take(MAX_ENTRIES);
        let burns = burns.map(|burn| {
            json!({
                "id": burn["id"].as_u64(),
                "millicores": burn["granted_millicores"].as_u64(),
                "left": tenth(&burn["left_seconds"]),
            })
        });
        self.burns = burns.collect();
    }

    /// The last probe of each kind.
    fn take_probes(&mut self, name: &str, said: &Value) {
        let kinds = ["liveness", "readiness", "startup", "grpc"].into_iter();
        let last = kinds.filter_map(|kind| {
            let last = said[kind].as_array()?.last()?;
            Some(json!({
                "container": name,
                "kind": kind,
                "at": shown(last["at"].as_str().unwrap_or_default()),
                "status": last["status"].as_u64(),
                "took": last["took_seconds"].as_f64(),
                "every": last["since_last_seconds"].as_f64(),
            }))
        });
        self.probes = last.collect();
    }

    /// The switches that are set: `/faults` lists them.
    fn take_faults(&mut self, name: &str, said: &Value) {
        let faults = said.as_array().into_iter().flatten().take(MAX_ENTRIES);
        let faults = faults.filter_map(|fault| {
            let name_of = shown(fault["name"].as_str()?);
            let left = fault["left"]["seconds"].as_f64();
            Some(json!({ "container": name, "name": name_of, "left": left }))
        });
        self.faults = faults.collect();
    }
}

fn state(containers: &[Container; 2], was_stopping: bool) -> (&'static str, String) {
    let names = ["oneapi", "twoapi"];
    let said = |wanted: fn(&Readiness) -> bool| {
        let mut both = containers.iter().zip(names);
        both.find(|(container, _)| wanted(&container.readiness))
    };
    let all = |wanted| containers.iter().all(|c| c.readiness == wanted);
    if was_stopping {
        return ("stopping", String::new());
    }
    if all(Readiness::NoAnswer) {
        return ("no answer", String::new());
    }
    if let Some((container, name)) = said(|r| matches!(r, Readiness::NotReady(_))) {
        let Readiness::NotReady(why) = &container.readiness else {
            unreachable!("it was just looked for");
        };
        // "starting, 3.0 s to go", or the startup probe of an older version.
        let state = if why.starts_with("start") {
            "starting"
        } else {
            "not ready"
        };
        return (state, format!("{name}: {why}"));
    }
    if let Some((_, name)) = said(|r| *r == Readiness::NoAnswer) {
        return ("not ready", format!("{name}: no answer"));
    }
    ("ready", String::new())
}

/// The stop that ends the pod: that of the container that takes longer, of those that still answer.
fn longer_stop(containers: &[Container; 2]) -> &Value {
    let stops = containers
        .iter()
        .map(|container| match container.readiness {
            Readiness::NoAnswer => &Value::Null,
            _ => &container.info["stop"],
        });
    let left = |stop: &Value| {
        let seconds = |name: &str| stop[name].as_f64();
        // Null has none of them.
        [seconds("deadline_seconds"), seconds("drain_seconds")]
    };
    let longer = |a: &&Value, b: &&Value| left(a).partial_cmp(&left(b)).unwrap_or(Ordering::Equal);
    stops.max_by(longer).unwrap_or(&Value::Null)
}

/// A stop as `/info` has it, and nothing else that may stand there.
fn stop(said: &Value) -> Value {
    let seconds = |name: &str| said[name].as_f64();
    match (
        seconds("since_signal_seconds"),
        seconds("drain_seconds"),
        seconds("deadline_seconds"),
    ) {
        (Some(since_signal), Some(drain), Some(deadline)) => json!({
            "since_signal_seconds": since_signal,
            "drain_seconds": drain,
            "deadline_seconds": deadline,
        }),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn containers(oneapi: Readiness, twoapi: Readiness) -> [Container; 2] {
        [oneapi, twoapi].map(|readiness| Container {
            readiness,
            ..Container::default()
        })
    }

    #[test]
    fn a_pod_is_as_ready_as_its_less_ready_container() {
        use Readiness::{NoAnswer, NotReady, Ready};
        let starting = || NotReady("starting, 3.0 s to go".to_owned());
        let fails = || NotReady("a switch makes it fail".to_owned());
        for (oneapi, twoapi, expected) in [
            (Ready, Ready, "ready"),
            (Ready, starting(), "starting"),
            (fails(), Ready, "not ready"),
            (NoAnswer, Ready, "not ready"),
            (NoAnswer, NoAnswer, "no answer"),
        ] {
            let containers = containers(oneapi, twoapi);
            assert_eq!(state(&containers, false).0, expected, "{containers:?}");
        }
        let containers = containers(Ready, NoAnswer);
        assert_eq!(state(&containers, true).0, "stopping");
    }

    #[test]
    fn the_stop_that_is_shown_is_the_longer_one_of_those_that_go_on() {
        let stopping = |drain: f64, deadline: f64| {
            let mut container = Container {
                readiness: Readiness::Stopping,
                ..Container::default()
            };
            let stop = json!({
                "since_signal_seconds": 0.5, "drain_seconds": drain, "deadline_seconds": deadline,
            });
            container.take_info(&json!({ "pod": "a", "stop": stop }));
            container
        };
        let shown = |containers: [Container; 2]| longer_stop(&containers)["drain_seconds"].clone();
        assert_eq!(shown([stopping(6.0, 20.0), stopping(3.0, 15.0)]), 6.0);
        assert_eq!(shown([stopping(3.0, 15.0), stopping(6.0, 20.0)]), 6.0);
        assert_eq!(shown([stopping(3.0, 20.0), stopping(6.0, 20.0)]), 6.0);
        assert_eq!(shown([Container::default(), stopping(3.0, 15.0)]), 3.0);
        let mut gone = stopping(6.0, 20.0);
        gone.readiness = Readiness::NoAnswer;
        assert_eq!(shown([gone, stopping(3.0, 15.0)]), 3.0, "it has exited");
        assert_eq!(shown(<[Container; 2]>::default()), Value::Null);
    }

    #[test]
    fn readiness_is_what_the_info_says_and_for_an_older_version_what_the_last_probe_saw() {
        let container = |kind: &str, status: u16| {
            let mut container = Container::default();
            container.take_probes("oneapi", &json!({ kind: [{ "status": status }] }));
            container
        };
        let not_ready = |why: &str| Readiness::NotReady(why.to_owned());
        let info = json!({ "readiness": { "ready": true, "why": null } });
        let failed = container("readiness", 503);
        assert_eq!(failed.readiness_by(&info), Readiness::Ready);
        let info = json!({ "readiness": { "ready": false, "why": "starting, 3.0 s to go" } });
        let passed = container("readiness", 200);
        assert_eq!(
            passed.readiness_by(&info),
            not_ready("starting, 3.0 s to go")
        );

        let older = json!({ "pod": "a", "stop": null });
        assert_eq!(failed.readiness_by(&older), not_ready("readiness 503"));
        assert_eq!(passed.readiness_by(&older), Readiness::Ready);
        let starting = container("startup", 503);
        assert_eq!(starting.readiness_by(&older), not_ready("startup 503"));
        let unprobed = Container::default();
        assert_eq!(unprobed.readiness_by(&older), Readiness::Ready);
        let stopping = json!({ "stop": { "since_signal_seconds": 1 } });
        assert_eq!(passed.readiness_by(&stopping), Readiness::Stopping);
    }

    #[test]
    fn of_a_stop_only_numbers_are_passed_on() {
        let stop = |stop: Value| {
            let mut container = Container::default();
            container.take_info(&json!({ "pod": "a", "stop": stop }));
            longer_stop(&[Container::default(), container]).clone()
        };
        let real =
            json!({ "since_signal_seconds": 0.5, "drain_seconds": 2.5, "deadline_seconds": 9.5 });
        assert_eq!(stop(real.clone()), real);
        for wrong in [
            json!("<b>soon</b>"),
            json!({ "since_signal_seconds": "<b>", "drain_seconds": 1, "deadline_seconds": 1 }),
            json!({ "much": "x".repeat(60_000) }),
        ] {
            assert_eq!(stop(wrong), Value::Null);
        }
    }

    #[test]
    fn of_an_answer_is_kept_what_the_page_shows() {
        let long = "x".repeat(10_000);
        let many = |entry: Value| Value::from(vec![entry; 1000]);
        let mut container = Container::default();
        container.take_info(&json!({
            "pod": long, "version": long, "node": long, "namespace": long, "started": long,
            "limits": { "cpu_millicores": 500, "more": long }, "usage": { "cpu_seconds": 1 },
            "more": many(json!({ "a": 0 })),
        }));
        container.take_burns(&many(
            json!({ "id": 1, "granted_millicores": 2, "more": long }),
        ));
        let probe = json!({ "at": long, "status": 200, "took_seconds": 0.1, "more": long });
        container.take_probes("oneapi", &json!({ "liveness": [probe], "more": long }));
        container.take_faults("oneapi", &many(json!({ "name": long, "more": long })));
        let kept = json!([
            container.info,
            container.burns,
            container.probes,
            container.faults
        ]);
        let kept = kept.to_string();
        assert!(kept.len() < 8000, "{}: {kept}", kept.len());
        assert_eq!(container.info["limits"]["cpu_millicores"], 500.0);
        assert_eq!(container.burns[0]["millicores"], 2);
        assert_eq!(container.probes[0]["status"], 200);
    }

    #[test]
    fn another_start_of_the_same_pod_is_a_restart() {
        let mut container = Container::default();
        let info = |pod: &str, started: &str| json!({ "pod": pod, "started": started });
        container.take_info(&info("a", "2026-01-01T00:00:00.000Z"));
        container.take_info(&info("a", "2026-01-01T00:00:00.000Z"));
        assert_eq!(container.restarts, 0);
        container.take_info(&info("a", "2026-01-01T00:01:00.000Z"));
        assert_eq!(container.restarts, 1);
        container.take_info(&info("b", "2026-01-01T00:02:00.000Z"));
        assert_eq!(container.restarts, 0, "the address is another pod's now");
    }
}
