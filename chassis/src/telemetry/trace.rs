//! The trace that a request belongs to, which its log lines name and its calls of other services pass on. It
//! is taken up from the request's headers. Without them there is one if spans are exported, and else none:
//! ids that nothing else has would tell nobody anything, and cost each request some.

use std::{env, net::IpAddr};

use hyper::{
    HeaderMap, Request, StatusCode,
    header::{HeaderName, HeaderValue},
};

#[cfg(not(feature = "otlp"))]
use super::no_spans as spans;
#[cfg(feature = "otlp")]
use super::otlp as spans;
use super::{
    identity,
    trace_context::{TRACEPARENT, TraceContext},
};
use crate::{base::random, config::Build};

pub(crate) use spans::{Span, Spans};

/// What tracing systems have noted for themselves. It is passed on as it came.
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The trace of a request that is being answered. A handler finds it in the request's extensions.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The request's own.
    context: TraceContext,
    state: Vec<HeaderValue>,
    spans: Spans,
}

/// A request as a part of its trace, until this is dropped. One that belongs to none takes no memory for it.
#[derive(Debug, Default)]
pub(crate) struct RequestSpan(Option<Box<Traced>>);

#[derive(Debug)]
struct Traced {
    trace: Trace,
    /// What the request's log lines are written in, so that they have `trace_id` and `span_id`.
    log: tracing::Span,
    span: Option<Span>,
}

/// A call of another service, until this is dropped.
#[derive(Debug)]
pub struct Call {
    /// What the call has to say.
    pub headers: HeaderMap,
    span: Option<Span>,
}

/// Has spans exported if the environment says where to.
pub(crate) fn export(build: Build, settings: &identity::Settings) -> Spans {
    let is =
        |name, value: &str| env::var_os(name).is_some_and(|set| set.eq_ignore_ascii_case(value));
    let off = is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none");
    let is_set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let endpoints = [
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ];
    match endpoints.into_iter().find(is_set) {
        Some(endpoint) if !off => Spans::export(endpoint, build, settings),
        _ => Spans::default(),
    }
}

impl RequestSpan {
    /// Takes up the trace of a request for this route; `None` stands for no route.
    pub(crate) fn begin<B>(
        spans: &Spans,
        template: Option<&'static str>,
        client: IpAddr,
        request: &Request<B>,
    ) -> Self {
        let caller = TraceContext::of(request.headers());
        let state = match caller {
            Some(_) => request
                .headers()
                .get_all(TRACESTATE)
                .iter()
                .cloned()
                .collect(),
            None => Vec::new(),
        };
        let span = spans.of_request(caller, &state, template, client, request);
        let own = match (&span, caller) {
            (Some(span), _) => span.context(),
            (None, Some(caller)) => TraceContext {
                span_id: random().max(1),
                ..caller
            },
            (None, None) => return Self(None),
        };
        // Whatever level is logged: a span that is left out would leave the ids out of an error's line.
        let log = tracing::error_span!(
            "request",
            trace_id = format_args!("{:032x}", own.trace_id),
            span_id = format_args!("{:016x}", own.span_id)
        );
        let trace = Trace {
            context: own,
            state,
            spans: spans.clone(),
        };
        Self(Some(Box::new(Traced { trace, log, span })))
    }

    /// What the handler is handed.
    pub(crate) fn trace(&self) -> Option<&Trace> {
        self.0.as_ref().map(|traced| &traced.trace)
    }

    pub(crate) fn log(&self) -> tracing::Span {
        let log = self.0.as_ref().map(|traced| traced.log.clone());
        log.unwrap_or_else(tracing::Span::none)
    }

    /// Its log lines have the ids.
    pub(crate) fn in_scope<T>(&self, lines: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(traced) => traced.log.in_scope(lines),
            None => lines(),
        }
    }

    /// `None`: its client has left before the answer.
    pub(crate) fn end(&mut self, status: Option<StatusCode>) {
        let span = self.0.as_mut().and_then(|traced| traced.span.as_mut());
        if let (Some(span), Some(status)) = (span, status) {
            span.answered(status, status.is_server_error());
        }
    }
}

impl Trace {
    /// Begins a `GET` of that URL, at that host and port.
    pub fn call(&self, url: &str, host: &str, port: u16) -> Call {
        let span = self
            .spans
            .of_call(self.context, &self.state, url, host, port);
        let context = span.as_ref().map_or(self.context, Span::context);
        let mut headers = HeaderMap::new();
        let parent = HeaderValue::try_from(context.to_string()).expect("digits and letters");
        headers.insert(TRACEPARENT, parent);
        for state in &self.state {
            headers.append(TRACESTATE, state.clone());
        }
        Call { headers, span }
    }
}

impl Call {
    /// It was answered.
    pub fn answered(&mut self, status: StatusCode) {
        if let Some(span) = &mut self.span {
            span.answered(status, status.is_client_error() || status.is_server_error());
        }
    }

    /// It wasn't, for this reason: one word.
    pub fn failed(&mut self, reason: &'static str) {
        if let Some(span) = &mut self.span {
            span.failed(reason);
        }
    }
}
