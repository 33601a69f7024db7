//! `GET /metrics`: Prometheus' text format, or OpenMetrics where the scraper prefers it.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::IntoResponse,
};

use super::accept::{VARY_ACCEPT, prefers_openmetrics};
use crate::telemetry::Metrics;

const PROMETHEUS: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const OPENMETRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

pub(super) async fn metrics(
    State(metrics): State<Metrics>,
    headers: HeaderMap,
) -> impl IntoResponse {
    let (content_type, text) = if prefers_openmetrics(&headers) {
        (OPENMETRICS, metrics.openmetrics_text())
    } else {
        (PROMETHEUS, metrics.prometheus_text())
    };
    (VARY_ACCEPT, [(header::CONTENT_TYPE, content_type)], text)
}
