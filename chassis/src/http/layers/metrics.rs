//! Counts and times each request, from its headers to the last byte of its answer, whichever way it
//! ends: answered, or its client gone. Requests of who looks on are left out: the numbers would be of
//! the looking.

use std::{sync::Arc, time::Instant};

use axum::http::{Method, Request, StatusCode};

use crate::{http::routes::Kind, telemetry::RouteMetrics, text::shown};

/// A request that is in flight until this is dropped.
#[derive(Debug)]
pub(in crate::http) struct Record {
    /// None: it isn't counted.
    route: Option<Arc<RouteMetrics>>,
    method: Method,
    /// None until the answer begins.
    status: Option<StatusCode>,
    start: Instant,
}

pub(in crate::http) fn begin<B>(
    route: &Arc<RouteMetrics>,
    kind: Kind,
    request: &Request<B>,
) -> Record {
    tracing::debug!(
        method = shown(request.method().as_str()),
        uri = shown(request.uri().to_string()),
        "request"
    );
    let route = (kind != Kind::Operations).then(|| Arc::clone(route));
    if let Some(route) = &route {
        route.begin();
    }
    Record {
        route,
        method: request.method().clone(),
        status: None,
        start: Instant::now(),
    }
}

impl Record {
    /// The answer has begun.
    pub(in crate::http) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let took = self.start.elapsed();
        tracing::debug!(
            status = self.status.map(|status| status.as_u16()),
            ?took,
            "request over"
        );
        if let Some(route) = &self.route {
            route.end(&self.method, self.status, took);
        }
    }
}
