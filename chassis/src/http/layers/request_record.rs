//! Counts and times each request, from its headers to the last byte of its answer, whichever way it
//! ends: answered, or its client gone. An observer's requests are left out: the numbers would be of the
//! observing.

use std::{sync::Arc, time::Instant};

use axum::http::{Request, StatusCode};

use crate::{
    http::kind::Kind,
    telemetry::{MethodLabel, RouteMetrics, trace::RequestSpan},
    text::shown,
};

/// A request that is in flight until this is dropped.
#[derive(Debug)]
pub(in crate::http) struct RequestRecord {
    /// `None` if it isn't counted.
    route: Option<Arc<RouteMetrics>>,
    method: MethodLabel,
    /// `None` until the answer begins.
    status: Option<StatusCode>,
    start: Instant,
    pub(in crate::http) span: RequestSpan,
}

pub(in crate::http) fn begin<B>(
    route: &Arc<RouteMetrics>,
    kind: Kind,
    request: &Request<B>,
    span: RequestSpan,
) -> RequestRecord {
    span.in_scope(|| {
        tracing::debug!(
            method = shown(request.method().as_str()),
            uri = shown(request.uri().to_string()),
            "request"
        );
    });
    let route = (kind != Kind::Operations).then(|| Arc::clone(route));
    if let Some(route) = &route {
        route.begin();
    }
    RequestRecord {
        route,
        method: MethodLabel::of(request.method()),
        status: None,
        start: Instant::now(),
        span,
    }
}

impl RequestRecord {
    /// The answer has begun.
    pub(in crate::http) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        let took = self.start.elapsed();
        self.span.end(self.status);
        self.span.in_scope(|| {
            tracing::debug!(
                status = self.status.map(|status| status.as_u16()),
                ?took,
                "request over"
            );
        });
        if let Some(route) = &self.route {
            route.end(self.method, self.status, took);
        }
    }
}
