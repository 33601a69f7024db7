//! What the page shows of a pod:
//!
//! ```json
//! {"id":"0/10.244.0.12","service":0,"ip":"10.244.0.12","name":"chesterdeployment-5d79c7596-lgds2",
//!  "version":"1.0","node":"kind-worker","namespace":"chesterns","state":"ready","why":"",
//!  "started":["2026-01-01T00:00:00.000Z","2026-01-01T00:00:01.000Z"],"cpu":3,"limit":1000,"stop":null,
//!  "burns":[{"id":1,"millicores":250,"left":58.2}],
//!  "probes":[{"kind":"readiness","status":200},{"kind":"liveness","protocol":"HTTP/2","status":200}],
//!  "faults":[{"container":"oneapi","name":"readiness","left":12.5}],
//!  "allows_faults":["oneapi"]}
//! ```
//!
//! of which the [`board`](super::super::board) makes `why`, if there is a reason, a list with the reason in
//! English and in Chinese.
//! The states are `starting`, `ready`, `not ready`, `stopping` and `no answer`; `started` is of oneapi and
//! of twoapi. During an update a pod may be of an older version whose `/info` says less. Without a
//! readiness, the last probe tells. Without `faults_allowed`, `allows_faults` is null and the burns aren't
//! shown, since such a version's list of them is a request like any other.

use std::{cmp::Ordering, net::IpAddr};

use serde::Serialize;
use serde_json::Value;

use super::{
    super::containers::ContainerName,
    container::{Info, PodContainer, Readiness, ShownBurn, ShownFault, ShownProbe, Stop, Text},
};

#[derive(Serialize)]
struct Card<'a> {
    id: &'a str,
    service: usize,
    ip: IpAddr,
    name: Option<&'a Text>,
    version: Option<&'a Text>,
    node: Option<&'a Text>,
    namespace: Option<&'a Text>,
    state: &'static str,
    why: String,
    started: [Option<&'a Text>; 2],
    cpu: Option<f64>,
    limit: Option<f64>,
    stop: Option<Stop>,
    burns: &'a [ShownBurn],
    containers: [ShownContainer<'a>; 2],
    faults: Vec<ShownFault>,
    allows_faults: Option<Vec<ContainerName>>,
}

#[derive(Serialize)]
struct ShownContainer<'a> {
    name: ContainerName,
    state: &'static str,
    cpu: Option<f64>,
    limit: Option<f64>,
    probes: &'a [ShownProbe],
}

/// The card of a pod with these containers, oneapi and twoapi.
pub(super) fn card(
    id: &str,
    service: usize,
    ip: IpAddr,
    containers: &[PodContainer; 2],
    is_stopping: bool,
) -> Value {
    let [oneapi, twoapi] = containers;
    let (state, why) = state(containers, is_stopping);
    let known = containers.iter().any(|c| c.info.faults_allowed.is_some());
    let allowing = containers
        .iter()
        .filter(|c| c.info.faults_allowed == Some(true));
    let card = Card {
        id,
        service,
        ip,
        name: text(containers, |info| info.pod.as_ref()),
        version: text(containers, |info| info.version.as_ref()),
        node: text(containers, |info| info.node.as_ref()),
        namespace: text(containers, |info| info.namespace.as_ref()),
        state,
        why,
        started: [oneapi, twoapi].map(|c| c.info.started.as_ref()),
        cpu: sum([oneapi.millicores, twoapi.millicores]),
        limit: sum([oneapi, twoapi].map(|c| c.info.limits.cpu_millicores)),
        stop: longer_stop(containers),
        burns: &oneapi.burns,
        containers: [oneapi, twoapi].map(|container| ShownContainer {
            name: container.name,
            state: match &container.readiness {
                Readiness::Ready => "ready",
                Readiness::NotReady(why) => not_ready(why),
                Readiness::Stopping => "stopping",
                Readiness::NoAnswer => "no answer",
            },
            cpu: container.millicores.map(f64::round),
            limit: container.info.limits.cpu_millicores,
            probes: &container.probes,
        }),
        faults: [oneapi.faults.as_slice(), &twoapi.faults].concat(),
        allows_faults: known.then(|| allowing.map(|c| c.name).collect()),
    };
    serde_json::to_value(card).expect("it has no keys but texts")
}

/// What twoapi says, or else oneapi.
fn text(containers: &[PodContainer; 2], of: fn(&Info) -> Option<&Text>) -> Option<&Text> {
    let [oneapi, twoapi] = containers;
    of(&twoapi.info).or_else(|| of(&oneapi.info))
}

/// The sum of what is known.
fn sum(values: [Option<f64>; 2]) -> Option<f64> {
    let known = values.into_iter().flatten();
    known.reduce(|a, b| a + b).map(f64::round)
}

/// The pod's state with the reason, if there is one.
fn state(containers: &[PodContainer; 2], is_stopping: bool) -> (&'static str, String) {
    let no_answer = |container: &PodContainer| container.readiness == Readiness::NoAnswer;
    if is_stopping {
        return ("stopping", String::new());
    }
    if containers.iter().all(no_answer) {
        return ("no answer", String::new());
    }
    for PodContainer {
        name, readiness, ..
    } in containers
    {
        if let Readiness::NotReady(why) = readiness {
            return (not_ready(why), format!("{name}: {why}"));
        }
    }
    match containers.iter().find(|container| no_answer(container)) {
        Some(silent) => ("not ready", format!("{}: no answer", silent.name)),
        None => ("ready", String::new()),
    }
}

/// The state of what isn't ready for this reason: "starting, 3.0 s to go", or the startup probe of an older version.
fn not_ready(why: &str) -> &'static str {
    if why.starts_with("start") {
        "starting"
    } else {
        "not ready"
    }
}

/// The stop that ends the pod: of the containers that still answer, that of the one that takes longer.
fn longer_stop(containers: &[PodContainer; 2]) -> Option<Stop> {
    let answering = containers
        .iter()
        .filter(|container| container.readiness != Readiness::NoAnswer);
    let left = |stop: &Stop| (stop.deadline_seconds, stop.drain_seconds);
    let longer = |a: &Stop, b: &Stop| left(a).partial_cmp(&left(b)).unwrap_or(Ordering::Equal);
    answering
        .filter_map(|container| container.info.stop)
        .max_by(longer)
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    fn container(name: ContainerName, readiness: Readiness) -> PodContainer {
        let mut container = PodContainer::new(name);
        container.readiness = readiness;
        container
    }

    #[test]
    fn a_pod_is_as_ready_as_its_less_ready_container() {
        use Readiness::{NoAnswer, NotReady, Ready};
        let starting = || NotReady("starting, 3.0 s to go".to_owned());
        let fails = || NotReady("a switch makes it fail".to_owned());
        let both = |oneapi, twoapi| {
            [
                container(ContainerName::Oneapi, oneapi),
                container(ContainerName::Twoapi, twoapi),
            ]
        };
        for (oneapi, twoapi, expected) in [
            (Ready, Ready, "ready"),
            (Ready, starting(), "starting"),
            (fails(), Ready, "not ready"),
            (NoAnswer, Ready, "not ready"),
            (NoAnswer, NoAnswer, "no answer"),
        ] {
            let containers = both(oneapi, twoapi);
            assert_eq!(state(&containers, false).0, expected, "{containers:?}");
        }
        let containers = both(Ready, NoAnswer);
        assert_eq!(state(&containers, true).0, "stopping");
    }

    #[test]
    fn the_stop_that_is_shown_is_the_longer_one_of_those_that_go_on() {
        let ready = || container(ContainerName::Oneapi, Readiness::Ready);
        let stopping = |drain: f64, deadline: f64| {
            let mut container = ready();
            let stop = json!({
                "since_signal_seconds": 0.5, "drain_seconds": drain, "deadline_seconds": deadline,
            });
            container.take_info(from_value(json!({ "stop": stop })).unwrap());
            container
        };
        let drain = |containers| longer_stop(&containers).map(|stop| stop.drain_seconds);
        assert_eq!(drain([stopping(6.0, 20.0), stopping(3.0, 15.0)]), Some(6.0));
        assert_eq!(drain([stopping(3.0, 15.0), stopping(6.0, 20.0)]), Some(6.0));
        assert_eq!(drain([stopping(3.0, 20.0), stopping(6.0, 20.0)]), Some(6.0));
        assert_eq!(drain([ready(), stopping(3.0, 15.0)]), Some(3.0));
        let mut gone = stopping(6.0, 20.0);
        gone.take_no_answer();
        assert_eq!(
            drain([gone, stopping(3.0, 15.0)]),
            Some(3.0),
            "it has exited"
        );
        assert_eq!(drain([ready(), ready()]), None);
    }
}
