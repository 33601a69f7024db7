//! oneapi's life: settings, listener, service, stop.

use std::process::ExitCode;

use chassis::{Chassis, HeldSignals, lifecycle::Signals};
use oneapi::cli::{BUILD, Cli, Command};

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
