//! `grpc.health.v1.Health` over h2c on the same port, for gRPC probes: Check and Watch. The services
//! are called `liveness`, `readiness` and `startup`; the one without a name is `readiness`. They
//! follow the same life and the same fault switches as the probes over HTTP.
//!
//! The protocol: <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>. Two messages of one
//! field each are written by hand, since a gRPC stack would make each image a tenth of a megabyte larger.
//! `reflection` tells clients of them.

mod health;
mod message;
mod protocol;
mod reflection;
mod service;
mod watch;
mod wire;

pub(super) use self::{
    health::{check, watch},
    reflection::reflect,
    service::Health,
};

/// What cargo fuzz tests of it.
#[cfg(fuzzing)]
#[allow(missing_docs)]
pub(crate) mod fuzz {
    use super::{message, reflection, wire};

    /// The name of the service in a `HealthCheckRequest`.
    pub fn service(message: &[u8]) -> Option<String> {
        message::service(message)
    }

    /// The first message of what has come, taken off it.
    pub fn take_message(bytes: &mut Vec<u8>) -> Result<Option<Vec<u8>>, ()> {
        wire::take_message(bytes).map_err(drop)
    }

    /// The `ServerReflectionResponse` to a `ServerReflectionRequest`.
    pub fn reflect(question: &[u8]) -> Vec<u8> {
        reflection::answer(question)
    }
}
