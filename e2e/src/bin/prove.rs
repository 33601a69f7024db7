//! `make prove`: the table of what goes unnoticed under load, and the twins' beside it. Exit 0 if the
//! good part lost nothing and each twin something, except for the twins whose loss is a race; else 1.
//! `RATE` is the number of short requests a second in all (200), `UPDATES` that of rolling updates (5).
//! With `DOCS` it writes what it counted into `docs/prove.json`, from which the README has its figures.

#![allow(clippy::print_stdout)] // the tables are what it is for

use std::{
    fs,
    process::{Command, ExitCode},
};

use anyhow::Result;
use cluster::{
    Cluster, Namespace, exit_code,
    life::{self, Security},
    manifest, number, set,
};
use e2e::prove::{self, HEADER, Plan, Row, TWINS};
use serde_json::{Value, json};

fn main() -> ExitCode {
    exit_code(run())
}

fn run() -> Result<bool> {
    let plan = Plan {
        rate: number("RATE", 200)?,
        updates: number("UPDATES", 5)?,
    };
    let cluster = Cluster::from_environment()?;
    life::run(&cluster, "prove", Security::Restricted, |namespace| {
        prove(namespace, plan)
    })
}

fn prove(namespace: &Namespace<'_>, plan: Plan) -> Result<bool> {
    println!(
        "Three replicas, {} short requests per second through the Service to both services, over\n\
         fresh and kept connections, and five that take 10 s each in flight all the time.\n\n{HEADER}",
        plan.rate
    );
    let (rows, counts) = prove::good(namespace, plan, |row| println!("{row}"))?;
    println!("\nIn all, by the load's containers:");
    for (container, count) in &counts {
        let (requests, failed) = (count.requests, count.failures());
        println!("{container:<52} {requests:>9} {failed:>7}");
    }
    let of_rows = rows.iter().map(|row| &row.count);
    let mut all = of_rows.chain(counts.iter().map(|(_, count)| count));
    let mut proven = all.all(|count| count.failures() == 0);

    println!("\nTwins, each of which differs in one thing, under the same load:\n\n{HEADER}");
    let mut twins = Vec::new();
    for twin in TWINS {
        let row = prove::twin(namespace, plan, twin)?;
        println!("{row}");
        proven &= twin.is_proven_by(&row);
        twins.push(row);
    }
    if set("DOCS").is_some() {
        let Cluster { kubectl, .. } = &namespace.cluster;
        let nodes = kubectl.run(&["get", "nodes", "-o", "name"])?;
        let date = Command::new("date").arg("+%Y-%m-%d").output()?.stdout;
        let counted = json!({
            "on": {
                "commit": set("COMMIT"),
                "date": String::from_utf8(date)?.trim(),
                "nodes": nodes.lines().count(),
                "rate": plan.rate,
                "version": namespace.cluster.version()?,
            },
            "updates": updates(&rows[..plan.updates as usize]),
            "shipped": rows.iter().map(counted).collect::<Vec<_>>(),
            "twins": twins.iter().map(counted).collect::<Vec<_>>(),
        });
        let text = serde_json::to_string_pretty(&counted)? + "\n";
        fs::write(manifest::path("docs/prove.json"), text)?;
    }
    let verdict = match proven {
        true => "Proven: no request was lost but by the twins.",
        false => "Not proven.",
    };
    println!("\n{verdict}");
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
