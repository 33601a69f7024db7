//! `make prove`: the table of what goes unnoticed under load, and the twins' beside it. Exit 0 when
//! the good part lost nothing and each twin something, else 1. `RATE` is the number of short
//! requests a second in all (200), `UPDATES` that of rolling updates (5).

#![allow(clippy::print_stdout)] // the tables are what it is for

use std::{env, process::ExitCode};

use e2e::{
    Result, bail,
    cluster::Cluster,
    namespace::Namespace,
    prove::{self, Plan, TWINS},
    story::{self, Security},
};

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
    let name = story::namespace_name(&cluster, "prove");
    story::run(&cluster, &name, Security::Restricted, |namespace| {
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
    for twin in TWINS {
        let row = prove::twin(namespace, plan, twin)?;
        println!("{row}");
        proven &= row.count.failures() > 0;
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

fn number(name: &str, default: u32) -> Result<u32> {
    let Some(value) = env::var(name).ok().filter(|value| !value.is_empty()) else {
        return Ok(default);
    };
    match value.parse() {
        Ok(0) | Err(_) => bail!("{name} is a whole number from 1, and not \"{value}\""),
        Ok(number) => Ok(number),
    }
}
