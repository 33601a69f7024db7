//! twoapi's life: settings, listener, service, stop.

use std::{net::SocketAddr, process::ExitCode};

use chassis::{
    Chassis, HeldSignals,
    cli::{Kill, Probe},
    config::{Build, CheckConflicts, listen_address},
    lifecycle::Signals,
};
use clap::{Parser, Subcommand};
use twoapi::{burn::Burn, load::Load};

const BUILD: Build = chassis::build!();

/// Calls oneapi over the localhost that the containers of a pod share.
#[derive(Debug, Parser)]
#[command(version = BUILD.to_string())]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    /// Where to listen; `[::]` takes IPv4 too
    #[arg(long, env, default_value = "[::]:5001", value_parser = listen_address)]
    listen: SocketAddr,

    #[command(flatten)]
    twoapi: twoapi::Settings,

    #[command(flatten)]
    chassis: chassis::Settings,
}

#[derive(Debug, Subcommand)]
enum Command {
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
    fn worker_threads(&self) -> Option<u16> {
        match self.command {
            // At thousands of requests a second, handing each from thread to thread would cost more
            // than sending it.
            Some(Command::Load(_)) => Some(1),
            _ => self.chassis.worker_threads,
        }
    }
}

fn main() -> ExitCode {
    let held = HeldSignals::hold();
    let cli: Cli = chassis::parse();
    chassis::start(held, cli.worker_threads(), |signals| run(cli, signals))
}

async fn run(cli: Cli, signals: Signals) -> ExitCode {
    match cli.command {
        Some(Command::Probe(probe)) => return probe.run().await,
        Some(Command::Kill(kill)) => return kill.run(BUILD),
        Some(Command::Load(load)) => return load.run(signals).await,
        Some(Command::Burn(burn)) => return burn.run(signals).await,
        None => {}
    }
    let routes = |chassis: &Chassis| twoapi::routes(chassis, &cli.twoapi);
    chassis::run(BUILD, cli.chassis, cli.listen, routes, signals).await
}
