//! `GET /info`: which pod and build answers, what it may use and what it has used.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    config::written,
    faults::{Action, Faults, Name},
    http::Field,
    lifecycle::Life,
    system::{
        container::{self, Limits, Throttling},
        process::{self, Usage},
        seconds,
    },
    telemetry::Identity,
};

#[derive(Serialize)]
struct Info<'a> {
    service: &'a str,
    version: &'a str,
    commit: &'a str,
    pod: &'a str,
    namespace: Option<&'a str>,
    node: Option<&'a str>,
    ip: IpAddr,
    /// RFC 3339, UTC.
    started: String,
    readiness: Readiness,
    /// Whether fault switches may be set.
    faults_allowed: bool,
    limits: Limits,
    usage: Used,
    /// `None` before the stop signal.
    stop: Option<Stopping>,
    /// The fields that the service has added.
    #[serde(flatten)]
    own: BTreeMap<&'static str, Value>,
}

/// What a readiness probe would find now. It isn't one, so a switch that ends after so many probes
/// doesn't count it.
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    /// As the probe's answer would say it. `None` if it would pass.
    why: Option<String>,
}

/// How far a stop has come, in seconds.
#[derive(Serialize)]
struct Stopping {
    since_signal_seconds: f64,
    /// Until the listener closes; 0 when that is over.
    drain_seconds: f64,
    /// Until what is still in flight is given up.
    deadline_seconds: f64,
}

#[derive(Serialize)]
struct Used {
    #[serde(flatten)]
    process: Usage,
    /// `None` if the container has no CPU limit.
    throttling: Option<Throttling>,
}

/// A probe that takes longer has failed: the kubelet's own timeout, unless a manifest has another.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

impl Readiness {
    fn of(life: &Life, faults: &Faults) -> Self {
        let name = Name::Readiness;
        let by = |does: String| {
            Some(format!(
                "{does}, as the fault switch {} says",
                name.as_str()
            ))
        };
        let switched = match faults.action(name) {
            Some(Action::Fail) => by("failing".to_owned()),
            Some(Action::ResetProbe) => by("resetting connections".to_owned()),
            Some(Action::Hang(hang)) if hang >= PROBE_TIMEOUT => {
                by(format!("answering {} later", written(hang)))
            }
            _ => None,
        };
        // The switch comes first, as in a probe's answer.
        let why = switched.or_else(|| life.readiness().err().map(|why| why.to_string()));
        Self {
            ready: why.is_none(),
            why,
        }
    }
}

/// The handler of `/info`.
pub(super) fn page(identity: &Identity, life: &Life, faults: &Faults, own: &[Field]) -> Response {
    let info = Info {
        service: identity.build.service,
        version: identity.build.version,
        commit: identity.build.commit,
        pod: &identity.pod,
        namespace: identity.namespace.as_deref(),
        node: identity.node.as_deref(),
        ip: identity.address.get(),
        started: humantime::format_rfc3339_millis(life.started()).to_string(),
        readiness: Readiness::of(life, faults),
        faults_allowed: faults.allowed(),
        limits: container::limits(),
        usage: Used {
            process: process::usage(),
            throttling: container::throttling(),
        },
        stop: life.requested_stop().map(|stop| {
            let since_signal = stop.at.elapsed();
            let left = |until: Instant| until.saturating_duration_since(Instant::now());
            Stopping {
                since_signal_seconds: seconds(since_signal),
                drain_seconds: seconds(life.drain_delay().saturating_sub(since_signal)),
                deadline_seconds: seconds(left(stop.deadline)),
            }
        }),
        own: own
            .iter()
            .map(|Field(name, value)| (*name, value()))
            .collect(),
    };
    Json(info).into_response()
}
