//! `make prove`: the table of what goes unnoticed under load, and the twins' beside it. Exit 0 if the
//! good part lost nothing and each twin something, except for the twins whose loss is a race; else 1. `RATE` is the number of short
//! requests a second in all (200), `UPDATES` that of rolling updates (5). With `DOCS` it writes what
//! it counted into `docs/prove.json`, from which the README has its figures.

#![allow(clippy::print_stdout)] // the tables are what it is for

use std::{env, fs, process::ExitCode};

use anyhow::{Result, bail};
use cluster::{
    Cluster, Namespace,
    life::{self, Security},
    manifest,
};
use e2e::prove::{self, Plan, Row, TWINS};
use serde_json::{Value, json};

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let plan = Plan {
        rate: number("RATE", 200)?,
        updates: number("UPDATES", 5)?,
    };
    let cluster = Cluster::from_environment()?;
    let name = life::namespace_name(&cluster, "prove");
    life::run(&cluster, &name, Security::Restricted, |namespace| {
        prove(namespace, plan)
    })
}

fn prove(namespace: &Namespace<'_>, plan: Plan) -> Result<bool> {
    println!(
        "Three replicas, {} short requests per second through the Service to both services, over\n\
         fresh and kept connections, and five that take 10 s each in flight all the time.\n",
        plan.rate
    );
    println!("{}", prove::header());
    let (rows, counts) = prove::good(namespace, plan, |row| println!("{row}"))?;
    println!("\nIn all, by load:");
    for (load, count) in &counts {
        println!("{load:<52} {:>9} {:>7}", count.requests, count.failures());
    }
    let mut proven = rows.iter().all(|row| row.count.failures() == 0)
        && counts.iter().all(|(_, count)| count.failures() == 0);

    println!("\nTwins, each of which differs in one thing, under the same load:\n");
    println!("{}", prove::header());
    let mut twins = Vec::new();
    for twin in TWINS {
        let row = prove::twin(namespace, plan, twin)?;
        println!("{row}");
        proven &= row.count.failures() > 0 || !twin.always;
        twins.push(row);
    }
    if env::var("DOCS").is_ok_and(|value| !value.is_empty()) {
        let version = namespace.json("version")?["serverVersion"]["gitVersion"].take();
        let counted = json!({
            "on": { "version": version, "rate": plan.rate },
            "updates": updates(&rows[..plan.updates as usize]),
            "shipped": rows.iter().map(counted).collect::<Vec<_>>(),
            "twins": twins.iter().map(counted).collect::<Vec<_>>(),
        });
        let text = serde_json::to_string_pretty(&counted)? + "\n";
        fs::write(manifest::path("docs/prove.json"), text)?;
    }
    println!(
        "\n{}",
        if proven {
            "Proven: no request was lost but by the twins."
        } else {
            "Not proven."
        }
    );
    Ok(proven)
}

/// The rolling updates of the shipped Deployment, which come first, taken together.
fn updates(rows: &[Row]) -> Value {
    json!({
        "number": rows.len(),
        "requests": rows.iter().map(|row| row.count.requests).sum::<u64>(),
        "failed": rows.iter().map(|row| row.count.failures()).sum::<u64>(),
    })
}

fn counted(row: &Row) -> Value {
    json!({
        "action": row.action,
        "requests": row.count.requests,
        "failed": row.count.failures(),
    })
}

fn number(name: &str, default: u32) -> Result<u32> {
    let Some(value) = env::var(name).ok().filter(|value| !value.is_empty()) else {
        return Ok(default);
    };
    match value.parse() {
        Ok(0) | Err(_) => bail!("{name} is a whole number from 1, and not \"{value}\""),
        Ok(number) => Ok(number),
    }
}
