//! The program's command line. It stands in the library, so that the documents can be compared with it.

use std::net::SocketAddr;

use chassis::{
    cli::{Kill, Probe},
    config::{Build, CheckConflicts, listen_address},
};
use clap::{Parser, Subcommand};

/// What this program is.
pub const BUILD: Build = chassis::build!();

/// Says its pod's IP, and burns exactly as much CPU as it is asked to.
#[derive(Debug, Parser)]
#[command(version = BUILD.to_string())]
pub struct Cli {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Where to listen; `[::]` takes IPv4 too
    #[arg(long, env, default_value = "[::]:5000", value_parser = listen_address)]
    pub listen: SocketAddr,

    /// The service's own settings.
    #[command(flatten)]
    pub oneapi: crate::Settings,

    /// The settings that every service has.
    #[command(flatten)]
    pub chassis: chassis::Settings,
}

/// The subcommands.
#[allow(missing_docs)] // a doc comment here would replace the subcommand's own in its help
#[derive(Debug, Subcommand)]
pub enum Command {
    Probe(Probe),
    Kill(Kill),
}

impl CheckConflicts for Cli {
    fn conflicts(&self) -> Vec<String> {
        self.chassis.conflicts()
    }
}
