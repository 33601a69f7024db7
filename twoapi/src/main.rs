//! twoapi's life: settings, listener, service, stop.

use std::{net::SocketAddr, process::ExitCode};

use chassis::{
    Chassis,
    kill::Kill,
    probe::Probe,
    service::Service,
    settings::{self, Consistent},
    signal::Signals,
};
use clap::{Parser, Subcommand};
use twoapi::{burn::Burn, load::Load};

const SERVICE: Service = chassis::service!();

/// Calls oneapi over the localhost that the containers of a pod share.
#[derive(Debug, Parser)]
#[command(version = SERVICE.to_string())]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    /// Where to listen; `[::]` takes IPv4 too
    #[arg(long, env, default_value = "[::]:5001")]
    listen: SocketAddr,

    #[command(flatten)]
    twoapi: twoapi::Settings,

    #[command(flatten)]
    chassis: settings::Settings,
}

#[derive(Debug, Subcommand)]
enum Command {
    Probe(Probe),
    Kill(Kill),
    Load(Load),
    Burn(Burn),
}

impl Consistent for Cli {
    fn contradictions(&self) -> Vec<String> {
        match &self.command {
            Some(Command::Load(load)) => load.contradictions(),
            _ => self.chassis.contradictions(),
        }
    }
}

fn main() -> ExitCode {
    chassis::start(run)
}

async fn run(signals: Signals) -> ExitCode {
    let cli: Cli = settings::parse();
    match cli.command {
        Some(Command::Probe(probe)) => return probe.run().await,
        Some(Command::Kill(kill)) => return kill.run(SERVICE),
        Some(Command::Load(load)) => return load.run(signals).await,
        Some(Command::Burn(burn)) => return burn.run(signals).await,
        None => {}
    }
    let routes = |chassis: &Chassis| twoapi::router(chassis, &cli.twoapi);
    chassis::run(SERVICE, cli.chassis, cli.listen, routes, signals).await
}
