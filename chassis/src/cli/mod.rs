//! The subcommands for images without a shell: ask a URL, send a signal.

mod http2;
mod kill;
mod probe;

pub use self::{kill::Kill, probe::Probe};
