//! What a service tells about itself: logs, metrics, traces, and who it is.

mod encode;
pub mod identity;
pub mod log;
mod metrics;
#[cfg(not(feature = "otlp"))]
mod no_spans;
#[cfg(feature = "otlp")]
mod otlp;
mod process;
pub(crate) mod trace;
pub mod trace_context;

pub use self::{
    encode::{counter, gauge},
    identity::Identity,
    metrics::{CLIENT_LEFT, MethodLabel, Metrics, RouteMetrics},
    trace::{Call, Trace},
};
