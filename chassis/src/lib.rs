//! What every service here stands on. It never names a service: a service's crate has its own
//! endpoints, and this one has what is round them. The folders, each importing only from those
//! below it:
//!
//! | folder | what it is for | imports |
//! | --- | --- | --- |
//! | [`app`] | puts the rest together and runs it | all below |
//! | `endpoints` | what every service answers: `/livez`, `/readyz`, `/startupz`, gRPC's health service, `/probes`, `/faults`, `/metrics`, `/info` | `http`, `server`, `faults`, `telemetry`, `lifecycle`, `system` |
//! | [`http`] | how a request is answered: routes, refusals, and the layers round every route | `server`, `faults`, `telemetry`, `lifecycle`, `base`, `text` |
//! | [`server`] | the listener, the accept loop, and each connection from its first byte to its end | `lifecycle`, `config`, `system`, `base` |
//! | [`faults`] | the fault switches: how they are read, when they end, what they do to the process | `lifecycle`, `config`, `system`, `base`, `text` |
//! | [`cli`] | subcommands for images without a shell | `config`, `text` |
//! | [`telemetry`] | logs, metrics, traces, and who this is | `config`, `system`, `base`, `text` |
//! | [`lifecycle`] | starting, serving, draining, closing; signals, the order of the stop | `config` |
//! | [`config`] | flags and environment, all checked before anything is bound; name, version and commit | `text` |
//! | [`system`] | the pod's IP, the container's limits, the process | `base` |
//! | [`base`] | what the standard library lacks: a lock that a panic doesn't close, a random number | |
//! | [`text`] | text from outside, as it may be printed | |
//!
//! A service's `main.rs` is [`HeldSignals::hold`], [`parse`], [`start`], [`run`]. A test takes `run` apart:
//! [`Chassis::new`], [`server::bind`] on port 0, [`Chassis::serve`] with signals of its own.

pub mod app;
pub mod base;
pub mod cli;
pub mod config;
mod endpoints;
pub mod faults;
pub mod http;
pub mod lifecycle;
pub mod server;
pub mod system;
pub mod telemetry;
pub mod text;

pub use app::{Chassis, Settings, parse, run, start};
pub use lifecycle::HeldSignals;

/// What `fuzz/` tests beside what is public. cargo fuzz alone sets this.
#[cfg(fuzzing)]
pub mod fuzz {
    pub use crate::{
        cli::fuzz::*, endpoints::fuzz::*, http::fuzz::*, system::fuzz::*, telemetry::fuzz::*,
    };
}
