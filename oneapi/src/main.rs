//! oneapi's life: settings, listener, service, stop.

use std::{net::SocketAddr, process::ExitCode};

use chassis::{
    Chassis, HeldSignals,
    cli::{Kill, Probe},
    config::{Build, CheckConflicts, listen_address},
    lifecycle::Signals,
};
use clap::{Parser, Subcommand};

const BUILD: Build = chassis::build!();

/// Says its pod's IP, and burns exactly as much CPU as it is asked to.
#[derive(Debug, Parser)]
#[command(version = BUILD.to_string())]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    /// Where to listen; `[::]` takes IPv4 too
    #[arg(long, env, default_value = "[::]:5000", value_parser = listen_address)]
    listen: SocketAddr,

    #[command(flatten)]
    oneapi: oneapi::Settings,

    #[command(flatten)]
    chassis: chassis::Settings,
}

#[derive(Debug, Subcommand)]
enum Command {
    Probe(Probe),
    Kill(Kill),
}

impl CheckConflicts for Cli {
    fn conflicts(&self) -> Vec<String> {
        self.chassis.conflicts()
    }
}

fn main() -> ExitCode {
    let held = HeldSignals::hold();
    let cli: Cli = chassis::parse();
    chassis::start(held, cli.chassis.worker_threads, |signals| {
        run(cli, signals)
    })
}

async fn run(cli: Cli, signals: Signals) -> ExitCode {
    match cli.command {
        Some(Command::Probe(probe)) => return probe.run().await,
        Some(Command::Kill(kill)) => return kill.run(BUILD),
        None => {}
    }
    let routes = |chassis: &Chassis| oneapi::routes(chassis, &cli.oneapi);
    chassis::run(BUILD, cli.chassis, cli.listen, routes, signals).await
}
