//! What a service tells about itself: logs, metrics, and who it is.

pub mod identity;
pub mod log;
mod metrics;
mod process;

pub use self::{
    identity::Identity,
    metrics::{CLIENT_LEFT, Metrics, RouteMetrics, counter, gauge},
};
