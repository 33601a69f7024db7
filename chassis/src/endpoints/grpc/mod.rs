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
