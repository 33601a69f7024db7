//! twoapi's life: settings, listener, service, stop.

use std::process::ExitCode;

use chassis::{Chassis, HeldSignals, lifecycle::Signals};
use twoapi::cli::{BUILD, Cli, Command};

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
