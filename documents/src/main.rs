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

use anyhow::{Context, Result, ensure};
use cluster::{images::suffix, side_by_side};
use documents::{
    document::{Document, documents, is_chinese},
    names::REGISTRY,
    place::{Cluster, LABEL},
    run::{Report, Runner},
};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

fn main() -> ExitCode {
    match run_all() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A document, and what its runs have come to.
struct Row {
    document: Document,
    seconds: f64,
    /// Of the last try; none: it has not begun.
    report: Option<Report>,
    /// The first line of what was wrong at each try.
    failures: Vec<String>,
}

impl Row {
    fn is_right(&self) -> bool {
        let report = self.report.as_ref();
        report.is_some_and(|report| report.failure.is_none())
    }
}

fn run_all() -> Result<bool> {
    let root = env::args_os().nth(1).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join(".."),
        PathBuf::from,
    );
    let root = root
        .canonicalize()
        .with_context(|| format!("There is no folder {}", root.display()))?;
    let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let tries = variable("TRIES").unwrap_or("1".to_owned());
    let tries: u32 = tries
        .parse()
        .ok()
        .filter(|tries| (1..=5).contains(tries))
        .with_context(|| format!("TRIES is a number from 1 to 5, and not \"{tries}\"."))?;
    let mut rows = choose(&root, &variable("DOCUMENTS").unwrap_or_default())?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&interrupted))?;
    }
    let runner = Runner {
        root: &root,
        cluster: &Cluster::of_context(&variable("CONTEXT").unwrap_or_default())?,
        registry: &variable("REGISTRY").unwrap_or(REGISTRY.to_owned()),
        bless: variable("BLESS").is_some(),
        interrupted: &interrupted,
    };
    let suffix = suffix();
    println!(
        "{} documents in namespaces named docs-*-{suffix} and chesterns-*-{suffix}, with images \
         from {}. If this is killed, kubectl delete namespaces -l {LABEL} deletes what is left.",
        rows.len(),
        runner.registry
    );
    let start = Instant::now();
    for number in 1..=tries {
        // The namespaces of the try before are still being deleted.
        let suffix = match number {
            1 => suffix.clone(),
            _ => format!("{suffix}{number}"),
        };
        side_by_side::run(
            rows.iter_mut().filter(|row| !row.is_right()),
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
    let mut right = true;
    for document in &chosen {
        for (line, sentence) in &document.findings {
            println!("{}:{line}: {sentence}", document.path.display());
            right = false;
        }
    }
    ensure!(right, "Nothing was run, because of the above.");
    let rows = chosen.into_iter().map(|document| Row {
        document,
        seconds: 0.0,
        report: None,
        failures: Vec::new(),
    });
    Ok(rows.collect())
}

/// Prints the table; returns whether all is right.
fn summary(rows: &[Row], seconds: f64) -> bool {
    println!(
        "\n{:<34} {:>4} {:>9} {:>8} {:>8}  result",
        "document", "run", "compared", "left out", "seconds"
    );
    let (mut failed, mut missed) = (0, 0);
    for row in rows {
        let Some(report) = &row.report else {
            missed += 1;
            continue;
        };
        let failures = row.failures.join("; ");
        let result = match (&report.failure, report.blessed.len()) {
            (Some(_), _) => {
                failed += 1;
                format!("failed: {failures}")
            }
            (None, 0) if failures.is_empty() => "ok".to_owned(),
            (None, 0) => format!("ok at another try, after {failures}"),
            (None, count) => format!("{count} outputs written"),
        };
        println!(
            "{:<34} {:>4} {:>9} {:>8} {:>8.1}  {result}",
            row.document.path.display().to_string(),
            report.run,
            report.compared,
            row.document.left_out.len(),
            row.seconds,
        );
    }
    for Row { document, .. } in rows {
        for (line, reason) in &document.left_out {
            println!("{}:{line} is left out: {reason}", document.path.display());
        }
    }
    println!(
        "{} documents, {failed} failed, {missed} not begun, in {seconds:.0} s",
        rows.len() - missed
    );
    failed == 0 && missed == 0
}
