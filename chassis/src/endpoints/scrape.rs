//! `GET /metrics`: Prometheus' text format, or OpenMetrics if the scraper prefers it. Here too the metrics
//! of the connections, since the server knows no metrics.

use std::fmt;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::IntoResponse,
};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use crate::{
    http::{VARY_ACCEPT, prefers_openmetrics},
    server::Census,
    telemetry::{Metrics, counter, gauge},
};

const PROMETHEUS: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const OPENMETRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

pub(super) async fn page(State(metrics): State<Metrics>, headers: HeaderMap) -> impl IntoResponse {
    let (content_type, text) = if prefers_openmetrics(&headers) {
        (OPENMETRICS, metrics.openmetrics_text())
    } else {
        (PROMETHEUS, metrics.prometheus_text())
    };
    (VARY_ACCEPT, [(header::CONTENT_TYPE, content_type)], text)
}

impl Collector for Census {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        gauge(
            &mut encoder,
            "connections_open",
            "Connections that are open, without those beyond MAX_CONNECTIONS",
            i64::try_from(self.open()).unwrap_or(i64::MAX),
        )?;
        counter(
            &mut encoder,
            "connections_surplus",
            "Connections beyond MAX_CONNECTIONS, which got answers to probes alone",
            self.surplus(),
        )
    }
}
