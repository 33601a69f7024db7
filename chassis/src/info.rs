//! `/info`: which pod and build answers, what it may use and what it has used.

use std::{net::IpAddr, time::SystemTime};

use axum::{
    http::{HeaderValue, header},
    response::IntoResponse,
};
use serde::Serialize;

use crate::{
    Identity,
    container::{self, Limits, Throttling},
    process::{self, Usage},
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
pub(crate) fn page(identity: &Identity, started: SystemTime) -> impl IntoResponse + use<> {
    let info = Info {
        service: identity.service.name,
        version: identity.service.version,
        commit: identity.service.commit,
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
    let json = serde_json::to_string(&info).expect("plain values always become JSON");
    (
        [(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )],
        json,
    )
}
