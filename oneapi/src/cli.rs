//! The program's command line, without its version, which only `main` knows. The documents are compared
//! with it.

use std::net::SocketAddr;

use chassis::{
    cli::{Kill, Licenses, Probe},
    config::{CheckConflicts, Reader, listen_address},
};
use clap::{Args, Subcommand};

/// A command line.
#[derive(Debug, Args)]
#[group(skip)]
pub struct CommandLine {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Where to listen; `[::]` takes IPv4 too
    #[arg(long, env, default_value = "[::]:5000", value_parser = Reader(listen_address))]
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
    Licenses(Licenses),
}

impl CommandLine {
    /// How many threads the program runs on; `None` stands for one for each CPU. A subcommand needs one.
    pub fn worker_threads(&self) -> Option<u16> {
        match self.command {
            Some(_) => Some(1),
            None => self.chassis.worker_threads,
        }
    }
}

impl CheckConflicts for CommandLine {
    fn conflicts(&self) -> Vec<String> {
        self.chassis.conflicts()
    }
}
