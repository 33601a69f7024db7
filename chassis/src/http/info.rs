//! `GET /info`: which pod and build answers, what it may use and what it has used.

use std::{collections::BTreeMap, net::IpAddr, time::Instant};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;

use super::routes::Field;
use crate::{
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
    limits: Limits,
    usage: Used,
    /// None before the stop signal.
    stop: Option<Stopping>,
    /// The service's own.
    #[serde(flatten)]
    own: BTreeMap<&'static str, Value>,
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
    /// None where the container has no CPU limit.
    throttling: Option<Throttling>,
}

/// The handler of `/info`.
pub(super) fn page(identity: &Identity, life: &Life, own: &[Field]) -> Response {
    let info = Info {
        service: identity.build.service,
        version: identity.build.version,
        commit: identity.build.commit,
        pod: &identity.pod,
        namespace: identity.namespace.as_deref(),
        node: identity.node.as_deref(),
        ip: identity.address.get(),
        started: humantime::format_rfc3339_millis(life.started()).to_string(),
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
