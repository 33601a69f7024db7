//! Takes up the trace that a client's request belongs to. The cluster's own requests belong to none: probes
//! and scrapes would be most of what a collector gets.

use axum::http::Request;

use crate::{
    http::kind::Kind,
    server::Peer,
    telemetry::trace::{RequestSpan, Spans},
};

pub(in crate::http) fn begin<B>(
    spans: &Spans,
    kind: Kind,
    template: &'static str,
    peer: &Peer,
    request: &Request<B>,
) -> RequestSpan {
    let template = match kind {
        Kind::Ordinary => Some(template),
        Kind::Unmatched => None,
        Kind::Probe(_) | Kind::Operations => return RequestSpan::default(),
    };
    RequestSpan::begin(spans, template, peer.ip(), request)
}
