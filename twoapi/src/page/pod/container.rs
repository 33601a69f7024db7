//! What is known of one container. Of its answers only what the page shows is kept.

use std::collections::VecDeque;

use chassis::text::shown;
use serde::{Deserialize, Serialize};
use tokio::time::{Duration, Instant};

use super::super::containers::ContainerName;

/// The kernel may count CPU time in hundredths of a second. Averaged over so long, one of them more or less is
/// 2.5 millicores.
const CPU_WINDOW: Duration = Duration::from_secs(4);

/// How often within that time the CPU time is noted at most.
const CPU_INTERVAL: Duration = Duration::from_millis(700);

/// How many burns, and how many fault switches, are kept of one container: the default of MAX_BURNS.
const MAX_ENTRIES: usize = 16;

#[derive(Debug)]
pub(super) struct PodContainer {
    pub(super) name: ContainerName,
    pub(super) readiness: Readiness,
    pub(super) info: Info,
    pub(super) burns: Vec<ShownBurn>,
    pub(super) probes: Vec<ShownProbe>,
    pub(super) faults: Vec<ShownFault>,
    /// The CPU that it uses; `None` before that is known.
    pub(super) millicores: Option<f64>,
    /// The CPU seconds that it had used, and when.
    used: VecDeque<(f64, Instant)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    Ready,
    /// With the reason.
    NotReady(String),
    Stopping,
    NoAnswer,
}

/// A text of a pod, as it may be shown anywhere.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(from = "String")]
pub(super) struct Text(pub(super) String);

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(shown(text))
    }
}

/// What `/info` answers. An older version may lack any of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Info {
    pub(super) pod: Option<Text>,
    pub(super) version: Option<Text>,
    pub(super) node: Option<Text>,
    pub(super) namespace: Option<Text>,
    pub(super) started: Option<Text>,
    pub(super) limits: Limits,
    pub(super) faults_allowed: Option<bool>,
    pub(super) stop: Option<Stop>,
    readiness: Option<InfoReadiness>,
    usage: Usage,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Limits {
    pub(super) cpu_millicores: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Usage {
    cpu_seconds: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct InfoReadiness {
    ready: bool,
    why: Option<Text>,
}

/// How far a stop has come.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Stop {
    pub(super) since_signal_seconds: f64,
    pub(super) drain_seconds: f64,
    pub(super) deadline_seconds: f64,
}

/// A burn that runs, as `/burns` lists it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct ShownBurn {
    id: u64,
    #[serde(rename(deserialize = "granted_millicores"))]
    millicores: u32,
    #[serde(rename(deserialize = "left_seconds"))]
    left: f64,
}

/// What `/probes` answers: the last probes of each kind.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Probes {
    liveness: Vec<ProbeAnswer>,
    readiness: Vec<ProbeAnswer>,
    startup: Vec<ProbeAnswer>,
    grpc: Vec<ProbeAnswer>,
}

#[derive(Debug, Deserialize)]
struct ProbeAnswer {
    status: u16,
    /// An older version doesn't say it.
    #[serde(default)]
    protocol: String,
}

/// The last probe of a kind. The page shows the fields in this order.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ShownProbe {
    kind: &'static str,
    /// HTTP/2, if it was that. Without it, it was gRPC's if that is the kind, and else HTTP/1.
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'static str>,
    status: u16,
}

/// A fault switch that is set, as `/faults` lists it.
#[derive(Debug, Deserialize)]
pub(super) struct Fault {
    name: Text,
    #[serde(default)]
    left: FaultLeft,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FaultLeft {
    seconds: Option<f64>,
}

/// A fault switch that is set.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ShownFault {
    container: ContainerName,
    name: Text,
    left: Option<f64>,
}

impl PodContainer {
    /// A container that has not answered yet.
    pub(super) fn new(name: ContainerName) -> Self {
        Self {
            name,
            readiness: Readiness::NoAnswer,
            info: Info::default(),
            burns: Vec::new(),
            probes: Vec::new(),
            faults: Vec::new(),
            millicores: None,
            used: VecDeque::new(),
        }
    }

    /// It doesn't answer.
    pub(super) fn take_no_answer(&mut self) {
        self.readiness = Readiness::NoAnswer;
        self.millicores = None;
    }

    /// Takes what `/info` says. Without a readiness in it, the last probe tells.
    pub(super) fn take_info(&mut self, info: Info) {
        let now = Instant::now();
        if let Some(used) = info.usage.cpu_seconds {
            self.take_cpu(used, now);
        }
        self.readiness = match &info {
            Info { stop: Some(_), .. } => Readiness::Stopping,
            Info {
                readiness: Some(InfoReadiness { ready, why }),
                ..
            } => match why {
                _ if *ready => Readiness::Ready,
                Some(Text(why)) => Readiness::NotReady(why.clone()),
                None => Readiness::NotReady(String::new()),
            },
            _ => self.readiness_by_probes(),
        };
        self.info = info;
    }

    fn take_cpu(&mut self, used: f64, now: Instant) {
        let last = self.used.back().copied();
        if last.is_some_and(|(_, at)| now - at < CPU_INTERVAL) {
            return;
        }
        // Another process may have used less than the one before.
        if last.is_some_and(|(before, _)| used < before) {
            self.used.clear();
        }
        self.used.push_back((used, now));
        while self
            .used
            .get(1)
            .is_some_and(|(_, at)| now - *at >= CPU_WINDOW)
        {
            self.used.pop_front();
        }
        let (first, since) = self.used[0];
        let elapsed = (now - since).as_secs_f64();
        self.millicores = (elapsed > 0.0).then(|| (used - first) / elapsed * 1000.0);
    }

    fn readiness_by_probes(&self) -> Readiness {
        let last = |kind: &str| self.probes.iter().find(|probe| probe.kind == kind);
        match last("readiness").or_else(|| last("startup")) {
            Some(ShownProbe { kind, status, .. }) if *status != 200 => {
                Readiness::NotReady(format!("{kind} {status}"))
            }
            _ => Readiness::Ready,
        }
    }

    /// Whether it lists its burns on a route that no metric knows of. An older version doesn't, nor does it
    /// say whether it allows fault switches.
    pub(super) fn lists_burns(&self) -> bool {
        self.info.faults_allowed.is_some()
    }

    pub(super) fn take_burns(&mut self, mut burns: Vec<ShownBurn>) {
        burns.truncate(MAX_ENTRIES);
        self.burns = burns;
    }

    pub(super) fn take_probes(&mut self, probes: &Probes) {
        let kinds = [
            ("liveness", &probes.liveness),
            ("readiness", &probes.readiness),
            ("startup", &probes.startup),
            ("grpc", &probes.grpc),
        ];
        let last = kinds.into_iter().filter_map(|(kind, answers)| {
            let ProbeAnswer { status, protocol } = answers.last()?;
            let http2 = "HTTP/2";
            Some(ShownProbe {
                kind,
                protocol: (protocol == http2).then_some(http2),
                status: *status,
            })
        });
        self.probes = last.collect();
    }

    pub(super) fn take_faults(&mut self, faults: Vec<Fault>) {
        let faults = faults.into_iter().take(MAX_ENTRIES);
        let container = self.name;
        self.faults = faults
            .map(|Fault { name, left }| ShownFault {
                container,
                name,
                left: left.seconds,
            })
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn info(fields: Value) -> Info {
        from_value(fields).unwrap()
    }

    #[test]
    fn readiness_is_what_the_info_says_and_for_an_older_version_what_the_last_probe_saw() {
        let readiness = |probe: Value, fields: Value| {
            let mut container = PodContainer::new(ContainerName::Oneapi);
            container.take_probes(&from_value(probe).unwrap());
            container.take_info(info(fields));
            container.readiness
        };
        let not_ready = |why: &str| Readiness::NotReady(why.to_owned());
        let failed = || json!({ "readiness": [{ "status": 503 }] });
        let passed = || json!({ "readiness": [{ "status": 200 }] });
        let ready = json!({ "readiness": { "ready": true, "why": null } });
        assert_eq!(readiness(failed(), ready), Readiness::Ready);
        let starting = json!({ "readiness": { "ready": false, "why": "starting, 3.0 s to go" } });
        assert_eq!(
            readiness(passed(), starting),
            not_ready("starting, 3.0 s to go")
        );

        let older = || json!({ "pod": "a", "stop": null });
        assert_eq!(readiness(failed(), older()), not_ready("readiness 503"));
        assert_eq!(readiness(passed(), older()), Readiness::Ready);
        let startup = json!({ "startup": [{ "status": 503 }] });
        assert_eq!(readiness(startup, older()), not_ready("startup 503"));
        assert_eq!(readiness(json!({}), older()), Readiness::Ready);
        let stop =
            json!({ "since_signal_seconds": 1, "drain_seconds": 2, "deadline_seconds": 9.5 });
        let stopping = readiness(passed(), json!({ "stop": stop }));
        assert_eq!(stopping, Readiness::Stopping);
    }

    #[test]
    fn a_small_burn_is_seen_in_what_is_counted_in_hundredths_of_a_second() {
        let mut container = PodContainer::new(ContainerName::Oneapi);
        // At rest 3 millicores, and after ten seconds 50 more.
        let (mut used, mut rest, mut burning) = (0.0, Vec::new(), Vec::new());
        let start = Instant::now();
        let at = |round| start + Duration::from_millis(400) * round;
        for round in 0..75 {
            let counted = f64::floor(used * 100.0) / 100.0;
            container.take_cpu(counted, at(round));
            match round {
                12..=25 => rest.extend(container.millicores),
                40.. => burning.extend(container.millicores),
                _ => {}
            }
            let millicores = if round < 25 { 3.0 } else { 53.0 };
            used += 0.4 * millicores / 1000.0;
        }
        assert!(rest.iter().all(|m| (0.0..6.0).contains(m)), "{rest:?}");
        assert!(
            burning.iter().all(|m| (50.0..56.0).contains(m)),
            "{burning:?}"
        );
        // Another process begins anew.
        container.take_cpu(0.01, at(77));
        assert_eq!(container.millicores, None);
    }

    #[test]
    fn an_info_with_anything_but_its_own_types_is_none() {
        for wrong in [
            json!({ "stop": "<b>soon</b>" }),
            json!({ "stop": { "since_signal_seconds": "<b>", "drain_seconds": 1, "deadline_seconds": 1 } }),
            json!({ "pod": { "a": 1 } }),
            json!({ "limits": { "cpu_millicores": "many" } }),
            json!("text"),
        ] {
            assert!(from_value::<Info>(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn of_the_last_probe_of_each_kind_http_2_is_told() {
        let mut container = PodContainer::new(ContainerName::Oneapi);
        let http1 = json!({ "status": 200, "protocol": "HTTP/1.1" });
        let http2 = json!({ "status": 503, "protocol": "HTTP/2" });
        let other = json!({ "status": 200, "protocol": "<b>HTTP/2</b>" });
        let probes = json!({
            "liveness": [http2, http1],
            "readiness": [http1, http2],
            "startup": [{ "status": 200 }],
            "grpc": [other],
        });
        container.take_probes(&from_value(probes).unwrap());
        // As text: the page shows the fields in their order.
        assert_eq!(
            serde_json::to_value(&container.probes).unwrap().to_string(),
            json!([
                { "kind": "liveness", "status": 200 },
                { "kind": "readiness", "protocol": "HTTP/2", "status": 503 },
                { "kind": "startup", "status": 200 },
                { "kind": "grpc", "status": 200 },
            ])
            .to_string()
        );
    }

    #[test]
    fn of_an_answer_is_kept_what_the_page_shows() {
        let long = "x".repeat(10_000);
        let many = |entry: Value| Value::from(vec![entry; 1000]);
        let mut container = PodContainer::new(ContainerName::Oneapi);
        container.take_info(info(json!({
            "pod": long, "version": long, "node": long, "namespace": long, "started": long,
            "limits": { "cpu_millicores": 500, "more": long }, "usage": { "cpu_seconds": 1 },
            "readiness": { "ready": false, "why": long }, "more": many(json!({ "a": 0 })),
        })));
        let burn = json!({ "id": 1, "granted_millicores": 2, "left_seconds": 3, "more": long });
        container.take_burns(from_value(many(burn)).unwrap());
        let probe = json!({ "status": 200, "more": long });
        container.take_probes(&from_value(json!({ "grpc": [probe], "more": long })).unwrap());
        let fault = json!({ "name": long, "left": { "seconds": null }, "more": long });
        container.take_faults(from_value(many(fault)).unwrap());
        let kept = format!("{container:?}");
        assert!(kept.len() < 9000, "{} bytes", kept.len());
        assert_eq!(container.info.limits.cpu_millicores, Some(500.0));
        assert_eq!(container.burns[0].millicores, 2);
        assert_eq!(container.probes[0].status, 200);
    }
}
