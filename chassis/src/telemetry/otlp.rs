//! Spans: what a request and a call took, sent by OTLP to a collector, as the variables `OTEL_…` of the
//! OpenTelemetry SDK say. Attributes have the names of the semantic conventions:
//! <https://opentelemetry.io/docs/specs/semconv/http/http-spans/>
//!
//! A request hands its span to a queue with an end, and a thread of the SDK sends what is in there every five
//! seconds, so no request waits for a collector.

use std::{
    env,
    error::Error,
    iter::successors,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use hyper::{
    Method, Request, Response, StatusCode, Version,
    body::Bytes,
    header::{HOST, HeaderValue, USER_AGENT},
    http::uri::Authority,
};
use opentelemetry::{
    Context, KeyValue,
    trace::{
        Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
        TraceState, Tracer, TracerProvider,
    },
};
use opentelemetry_http::{HttpClient, HttpError, hyper::HyperClient};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    resource::{EnvResourceDetector, TelemetryResourceDetector},
    trace::{IdGenerator, SdkTracer, SdkTracerProvider},
};
use tokio::runtime::Handle;

use super::{identity, metrics::MethodLabel, trace_context::TraceContext};
use crate::{base::random, config::Build, text::shown};

/// How long a stop waits for the last spans. A collector that is there takes them in milliseconds; one that
/// isn't should hold up no stop.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a collector may take to answer. The SDK gives a batch up after ten seconds, by default.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes spans and has them sent. The default is not to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spans(Option<Arc<(SdkTracerProvider, SdkTracer)>>);

/// What it took from now on, until this is dropped.
#[derive(Debug)]
pub(crate) struct Span(opentelemetry_sdk::trace::Span);

impl Spans {
    /// Has spans sent to where the variable says.
    pub(super) fn export(variable: &str, build: Build, settings: &identity::Settings) -> Self {
        let protocols = [
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
        ];
        if let Some(protocol) = protocols.into_iter().find_map(|name| env::var(name).ok())
            && !matches!(&*protocol, "" | "http/protobuf")
        {
            tracing::warn!(
                "the protocol of OTLP can't be '{}': spans are sent by http/protobuf, for which collectors \
                 listen at port 4318",
                shown(&protocol)
            );
        }
        let sender = Sender {
            client: HyperClient::with_default_connector(SEND_TIMEOUT, None),
            runtime: Handle::current(),
            failing: AtomicBool::new(false),
        };
        let exporter = SpanExporter::builder().with_http().with_http_client(sender);
        let exporter = match exporter.build() {
            Ok(exporter) => exporter,
            Err(error) => {
                tracing::warn!(%error, "{variable} is set, but no spans are exported");
                return Self::default();
            }
        };
        let provider = SdkTracerProvider::builder()
            .with_resource(resource(build, settings))
            .with_id_generator(Ids)
            .with_batch_exporter(exporter)
            .build();
        // The last handle would wait for the collector when it is dropped, and a second signal ends the
        // process at once.
        std::mem::forget(provider.clone());
        let tracer = provider.tracer(build.service);
        Self(Some(Arc::new((provider, tracer))))
    }

    pub(super) fn of_request<B>(
        &self,
        caller: Option<TraceContext>,
        state: &[HeaderValue],
        template: Option<&'static str>,
        client: IpAddr,
        request: &Request<B>,
    ) -> Option<Span> {
        let method = match MethodLabel::of(request.method()).as_str() {
            "OTHER" => "_OTHER",
            known => known,
        };
        let mut attributes = vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("url.scheme", "http"),
            KeyValue::new("url.path", shown(request.uri().path())),
            KeyValue::new("client.address", client.to_string()),
            KeyValue::new("network.protocol.version", version(request.version())),
        ];
        let (uri, headers) = (request.uri(), request.headers());
        let host = || headers.get(HOST)?.to_str().ok()?.parse::<Authority>().ok();
        let host = uri.authority().cloned().or_else(host);
        let verb = if method == "_OTHER" { "HTTP" } else { method };
        attributes.extend(
            [
                ("http.route", template.map(str::to_owned)),
                (
                    "http.request.method_original",
                    (verb != method).then(|| shown(request.method().as_str())),
                ),
                ("url.query", uri.query().map(shown)),
                (
                    "server.address",
                    host.as_ref().map(|host| shown(host.host())),
                ),
                ("user_agent.original", headers.get(USER_AGENT).map(shown)),
            ]
            .into_iter()
            .filter_map(|(name, value)| Some(KeyValue::new(name, value?))),
        );
        let port = host.as_ref().and_then(Authority::port_u16);
        attributes.extend(port.map(|port| KeyValue::new("server.port", i64::from(port))));
        let name = template.map_or(verb.to_owned(), |template| format!("{verb} {template}"));
        self.begin(
            SpanKind::Server,
            name,
            caller.map(|caller| (caller, true)),
            state,
            attributes,
        )
    }

    pub(super) fn of_call(
        &self,
        within: TraceContext,
        state: &[HeaderValue],
        url: &str,
        host: &str,
        port: u16,
    ) -> Option<Span> {
        let attributes = vec![
            KeyValue::new("http.request.method", Method::GET.as_str()),
            KeyValue::new("url.full", url.to_owned()),
            KeyValue::new("server.address", host.to_owned()),
            KeyValue::new("server.port", i64::from(port)),
        ];
        let name = Method::GET.to_string();
        self.begin(
            SpanKind::Client,
            name,
            Some((within, false)),
            state,
            attributes,
        )
    }

    fn begin(
        &self,
        kind: SpanKind,
        name: String,
        parent: Option<(TraceContext, bool)>,
        state: &[HeaderValue],
        attributes: Vec<KeyValue>,
    ) -> Option<Span> {
        let (_, tracer) = &**self.0.as_ref()?;
        let parent = match parent {
            Some((parent, is_remote)) => {
                Context::new().with_remote_span_context(span_context(parent, is_remote, state))
            }
            None => Context::new(),
        };
        let span = tracer
            .span_builder(name)
            .with_kind(kind)
            .with_attributes(attributes);
        let span = tracer.build_with_context(span, &parent);
        // After the flush there are none.
        span.span_context().is_valid().then_some(Span(span))
    }

    /// Waits until all spans that are over have been sent, or can't be.
    pub(crate) async fn flush(&self) {
        let Some(spans) = self.0.clone() else { return };
        let flushed =
            tokio::task::spawn_blocking(move || spans.0.shutdown_with_timeout(FLUSH_TIMEOUT));
        if let Ok(Err(_)) = flushed.await {
            tracing::warn!("the last spans could not be exported");
        }
    }
}

impl Span {
    pub(super) fn context(&self) -> TraceContext {
        let context = self.0.span_context();
        TraceContext {
            trace_id: u128::from_be_bytes(context.trace_id().to_bytes()),
            span_id: u64::from_be_bytes(context.span_id().to_bytes()),
            flags: context.trace_flags().to_u8(),
        }
    }

    pub(super) fn answered(&mut self, status: StatusCode, is_error: bool) {
        let code = i64::from(status.as_u16());
        self.0
            .set_attribute(KeyValue::new("http.response.status_code", code));
        if is_error {
            self.failed(status.as_str().to_owned());
        }
    }

    pub(super) fn failed(&mut self, reason: impl Into<opentelemetry::Value>) {
        self.0.set_attribute(KeyValue::new("error.type", reason));
        self.0.set_status(Status::error(""));
    }
}

/// The SDK's own ids panic where a static program can't open `/dev/urandom`, for want of descriptors for example.
#[derive(Debug)]
struct Ids;

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        TraceId::from(u128::from(random().max(1)) << 64 | u128::from(random()))
    }

    fn new_span_id(&self) -> SpanId {
        SpanId::from(random().max(1))
    }
}

fn span_context(context: TraceContext, is_remote: bool, state: &[HeaderValue]) -> SpanContext {
    let state: Vec<_> = state.iter().filter_map(|part| part.to_str().ok()).collect();
    SpanContext::new(
        TraceId::from_bytes(context.trace_id.to_be_bytes()),
        SpanId::from_bytes(context.span_id.to_be_bytes()),
        TraceFlags::new(context.flags),
        is_remote,
        state.join(",").parse::<TraceState>().unwrap_or_default(),
    )
}

/// Who sends the spans. What the environment says of it goes first.
fn resource(build: Build, settings: &identity::Settings) -> Resource {
    let own = [
        ("service.name", Some(build.service)),
        ("service.version", Some(build.version)),
        ("k8s.pod.name", settings.pod_name.as_deref()),
        ("k8s.namespace.name", settings.pod_namespace.as_deref()),
        ("k8s.node.name", settings.node_name.as_deref()),
    ];
    let own = own
        .into_iter()
        .filter_map(|(name, value)| Some(KeyValue::new(name, value?.to_owned())));
    let resource = Resource::builder_empty()
        .with_attributes(own)
        .with_detectors(&[
            Box::new(TelemetryResourceDetector),
            Box::new(EnvResourceDetector::new()),
        ]);
    match env::var("OTEL_SERVICE_NAME") {
        Ok(name) if !name.is_empty() => resource.with_service_name(name).build(),
        _ => resource.build(),
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}

/// Sends what the SDK's thread hands it, on the service's own runtime, which that thread knows nothing of.
#[derive(Debug)]
struct Sender {
    client: HyperClient,
    runtime: Handle,
    /// Whether the last batch didn't arrive. It is logged when that changes, and not for each batch.
    failing: AtomicBool,
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (client, endpoint) = (self.client.clone(), request.uri().clone());
        let sending = self
            .runtime
            .spawn(async move { client.send_bytes(request).await });
        let sent = sending.await?;
        let failure = match &sent {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("it answers {}", response.status())),
            Err(error) => {
                let first: &(dyn Error + 'static) = &**error;
                let causes = successors(Some(first), |&error| error.source());
                Some(
                    causes
                        .map(ToString::to_string)
                        .collect::<Vec<_>>()
                        .join(": "),
                )
            }
        };
        let failed_before = self.failing.swap(failure.is_some(), Ordering::Relaxed);
        match failure {
            Some(cause) if !failed_before => {
                tracing::warn!(%endpoint, cause, "spans can't be exported");
            }
            None if failed_before => tracing::info!(%endpoint, "spans can be exported again"),
            _ => {}
        }
        sent
    }
}
