//! `make docs`: runs the documents that `DOCUMENTS` chooses by words of their names (none: all), side
//! by side, on the cluster of `CONTEXT`, with images from `REGISTRY`. With `BLESS` it writes what it
//! saw into the documents. With `TRIES=2` a document that fails is run once more, alone, since a busy
//! cluster may be too late; the table tells it. The repository is the one that it was built in, or the
//! argument.

#![allow(clippy::print_stdout)] // the output of a run is what it is for

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use anyhow::{Result, ensure};
use cluster::{Cluster, exit_code, may_be_skipped, number, set, side_by_side};
use documents::{
    document::{Document, documents, is_chinese},
    place::LABEL,
    run::{Report, Runner},
};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

/// A document, and what its runs have come to.
#[derive(Default)]
struct Row {
    document: Document,
    seconds: f64,
    /// Of the last try; none: it has not begun.
    report: Option<Report>,
    /// The first line of what was wrong at each try.
    failures: Vec<String>,
}

fn main() -> ExitCode {
    exit_code(run())
}

fn run() -> Result<bool> {
    let root = env::args_os().nth(1).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join(".."),
        PathBuf::from,
    );
    let root = root.canonicalize()?;
    let tries = number("TRIES", 1)?;
    let mut rows = choose(&root, &set("DOCUMENTS").unwrap_or_default())?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&interrupted))?;
    }
    let cluster = Cluster::from_environment()?;
    let nodes = "jsonpath={.items[*].metadata.name}";
    let nodes = cluster.kubectl.run(&["get", "nodes", "-o", nodes])?;
    let nodes: Vec<String> = nodes.split_whitespace().map(str::to_owned).collect();
    let runner = Runner {
        root: &root,
        cluster: &cluster,
        nodes: &nodes,
        bless: set("BLESS").is_some(),
        interrupted: &interrupted,
    };
    let Cluster { registry, run, .. } = &cluster;
    println!(
        "{} documents in namespaces named docs-*-{run} and chesterns-*-{run}, with images from \
         {registry}. If this is killed, kubectl delete namespaces -l {LABEL} deletes what is left.",
        rows.len(),
    );
    let start = Instant::now();
    for number in 1..=tries {
        // The namespaces of the try before are still being deleted.
        let suffix = match number {
            1 => run.clone(),
            _ => format!("{run}{number}"),
        };
        // Those that have not run, and those that have failed.
        let failed = |report: &Report| report.failure.is_some();
        let left = |row: &&mut Row| row.report.as_ref().is_none_or(failed);
        side_by_side::run(
            rows.iter_mut().filter(left),
            |row| number > 1 || row.document.alone,
            |row| {
                if interrupted.load(Ordering::Relaxed) {
                    return;
                }
                if number > 1 {
                    let name = row.document.name();
                    println!("\n{name}: try {number} of {tries}, alone");
                }
                let start = Instant::now();
                let report = runner.run(&row.document, &suffix);
                row.seconds += start.elapsed().as_secs_f64();
                if let Some(failure) = &report.failure {
                    println!("\n{failure}");
                    let first = failure.lines().next().unwrap_or_default();
                    row.failures.push(first.to_owned());
                }
                row.report = Some(report);
            },
        );
    }
    Ok(summary(&rows, start.elapsed().as_secs_f64()))
}

/// The documents in English that have something to run, and whose names contain one of the words. What is
/// wrong in their comments is said first.
fn choose(root: &Path, words: &str) -> Result<Vec<Row>> {
    let mut chosen = documents(root)?;
    chosen.retain(|document| {
        let empty = document.blocks.is_empty() && document.left_out.is_empty();
        !is_chinese(&document.path) && !empty
    });
    let names: Vec<String> = chosen.iter().map(Document::name).collect();
    chosen.retain(|document| {
        let name = document.name();
        words.trim().is_empty() || words.split_whitespace().any(|word| name.contains(word))
    });
    ensure!(
        !chosen.is_empty(),
        "No document's name contains any of: {words}. The documents: {}.",
        names.join(", ")
    );
    let wrong: Vec<_> = chosen.iter().flat_map(|it| it.findings.clone()).collect();
    let wrong = wrong.join("\n");
    ensure!(
        wrong.is_empty(),
        "Nothing was run, because of this:\n{wrong}"
    );
    let rows = chosen.into_iter().map(|document| Row {
        document,
        ..Row::default()
    });
    Ok(rows.collect())
}

/// Prints the table; returns whether all documents are right. One of which something was skipped isn't unless
/// it is among those that may be, if these are named.
fn summary(rows: &[Row], total: f64) -> bool {
    println!(
        "\n{:<34} {:>4} {:>9} {:>8} {:>8}  result",
        "document", "run", "compared", "left out", "seconds"
    );
    let may_skip = env::var("MAY_SKIP").ok();
    let (mut failed, mut missed, mut notes) = (0, 0, String::new());
    for Row {
        document,
        seconds,
        report,
        failures,
    } in rows
    {
        let (path, name) = (document.path.display(), document.name());
        for (line, reason) in &document.left_out {
            notes += &format!("{path}:{line} is left out: {reason}\n");
        }
        let Some(report) = report else {
            missed += 1;
            continue;
        };
        let allowed = may_be_skipped(may_skip.as_deref(), &name);
        let right = report.failure.is_none() && (allowed || report.skipped.is_empty());
        failed += usize::from(!right);
        let failures = failures.join("; ");
        let mut result = match &report.failure {
            Some(_) => format!("failed: {failures}"),
            None if !right => "failed".to_owned(),
            None if failures.is_empty() => "ok".to_owned(),
            None => format!("ok at another try, after {failures}"),
        };
        for (index, need) in document.needs.iter().enumerate() {
            let skipped = report.skipped.iter().filter(|it| **it == index).count();
            if skipped > 0 {
                result += &format!(", {skipped} skipped");
                let but = match allowed {
                    true => String::new(),
                    false => format!(", and MAY_SKIP doesn't name {name}"),
                };
                let (line, what) = (need.line, &need.what);
                notes += &format!("{path}:{line} is skipped{but}: It needs {what}.\n");
            }
        }
        println!(
            "{:<34} {:>4} {:>9} {:>8} {seconds:>8.1}  {result}",
            path.to_string(),
            report.run,
            report.outputs.len(),
            document.left_out.len(),
        );
    }
    println!(
        "{notes}{} documents, {failed} failed, {missed} not begun, in {total:.0} s",
        rows.len() - missed
    );
    failed == 0 && missed == 0
}
