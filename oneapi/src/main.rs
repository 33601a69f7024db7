//! oneapi's life: settings, listener, service, stop.

use std::process::ExitCode;

use chassis::{
    Chassis, HeldSignals,
    config::{Build, CheckConflicts},
    lifecycle::Signals,
};
use clap::Parser;
use oneapi::cli::{Command, CommandLine};

const BUILD: Build = chassis::build!();

/// Says its Pod's IP, and burns exactly as much CPU as it is asked to.
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
        None => {}
    }
    let routes = |chassis: &Chassis| oneapi::routes(chassis, &line.oneapi);
    chassis::run(BUILD, line.chassis, line.listen, routes, signals).await
}
