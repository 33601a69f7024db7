//! What a service tells about itself: logs, metrics, and who it is.

mod encode;
pub mod identity;
pub mod log;
mod metrics;
mod process;

pub use self::{
    encode::{counter, gauge},
    identity::Identity,
    metrics::{CLIENT_LEFT, MethodLabel, Metrics, RouteMetrics},
};
