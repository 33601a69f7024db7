//! twoapi's life: settings, listener, service, stop.

use std::process::ExitCode;

use chassis::{
    Chassis, HeldSignals,
    config::{Build, CheckConflicts},
    lifecycle::Signals,
};
use clap::Parser;
use twoapi::cli::{Command, CommandLine};

const BUILD: Build = chassis::build!();

/// Calls oneapi over the localhost that the containers of a Pod share.
#[derive(Debug, Parser)]
#[command(version = &*BUILD.to_string().leak())]
struct Cli {
    #[command(flatten)]
    line: CommandLine,
}

impl CheckConflicts for Cli {
    fn conflicts(&self) -> Vec<String> {
        self.line.conflicts()
    }
}

fn main() -> ExitCode {
    let held = HeldSignals::hold();
    let Cli { line } = chassis::parse();
    chassis::start(held, line.worker_threads(), |signals| run(line, signals))
}

async fn run(line: CommandLine, signals: Signals) -> ExitCode {
    match line.command {
        Some(Command::Probe(probe)) => return probe.run().await,
        Some(Command::Kill(kill)) => return kill.run(BUILD),
        Some(Command::Licenses(licenses)) => return licenses.run(),
        Some(Command::Load(load)) => return load.run(signals).await,
        Some(Command::Burn(burn)) => return burn.run(signals).await,
        None => {}
    }
    let routes = |chassis: &Chassis| twoapi::routes(chassis, &line.twoapi);
    chassis::run(BUILD, line.chassis, line.listen, routes, signals).await
}
