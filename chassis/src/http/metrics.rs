//! `GET /metrics`: Prometheus' text format, or OpenMetrics where the scraper asks for it.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::IntoResponse,
};

use crate::telemetry::Metrics;

const PROMETHEUS: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const OPENMETRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

pub(super) async fn metrics(
    State(metrics): State<Metrics>,
    headers: HeaderMap,
) -> impl IntoResponse {
    // Whoever names OpenMetrics at all is a scraper that prefers it; nobody else has heard of it.
    let asks_for_openmetrics = headers.get_all(header::ACCEPT).iter().any(|accept| {
        accept
            .to_str()
            .is_ok_and(|accept| accept.contains("application/openmetrics-text"))
    });
    let (content_type, text) = if asks_for_openmetrics {
        (OPENMETRICS, metrics.openmetrics_text())
    } else {
        (PROMETHEUS, metrics.prometheus_text())
    };
    ([(header::CONTENT_TYPE, content_type)], text)
}
