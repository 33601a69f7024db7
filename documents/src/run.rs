//! Runs one document: block after block in one shell, until one doesn't do what the document says.

use std::{
    collections::hash_map::{Entry, HashMap},
    fmt::Write,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use cluster::Cluster;

use crate::{
    bless,
    compare::{Known, compare},
    document::{Block, Document, Need},
    names::Names,
    place::Place,
    shell::{Ran, Shell},
};

/// How long to wait before a block is repeated: the API server shows a change within this.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a block may take unless it says otherwise: more than the two minutes that most `kubectl wait`s
/// are given, so that their own error is what is seen.
const BLOCK_LIMIT: Duration = Duration::from_secs(150);

/// How long a document may take: twice what a reader should need to wait in all, since a machine that
/// runs them side by side is slower.
pub const DOCUMENT_LIMIT: Duration = Duration::from_secs(600);

/// What all runs have in common.
#[derive(Debug)]
pub struct Runner<'a> {
    /// The repository.
    pub root: &'a Path,
    /// Where documents run.
    pub cluster: &'a Cluster,
    /// The names of its nodes.
    pub nodes: &'a [String],
    /// Whether the outputs are written into the document, and one that differs is no failure.
    pub bless: bool,
    /// Set when all is to end.
    pub interrupted: &'a AtomicBool,
}

/// What became of a document.
#[derive(Debug, Default)]
pub struct Report {
    /// How many blocks were run.
    pub run: usize,
    /// The blocks that were skipped: what each lacks, by the index among the document's needs.
    pub skipped: Vec<usize>,
    /// The outputs that were compared: the block's index, and what is written into the document.
    pub outputs: Vec<(usize, String)>,
    /// What was wrong; none: the document is right.
    pub failure: Option<String>,
}

impl Runner<'_> {
    /// Runs a document in namespaces with a suffix.
    pub fn run(&self, document: &Document, suffix: &str) -> Report {
        let mut report = Report::default();
        // One of which nothing is run needs no namespace.
        if !document.blocks.is_empty() {
            let result = self.run_in_place(document, suffix, &mut report);
            report.failure = result.err().map(|error| format!("{error:#}"));
        }
        report
    }

    fn run_in_place(&self, document: &Document, suffix: &str, report: &mut Report) -> Result<()> {
        let name = document.name();
        let names = Names::new(&name, suffix, &self.cluster.registry, self.nodes);
        let (current, own) = (&names.current, &names.namespace);
        println!("{name}: namespaces {current} and {own}");
        let path = document.path.display();
        let place = Place::new(self.root, &name, names, self.cluster);
        let place = place.with_context(|| path.to_string())?;
        let result = self.run_blocks(document, &place, report).and_then(|()| {
            let left = place.left_behind()?.join(", ");
            ensure!(
                left.is_empty(),
                "{path}: At its end it leaves behind: {left}."
            );
            Ok(())
        });
        result.map_err(|error| {
            let state = place.state();
            anyhow!("{error:#}\nThe pods and events then:\n{state}")
        })?;
        if self.bless {
            bless::write(self.root, document, &report.outputs)?;
        }
        Ok(())
    }

    fn run_blocks(&self, document: &Document, place: &Place, report: &mut Report) -> Result<()> {
        let mut shell = Shell::start(place.bash(), place.folder.path())?;
        let name = document.name();
        let end = Instant::now() + DOCUMENT_LIMIT;
        // Whether each need is met, once it is known.
        let mut met = HashMap::new();
        // Which one is which, a document gets from this run if it is written.
        let mut known = (!self.bless).then(Vec::new);
        for (index, block) in document.blocks.iter().enumerate() {
            let start = Instant::now();
            let deadline = end.min(start + block.limit.unwrap_or(BLOCK_LIMIT));
            for need in &block.needs {
                if let Entry::Vacant(entry) = met.entry(*need) {
                    let Need { line, command, .. } = &document.needs[*need];
                    let code = place.names.of_run(command);
                    let left = deadline.saturating_duration_since(start);
                    let ran = shell.run(&code, left, self.interrupted)?;
                    let end = ran.end.map_err(|it| anyhow!(document.at(*line, &it)))?;
                    entry.insert(end == 0);
                }
            }
            if let Some(need) = block.needs.iter().find(|need| !met[need]) {
                report.skipped.push(*need);
                continue;
            }
            let (ran, compared) =
                self.attempt(&mut shell, block, &place.names, deadline, &mut known)?;
            report.run += 1;
            let (line, seconds) = (block.line, start.elapsed().as_secs_f64());
            let first = block.code.lines().next().unwrap_or_default();
            println!("{name}:{line:<4} {seconds:>5.1} s  {first}");
            match compared {
                Ok(output) => report.outputs.extend(output.map(|output| (index, output))),
                Err(problem) if self.bless && ran.end == Ok(block.exit) => {
                    println!("{problem}");
                    report.outputs.push((index, ran.output));
                }
                Err(problem) => {
                    let path = document.path.display();
                    bail!("{path}:{}", describe(block, &ran, &problem));
                }
            }
        }
        Ok(())
    }

    /// Runs a block, again and again if it says so, until it does what the document says. Returns its output for
    /// the document, or what is wrong.
    fn attempt(
        &self,
        shell: &mut Shell,
        block: &Block,
        names: &Names,
        deadline: Instant,
        known: &mut Known,
    ) -> Result<(Ran, Result<Option<String>, String>)> {
        let code = names.of_run(&block.code);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // The last of its repetitions may take its time.
            let limit = if block.repeated { BLOCK_LIMIT } else { left };
            let mut ran = shell.run(&code, limit, self.interrupted)?;
            ran.output = names.of_document(&ran.output);
            let compared = check(block, &ran, known);
            let over = Instant::now() + PAUSE >= deadline;
            let over = over || self.interrupted.load(Ordering::Relaxed);
            if compared.is_ok() || !block.repeated || over || ran.end.is_err() {
                return Ok((ran, compared));
            }
            thread::sleep(PAUSE);
        }
    }
}

/// A block's output for the document, if it has one, or what it didn't do as the document says.
fn check(block: &Block, ran: &Ran, known: &mut Known) -> Result<Option<String>, String> {
    let code = ran.end.clone()?;
    if code != block.exit {
        let expected = block.exit;
        return Err(format!(
            "The exit code is {code}, and {expected} is expected."
        ));
    }
    let Some((line, expected)) = &block.output else {
        return Ok(None);
    };
    let compared = compare(expected, &ran.output, block.rule, known);
    compared.map(Some).map_err(|difference| {
        let when = match block.limit {
            Some(limit) if block.repeated => format!("For {} s the", limit.as_secs_f64()),
            _ => "The".to_owned(),
        };
        format!("{when} output is not the one in line {line}.\nThe first difference:\n{difference}")
    })
}

/// What went wrong, for the one who has to mend it.
fn describe(block: &Block, ran: &Ran, problem: &str) -> String {
    let mut text = format!("{}: {}\n", block.line, problem.trim_end());
    for line in block.code.lines() {
        let _ = writeln!(text, "    $ {line}");
    }
    for line in ran.output.lines() {
        let _ = writeln!(text, "    {line}");
    }
    text.trim_end().to_owned()
}
