//! What a service tells about itself: logs, metrics, traces, and who it is.

mod encode;
pub mod identity;
pub mod log;
mod metrics;
#[cfg(not(feature = "otlp"))]
mod no_spans;
#[cfg(feature = "otlp")]
mod otlp;
mod output;
mod process;
pub(crate) mod trace;
pub mod trace_context;

pub use self::{
    encode::{counter, gauge},
    identity::Identity,
    metrics::{CLIENT_LEFT, MethodLabel, Metrics, RouteMetrics},
    trace::{Call, Trace},
};

#[cfg(fuzzing)]
#[allow(missing_docs)]
pub(crate) mod fuzz {
    use std::net::Ipv4Addr;

    use hyper::{HeaderMap, Request};
    use tracing_subscriber::filter::Targets;

    use super::{
        log,
        trace::{RequestSpan, Spans},
    };

    /// What a call says that a request with these headers makes.
    pub fn passed_on(headers: &HeaderMap) -> Option<HeaderMap> {
        let mut request = Request::new(());
        request.headers_mut().clone_from(headers);
        let client = Ipv4Addr::LOCALHOST.into();
        let span = RequestSpan::begin(&Spans::default(), None, client, &request);
        let call = span.trace()?.call("http://localhost/", "localhost", 80);
        Some(call.headers)
    }

    pub fn log_targets(text: &str) -> Result<Targets, String> {
        log::targets(text)
    }
}
