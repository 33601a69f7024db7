//! `GET /info`: which pod and build answers, what it may use and what it has used.

use std::{net::IpAddr, time::SystemTime};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    system::{
        container::{self, Limits, Throttling},
        process::{self, Usage},
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
}

#[derive(Serialize)]
struct Used {
    #[serde(flatten)]
    process: Usage,
    /// None where the container has no CPU limit.
    throttling: Option<Throttling>,
}

/// The handler of `/info`. `started` is when the service did.
pub(super) fn page(identity: &Identity, started: SystemTime) -> Response {
    let info = Info {
        service: identity.build.service,
        version: identity.build.version,
        commit: identity.build.commit,
        pod: &identity.pod,
        namespace: identity.namespace.as_deref(),
        node: identity.node.as_deref(),
        ip: identity.address.get(),
        started: humantime::format_rfc3339_millis(started).to_string(),
        limits: container::limits(),
        usage: Used {
            process: process::usage(),
            throttling: container::throttling(),
        },
    };
    Json(info).into_response()
}
