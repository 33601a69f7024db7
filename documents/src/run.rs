//! Runs one document: block after block in one shell, until one doesn't do what the document says.

use std::{
    fmt::Write,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::{
    document::{Block, Document},
    names::Names,
    normalise::difference,
    place::Place,
    shell::{End, Ran, Shell},
};

/// How long to wait before a block is repeated: the API server shows a change within this.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a document may take: twice what a reader should need to wait in all, since a machine that
/// runs them side by side is slower.
pub const DOCUMENT_LIMIT: Duration = Duration::from_secs(600);

/// What is known of a document once it has run.
#[derive(Debug, Default)]
pub struct Report {
    /// How many blocks were run.
    pub run: usize,
    /// How many of their outputs were compared.
    pub compared: usize,
    /// The blocks and outputs that say that they aren't run or compared: the line, and why.
    pub left_out: Vec<(usize, String)>,
    /// What was wrong; none: the document is right.
    pub failure: Option<String>,
    /// The first line of what was wrong at each try.
    pub failures: Vec<String>,
    /// The outputs that differed, when they are to be written into the document: the block's index,
    /// and what was seen.
    pub blessed: Vec<(usize, String)>,
}

/// Runs a document's blocks. With `bless`, an output that differs is reported, and not a failure.
pub fn run(
    document: &Document,
    place: &Place,
    bless: bool,
    interrupted: &AtomicBool,
    progress: &dyn Fn(&str),
) -> Report {
    let mut report = Report::default();
    let outcome = run_blocks(document, place, bless, interrupted, progress, &mut report);
    report.failure = match outcome {
        Err(error) => Some(format!("{error:#}")),
        Ok(()) => match place.left_behind() {
            Ok(left) if left.is_empty() => None,
            Ok(left) => Some(format!(
                "{}: At its end it leaves behind: {}.",
                document.path.display(),
                left.join(", ")
            )),
            Err(error) => Some(format!("{error:#}")),
        },
    };
    if let Some(failure) = &mut report.failure {
        let state = place.state();
        if !state.is_empty() {
            failure.push_str("\nThe pods and events then:\n");
            failure.push_str(&state);
        }
    }
    report
}

/// What is known of a document of which nothing is run.
pub fn leave_out(document: &Document) -> Report {
    let reasons = document
        .blocks
        .iter()
        .filter_map(|block| Some((block.line, block.not_run.clone()?)));
    Report {
        left_out: reasons.collect(),
        ..Report::default()
    }
}

fn run_blocks(
    document: &Document,
    place: &Place,
    bless: bool,
    interrupted: &AtomicBool,
    progress: &dyn Fn(&str),
    report: &mut Report,
) -> Result<()> {
    let mut shell = Shell::start(&place.tree(), place.script(), &place.environment())?;
    let end = Instant::now() + DOCUMENT_LIMIT;
    for (index, block) in document.blocks.iter().enumerate() {
        if let Some(reason) = &block.not_run {
            report.left_out.push((block.line, reason.clone()));
            continue;
        }
        if let Some(output) = &block.output
            && let Some(reason) = &output.not_compared
        {
            report.left_out.push((output.line, reason.clone()));
        }
        let start = Instant::now();
        let mut block = block.clone();
        block.limit = block.limit.min(end.saturating_duration_since(start));
        let block = &block;
        let (ran, problem) = attempt(&mut shell, block, &place.names, interrupted)?;
        report.run += 1;
        let first = block.code.lines().next().unwrap_or_default();
        progress(&format!(
            ":{:<4} {:>5.1} s  {first}",
            block.line,
            start.elapsed().as_secs_f64()
        ));
        match problem {
            None => report.compared += usize::from(compared(block).is_some()),
            Some(Problem::Output(_)) if bless => report.blessed.push((index, ran.output)),
            Some(problem) => bail!("{}", describe(document, block, &ran, &problem)),
        }
    }
    Ok(())
}

enum Problem {
    /// It didn't end as it should have.
    End,
    /// Its output differs, so.
    Output(String),
}

/// Runs a block, again and again if it says so, until it does what the document says.
fn attempt(
    shell: &mut Shell,
    block: &Block,
    names: &Names,
    interrupted: &AtomicBool,
) -> Result<(Ran, Option<Problem>)> {
    let deadline = Instant::now() + block.limit;
    let code = names.of_run(&block.code);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut ran = shell.run(&code, left, interrupted)?;
        ran.output = names.of_document(&ran.output);
        let problem = if ran.end != End::Exit(block.exit) {
            Some(Problem::End)
        } else {
            compared(block)
                .and_then(|output| difference(&output.text, &ran.output, output.rule))
                .map(Problem::Output)
        };
        let over = Instant::now() + PAUSE >= deadline || interrupted.load(Ordering::Relaxed);
        if problem.is_none() || !block.repeated || over || !matches!(ran.end, End::Exit(_)) {
            return Ok((ran, problem));
        }
        thread::sleep(PAUSE);
    }
}

fn compared(block: &Block) -> Option<&crate::document::Output> {
    let output = block.output.as_ref()?;
    output.not_compared.is_none().then_some(output)
}

/// What went wrong, for the one who has to mend it.
fn describe(document: &Document, block: &Block, ran: &Ran, problem: &Problem) -> String {
    let path = document.path.display();
    let seconds = block.limit.as_secs_f64();
    let mut text = format!("{path}:{}: ", block.line);
    let sentence = match (problem, ran.end) {
        (Problem::Output(_), _) if block.repeated => {
            format!("For {seconds} s the output was not the one in the document.")
        }
        (Problem::Output(_), _) => "The output is not the one in the document.".to_owned(),
        (Problem::End, End::Exit(code)) => {
            format!("The exit code is {code}, and {} is expected.", block.exit)
        }
        (Problem::End, End::Jobs(count)) => format!(
            "It leaves {count} job(s) in the background: end them, or wait for them, in the same block."
        ),
        (Problem::End, End::ShellGone) => "It ended the shell in which the document runs.".into(),
        (Problem::End, End::TimedOut) => {
            format!("It took longer than {seconds} s, and was ended; `within` allows more.")
        }
        (Problem::End, End::TooMuch) => "It printed more than 1 MiB, and was ended.".into(),
        (Problem::End, End::Interrupted) => "It was interrupted.".into(),
    };
    text.push_str(&sentence);
    text.push('\n');
    for line in block.code.lines() {
        let _ = writeln!(text, "    $ {line}");
    }
    match problem {
        Problem::Output(difference) => {
            let line = block
                .output
                .as_ref()
                .map_or(block.line, |output| output.line);
            let _ = writeln!(text, "{path}:{line}: The difference, after normalisation:");
            text.push_str(difference);
            text.push_str("What was printed:\n");
        }
        Problem::End => text.push_str("What was printed:\n"),
    }
    for line in ran.output.lines() {
        let _ = writeln!(text, "    {line}");
    }
    text
}
