//! The subcommands for images without a shell: ask a URL, send a signal, print a file.

mod http2;
mod kill;
mod licenses;
mod probe;

pub use self::{kill::Kill, licenses::Licenses, probe::Probe};
