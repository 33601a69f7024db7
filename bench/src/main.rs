//! `make bench` and the other verbs that measure. What is measured, and how much of it, comes from
//! the environment, so that it is the Makefile that decides:
//!
//! - `ONEAPI`, `TWOAPI`: binaries to measure, such as an image's; else they are built as shipped.
//! - `PEERS`: other programs, as `name=command|url …`.
//! - `RESOURCE_CONSUMER`: the binary of Kubernetes' resource-consumer.
//! - `BENCH=short`: all of it in less than a minute, to see that it works.
//! - `BLESS=1`: records instruction counts.
//! - `DOCS=1`: writes the figures into the documents.

#![allow(clippy::print_stdout)] // the tables are what it is for

use std::{env, fs, path::PathBuf, process::Command, process::ExitCode, thread};

use anyhow::{Context, Result, bail};
use bench::{
    account::{self, Machine},
    affinity::{self, Cpus},
    burn, document,
    figures::{Figure, On, Run},
    instructions, load, picture,
    serve::{self, Measure},
    server::Program,
    shipped, size,
};
use serde::Serialize;

fn main() -> ExitCode {
    let verb = env::args().nth(1).unwrap_or_default();
    let held = match &*verb {
        "" => run(),
        "cluster" => cluster(),
        "document" => document::write().map(|()| true),
        "size" => size(),
        "instructions" => instructions(),
        other => Err(anyhow::anyhow!("there is no {other}")),
    };
    match held {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn set(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn is_short() -> Result<bool> {
    match set("BENCH").as_deref() {
        None => Ok(false),
        Some("short") => Ok(true),
        Some(other) => bail!("BENCH is short or not set, and not \"{other}\"."),
    }
}

fn run() -> Result<bool> {
    let short = is_short()?;
    let (serving, burning) = if short {
        (serve::Plan::SHORT, burn::Plan::SHORT)
    } else {
        (serve::Plan::FULL, burn::Plan::FULL)
    };
    let cpus = Cpus::of_machine().filter(|_| PathBuf::from("/proc/self/smaps_rollup").exists());
    let cpus = cpus.context(
        "The measurements need Linux, and two CPUs: one for the server, one for the load.",
    )?;
    load::need_wrk()?;
    let peers = Program::peers(&set("PEERS").unwrap_or_default())?;
    let consumer = set("RESOURCE_CONSUMER")
        .map(|path| burn::consumer(path.as_ref()))
        .transpose()?;
    // Built once: what burns is what served.
    let oneapi = shipped::service("oneapi")?;

    let count = thread::available_parallelism().map_or(1, usize::from);
    let mut figures: Vec<Figure> = Vec::new();
    // On a thread of its own, which alone is kept off the server's CPU.
    let serving_done = thread::scope(|scope| {
        let serve = scope.spawn(|| -> Result<f64> {
            let (groups, called) = serve::groups(&cpus, &oneapi, peers)?;
            // What building used is the machine's own business.
            let (machine, used) = (Machine::now(), account::own());
            affinity::pin(&cpus.load)?;
            for group in &groups {
                let measure = Measure {
                    plan: serving,
                    cpus: &cpus,
                    group,
                };
                figures.extend(measure.all()?);
            }
            drop(called);
            let measured = account::own() - used;
            Ok(Machine::now().others_of(&machine, measured, count))
        });
        serve.join()
    });
    let others = match serving_done {
        Ok(others) => others?,
        Err(panic) => std::panic::resume_unwind(panic),
    };
    let (burns, held) = burn::run(burning, &oneapi, consumer.as_deref());
    let run = Run {
        on: on(serving, others)?,
        figures,
        burns,
    };
    println!("{}", run.table());
    println!(
        "On {} × {}, Linux {}, {}; others used {:.0} % of the machine meanwhile.",
        run.on.cpus, run.on.cpu, run.on.kernel, run.on.rustc, run.on.others
    );
    keep("bench.json", document::SERVE, &run)?;
    let picture = shipped::results()?.join("bench.svg");
    fs::write(picture, picture::svg(&run))?;
    // A short run is too short to say whether a bound holds.
    Ok(held || short)
}

fn cluster() -> Result<bool> {
    let run = bench::cluster::run()?;
    keep("bench-cluster.json", document::CLUSTER, &run)?;
    Ok(true)
}

fn size() -> Result<bool> {
    let (binaries, within) = size::run()?;
    keep("bench-size.json", document::SIZE, &binaries)?;
    Ok(within)
}

fn instructions() -> Result<bool> {
    let same = instructions::run(set("BLESS").is_some())?;
    // It takes another build, for what doesn't change from day to day.
    if set("DOCS").is_some() {
        let spent = instructions::by_crate()?;
        keep("bench-instructions.json", document::INSTRUCTIONS, &spent)?;
    }
    Ok(same)
}

/// Writes the results, and with `DOCS=1` into the documents too.
fn keep(name: &str, document: &str, run: &impl Serialize) -> Result<()> {
    let path = shipped::results()?.join(name);
    let json = serde_json::to_string_pretty(run)? + "\n";
    fs::write(&path, &json)?;
    println!("{} has it as JSON.", path.display());
    if set("DOCS").is_some() {
        fs::write(shipped::root().join(document), json)?;
        document::write()?;
    }
    Ok(())
}

fn on(plan: serve::Plan, others: f64) -> Result<On> {
    let said = |program: &str, arguments: &[&str]| -> Result<String> {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(shipped::root())
            .output()
            .with_context(|| format!("{program} can't be started"))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    Ok(On {
        date: said("date", &["-u", "+%Y-%m-%d"])?,
        commit: set("COMMIT").unwrap_or_else(|| "unknown".to_owned()),
        cpu: cpu
            .map_or("unknown", |it| it.trim_start_matches([' ', '\t', ':']))
            .to_owned(),
        cpus: thread::available_parallelism().map_or(1, usize::from),
        kernel: said("uname", &["-r"])?,
        rustc: said("rustc", &["--version"])?,
        others,
        rounds: plan.rounds,
        seconds: plan.seconds,
    })
}
