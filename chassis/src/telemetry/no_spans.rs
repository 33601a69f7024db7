//! What stands in the place of `otlp` in a program that is built without it.

use std::net::IpAddr;

use hyper::{Request, StatusCode, header::HeaderValue};

use super::{identity, trace_context::TraceContext};
use crate::config::Build;

#[derive(Clone, Debug, Default)]
pub(crate) struct Spans {}

/// There is none.
#[derive(Debug)]
pub(crate) enum Span {}

impl Spans {
    /// Says that there is no such thing. It isn't an error: the OpenTelemetry Operator sets these variables on
    /// Pods that know nothing of it.
    pub(super) fn export(variable: &str, _: Build, _: &identity::Settings) -> Self {
        tracing::warn!(
            "{variable} is set, but this program is built without the feature otlp and exports no spans; build \
             its image with FEATURES=otlp, or set OTEL_TRACES_EXPORTER=none"
        );
        Self {}
    }

    pub(super) fn of_request<B>(
        &self,
        _: Option<TraceContext>,
        _: &[HeaderValue],
        _: Option<&'static str>,
        _: IpAddr,
        _: &Request<B>,
    ) -> Option<Span> {
        None
    }

    pub(super) fn of_call(
        &self,
        _: TraceContext,
        _: &[HeaderValue],
        _: &str,
        _: &str,
        _: u16,
    ) -> Option<Span> {
        None
    }

    pub(crate) async fn flush(&self) {}
}

impl Span {
    pub(super) fn context(&self) -> TraceContext {
        match *self {}
    }

    pub(super) fn answered(&mut self, _: StatusCode, _: bool) {
        match *self {}
    }

    pub(super) fn failed(&mut self, _: &'static str) {
        match *self {}
    }
}
