//! Measures the two services: `make bench`, `make size`, `make instructions`, `make bench-cluster`. What
//! is measured are the binaries that are shipped, from outside; this program links neither. What is
//! measured, and how much of it, comes from the environment, so that it is the Makefile that decides: `make`
//! alone lists the variables.

#![allow(clippy::print_stdout)] // the tables are what it is for
#![allow(unreachable_pub)] // nothing of a program can be reached

mod burn;
mod client;
mod instructions;
mod loads;
mod machine;
mod on_cluster;
mod page;
mod program;
mod recorded;
mod serve;
mod shipped;
mod soak;
mod table;

use std::{env, fs, process::Command, process::ExitCode};

use anyhow::{Result, anyhow, bail, ensure};
use cluster::{exit_code, set};

use self::{loads::Load, program::Program, table::Tables};

fn main() -> ExitCode {
    exit_code(match &*env::args().nth(1).unwrap_or_default() {
        "" => bench(),
        "cluster" => on_cluster::run().and_then(|(tables, of)| keep(&of, tables)),
        "size" => recorded::compare("bytes", shipped::sizes),
        "instructions" => recorded::compare("instructions", instructions::run),
        "soak" => short().and_then(soak::run),
        other => Err(anyhow!(
            "There is no \"{other}\" to measure: it is cluster, size, instructions or soak, or none for the rest."
        )),
    })
}

fn bench() -> Result<bool> {
    let short = short()?;
    let kept = !short || set("DOCS").is_none();
    ensure!(kept, "BENCH=short measures too little for DOCS=1.");
    // Tells what is missing before anything is built.
    let peers = Program::peers(&set("PEERS").unwrap_or_default())?;
    let loads = Load::all(&set("LOADS").unwrap_or_default())?;
    let consumer = set("RESOURCE_CONSUMER");
    let consumer = consumer.map(|path| burn::consumer(&path)).transpose()?;
    shipped::output(Command::new("which").arg("wrk"))?;
    // Built once: what burns is what served.
    let oneapi = shipped::service("oneapi")?;
    let (tables, how) = serve::run(short, &oneapi, peers)?;
    // An error in a burn doesn't lose what is measured already.
    keep(&how, tables)?;
    let (tables, how) = loads::run(short, &oneapi, loads)?;
    keep(&how, tables)?;
    let (tables, how) = page::run(short, &oneapi)?;
    keep(&how, tables)?;
    let (burns, held) = burn::run(short, &oneapi, consumer.as_deref())?;
    keep(&format!("{} s", burn::seconds(short)), burns)?;
    // A short run is too short to say whether a bound holds.
    Ok(held || short)
}

/// Whether it is only to be seen that it works.
fn short() -> Result<bool> {
    match set("BENCH").as_deref() {
        None => Ok(false),
        Some("short") => Ok(true),
        Some(other) => bail!("BENCH is short or not set, and not \"{other}\"."),
    }
}

/// Notes when, of which commit, on what and how they were measured. Both languages have the same words.
fn keep(how: &str, mut tables: Tables) -> Result<bool> {
    let said = |program: &str, argument: &str| -> Result<String> {
        let text = shipped::output(Command::new(program).arg(argument))?;
        Ok(text
            .split(" (")
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned())
    };
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut lines = cpu.lines();
    let cpu = lines.find_map(|line| line.strip_prefix("model name\t: "));
    let cpu = cpu.unwrap_or("unknown");
    let (date, system) = (said("date", "+%Y-%m-%d")?, said("uname", "-sr")?);
    let system = system.split('-').next().unwrap_or_default(); // without the name of the build
    let (rustc, cpus) = (said("rustc", "--version")?, machine::cpus());
    let commit = set("COMMIT").unwrap_or_else(|| "unknown".to_owned());
    for (_, table) in &mut tables {
        table.on = format!("{date} · `{commit}` · {cpus} × {cpu} · {system} · {rustc} · {how}");
    }
    table::keep(tables)?;
    Ok(true)
}
