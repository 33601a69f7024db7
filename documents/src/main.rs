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
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use cluster::{images::suffix, side_by_side};
use documents::{
    bless,
    document::{Document, is_chinese, paths},
    names::{Names, REGISTRY},
    place::{Cluster, LABEL, Place},
    run::{self, Report},
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

fn run_all() -> Result<bool> {
    let root = env::args_os().nth(1).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join(".."),
        PathBuf::from,
    );
    let root = root
        .canonicalize()
        .with_context(|| format!("There is no folder {}", root.display()))?;
    let variable = |name| env::var(name).unwrap_or_default();
    let words = variable("DOCUMENTS");
    let blessing = !variable("BLESS").is_empty();
    let registry = Some(variable("REGISTRY"))
        .filter(|registry| !registry.is_empty())
        .unwrap_or(REGISTRY.to_owned());

    let tries: u32 = match variable("TRIES").as_str() {
        "" => 1,
        tries => tries
            .parse()
            .ok()
            .filter(|tries| (1..=5).contains(tries))
            .with_context(|| format!("TRIES is a number from 1 to 5, and not \"{tries}\"."))?,
    };

    let documents = choose(read(&root)?, &words)?;
    let interrupted = interruption()?;
    let cluster = Cluster::of_context(&variable("CONTEXT"))?;
    let suffix = suffix();
    println!(
        "{} documents in namespaces named docs-*-{suffix} and chesterns-*-{suffix}, with images \
         from {registry}. If this is killed, kubectl delete namespaces -l {LABEL} deletes what is left.",
        documents.len()
    );
    let start = Instant::now();
    // In namespaces with this suffix.
    let timed = |document: &Document, suffix: &str| {
        let start = Instant::now();
        let names = Names::new(&document.name(), suffix, &registry, &cluster.nodes);
        let report = one(&root, document, names, &cluster, blessing, &interrupted);
        (start.elapsed().as_secs_f64(), report)
    };
    let rows = Mutex::new(Vec::new());
    side_by_side::run(
        &documents,
        |document| document.alone,
        |document| {
            if !interrupted.load(Ordering::Relaxed) {
                let (seconds, report) = timed(document, &suffix);
                let row = (document.path.clone(), seconds, report);
                rows.lock().expect("nobody panics with it").push(row);
            }
        },
    );
    let mut rows = rows.into_inner().expect("nobody panicked with it");
    rows.sort_by(|first, second| first.0.cmp(&second.0));
    for number in 2..=tries {
        for (path, seconds, report) in &mut rows {
            if report.failure.is_none() || interrupted.load(Ordering::Relaxed) {
                continue;
            }
            let document = documents
                .iter()
                .find(|document| document.path == *path)
                .expect("a row is of a document");
            println!("\n{}: try {number} of {tries}, alone", document.name());
            // The namespaces of the try before are still being deleted.
            let (more, again) = timed(document, &format!("{suffix}{number}"));
            let failures = std::mem::replace(report, again).failures;
            report.failures.splice(0..0, failures);
            *seconds += more;
        }
    }
    Ok(summary(
        &rows,
        documents.len(),
        start.elapsed().as_secs_f64(),
    ))
}

/// Runs a document, and writes what is to be blessed.
fn one(
    root: &Path,
    document: &Document,
    names: Names,
    cluster: &Cluster,
    blessing: bool,
    interrupted: &AtomicBool,
) -> Report {
    let name = document.name();
    if document.blocks.iter().all(|block| block.not_run.is_some()) {
        return run::leave_out(document); // which needs no namespace
    }
    println!(
        "{name}: namespaces {} and {}",
        names.current, names.namespace
    );
    let attempt = || -> Result<Report> {
        let place = Place::new(root, &name, names, Some(cluster))?;
        let progress = |line: &str| println!("{name}{line}");
        let report = run::run(document, &place, blessing, interrupted, &progress);
        for sentence in bless::write(root, document, &report.blessed)? {
            println!("{sentence}");
        }
        Ok(report)
    };
    let mut report = attempt().unwrap_or_else(|error| Report {
        failure: Some(format!("{}: {error:#}", document.path.display())),
        ..Report::default()
    });
    if let Some(failure) = &report.failure {
        println!("\n{failure}");
        let first = failure.lines().next().unwrap_or_default();
        report.failures.push(first.to_owned());
    }
    report
}

/// The documents in English that have something to run.
fn read(root: &Path) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for path in paths(root)? {
        let document = Document::read(root, &path)?;
        if !is_chinese(&path) && !document.blocks.is_empty() {
            documents.push(document);
        }
    }
    Ok(documents)
}

/// Those whose names contain one of the words. What is wrong in their comments is said first.
fn choose(mut documents: Vec<Document>, words: &str) -> Result<Vec<Document>> {
    let names: Vec<String> = documents.iter().map(Document::name).collect();
    documents.retain(|document| {
        let name = document.name();
        let mut words = words.split_whitespace().peekable();
        words.peek().is_none() || words.any(|word| name.contains(word))
    });
    ensure!(
        !documents.is_empty(),
        "No document's name contains any of: {words}. The documents: {}.",
        names.join(", ")
    );
    let mut wrong = 0;
    for document in &documents {
        for finding in &document.findings {
            println!(
                "{}:{}: {}",
                document.path.display(),
                finding.line,
                finding.sentence
            );
            wrong += 1;
        }
    }
    ensure!(wrong == 0, "Nothing was run, because of the above.");
    Ok(documents)
}

/// Set once Ctrl-C or SIGTERM comes, so that namespaces are deleted.
fn interruption() -> Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    thread::spawn(move || {
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut interrupt), Ok(mut terminate)) = (
                signal(SignalKind::interrupt()),
                signal(SignalKind::terminate()),
            ) else {
                return;
            };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            println!("Interrupted: the namespaces are deleted.");
            flag.store(true, Ordering::Relaxed);
        });
    });
    Ok(interrupted)
}

/// Prints the table; returns whether all is right.
fn summary(rows: &[(PathBuf, f64, Report)], chosen: usize, seconds: f64) -> bool {
    println!(
        "\n{:<34} {:>4} {:>9} {:>8} {:>8}  result",
        "document", "run", "compared", "left out", "seconds"
    );
    let mut failed = 0;
    for (path, seconds, report) in rows {
        let failures = report.failures.join("; ");
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
            "{:<34} {:>4} {:>9} {:>8} {seconds:>8.1}  {result}",
            path.display().to_string(),
            report.run,
            report.compared,
            report.left_out.len()
        );
    }
    for (path, _, report) in rows {
        for (line, reason) in &report.left_out {
            println!("{}:{line} is left out: {reason}", path.display());
        }
    }
    let missed = chosen - rows.len();
    println!(
        "{} documents, {failed} failed, {missed} not begun, in {seconds:.0} s",
        rows.len()
    );
    failed == 0 && missed == 0
}
