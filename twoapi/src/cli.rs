//! The program's command line. It stands in the library, so that the documents can be compared with it.

use std::net::SocketAddr;

use chassis::{
    cli::{Kill, Probe},
    config::{Build, CheckConflicts, listen_address},
};
use clap::{Parser, Subcommand};

use crate::{burn::Burn, load::Load};

/// What this program is.
pub const BUILD: Build = chassis::build!();

/// Calls oneapi over the localhost that the containers of a pod share.
#[derive(Debug, Parser)]
#[command(version = BUILD.to_string())]
pub struct Cli {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Where to listen; `[::]` takes IPv4 too
    #[arg(long, env, default_value = "[::]:5001", value_parser = listen_address)]
    pub listen: SocketAddr,

    /// The service's own settings.
    #[command(flatten)]
    pub twoapi: crate::Settings,

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
    Load(Load),
    Burn(Burn),
}

impl CheckConflicts for Cli {
    fn conflicts(&self) -> Vec<String> {
        match &self.command {
            Some(Command::Load(load)) => load.conflicts(),
            _ => self.chassis.conflicts(),
        }
    }
}

impl Cli {
    /// How many threads the program runs on; none: one for each CPU.
    pub fn worker_threads(&self) -> Option<u16> {
        match self.command {
            // At thousands of requests a second, handing each from thread to thread would cost more
            // than sending it.
            Some(Command::Load(_)) => Some(1),
            _ => self.chassis.worker_threads,
        }
    }
}
