//! `make prove`: the table of what goes unnoticed under load, and the twins' beside it. Exit 0 if the
//! good part lost nothing and each twin something, except for the twins whose loss is a race; else 1.
//! `RATE` is the number of short requests a second in all (200), `UPDATES` that of rolling updates (5).
//! With `DOCS=1` it writes what it counted into `docs/prove.json`, from which the README has its figures, and
//! with `DOCS=NAME` into `docs/prove-NAME.json`; `NETWORK` says there what no API tells, such as the CNI
//! plugin and kube-proxy's mode.
//!
//! With three nodes half of the requests come from a node without any pod of the Deployment, and nodes are
//! drained of the Deployment's pods, and cordoned until that is done.

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
use e2e::{
    lag::{self, Lag},
    nodes,
    prove::{self, HEADER, Plan, Row, TWINS},
};
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

    println!(
        "\nNew connections to a pod after its stop signal:\n\n{}",
        lag::HEADER
    );
    let nodes = nodes::schedulable(namespace)?;
    let senders = &nodes[..nodes.len().min(lag::MOST_NODES)];
    let lags = lag::measure(namespace, senders, plan.updates.div_ceil(5))?;
    lags.iter().for_each(|lag| println!("{lag}"));

    println!("\nTwins, each of which differs in one thing, under the same load:\n\n{HEADER}");
    let mut twins = Vec::new();
    for twin in TWINS {
        let row = prove::twin(namespace, plan, twin)?;
        println!("{row}");
        proven &= twin.is_proven_by(&row);
        twins.push(row);
    }
    if let Some(docs) = set("DOCS") {
        let date = Command::new("date").arg("+%Y-%m-%d").output()?.stdout;
        let rows_of_updates = &rows[..plan.updates as usize];
        let counted = json!({
            "on": {
                "commit": set("COMMIT"),
                "date": String::from_utf8(date)?.trim(),
                "network": set("NETWORK"),
                "nodes": nodes.len(),
                "rate": plan.rate,
                "version": namespace.cluster.version()?,
            },
            "all": taken_together(&rows),
            "updates": taken_together(rows_of_updates),
            "others": rows[plan.updates as usize..].iter().map(counted).collect::<Vec<_>>(),
            "twins": twins.iter().map(counted).collect::<Vec<_>>(),
            "lag": lags.iter().map(lag_of_node).collect::<Vec<_>>(),
        });
        let text = serde_json::to_string_pretty(&counted)? + "\n";
        let file = match docs.as_str() {
            "1" => "docs/prove.json".to_owned(),
            name => format!("docs/prove-{name}.json"),
        };
        fs::write(manifest::path(&file), text)?;
    }
    let verdict = match proven {
        true => "Proven: no request was lost but by the twins.",
        false => "Not proven.",
    };
    println!("\n{verdict}");
    Ok(proven)
}

/// Several rows as one, with the longest and the median time that one took.
fn taken_together(rows: &[Row]) -> Value {
    let mut seconds: Vec<f64> = rows.iter().map(|row| row.took.as_secs_f64()).collect();
    seconds.sort_by(f64::total_cmp);
    json!({
        "number": rows.len(),
        "requests": rows.iter().map(|row| row.count.requests).sum::<u64>(),
        "failed": rows.iter().map(|row| row.count.failures()).sum::<u64>(),
        "median_seconds": seconds.get(rows.len() / 2).map(|it| tenths(*it)),
        "most_seconds": seconds.last().map(|it| tenths(*it)),
    })
}

fn counted(row: &Row) -> Value {
    json!({
        "action": row.action,
        "seconds": tenths(row.took.as_secs_f64()),
        "requests": row.count.requests,
        "failed": row.count.failures(),
    })
}

fn lag_of_node(lag: &Lag) -> Value {
    json!({
        "node": lag.node,
        "pods": lag.millis.len(),
        "median_ms": lag.at(0.5).round(),
        "most_ms": lag.at(1.0).round(),
    })
}

fn tenths(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}
