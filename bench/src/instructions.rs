//! `make instructions`: how many instructions a request takes, counted by valgrind. A count is the
//! same on a busy machine, where a time is not. The server runs under callgrind twice, for so many
//! requests and for twice as many, one after the other on one connection; the difference is theirs,
//! and starting and stopping cancel out.

use std::{
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    client::Connection,
    machine,
    program::{PAUSE, Program, free_authority},
    shipped,
};

/// So many requests, and then twice as many: one that happens now and then, such as a timer's, is
/// spread thin.
const REQUESTS: u64 = 2000;

/// Under valgrind, a start takes seconds.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// What is counted: paths of the services, and of the bare programs.
pub const NAMES: [&str; 5] = [
    "/livez",
    "/test",
    "/test/calloneapi",
    "bare hyper /test",
    "bare hyper /test/calloneapi",
];

/// Counts by name.
pub fn run() -> Result<Vec<(String, u64)>> {
    // Tells if it isn't installed, before anything is built.
    shipped::output(Command::new("valgrind").arg("--version"))?;
    let (oneapi, twoapi) = (shipped::service("oneapi")?, shipped::service("twoapi")?);
    let (server, caller) = (shipped::bare("bare-server")?, shipped::bare("bare-caller")?);
    // One CPU, and so one thread at a time: which of two comes first would change the count.
    machine::pin(&[0])?;
    // Not under valgrind: what it answers is all that counts.
    let called = Program::new("oneapi", &oneapi, &[], "/test").start(&[0], PAUSE)?;
    let ours = ["--oneapi-url", &called.url()];
    let theirs = ["--call", &called.authority];
    let binaries = [&oneapi, &oneapi, &twoapi, &server, &caller];
    let arguments = [&[][..], &[], &ours, &[], &theirs];
    let mut counts = Vec::new();
    for ((name, binary), arguments) in NAMES.into_iter().zip(binaries).zip(arguments) {
        let path = name.trim_start_matches("bare hyper ");
        let once = count(binary, arguments, path, REQUESTS)?;
        let twice = count(binary, arguments, path, 2 * REQUESTS)?;
        let each = twice.saturating_sub(once) / REQUESTS;
        counts.push((name.to_owned(), each));
    }
    Ok(counts)
}

/// The instructions of a program, from exec to exit, with so many requests.
fn count(binary: &Path, arguments: &[&str], path: &str, requests: u64) -> Result<u64> {
    let authority = free_authority()?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg(binary).args(arguments);
    valgrind.args(["--listen", &authority]).stdin(Stdio::null());
    valgrind.stdout(Stdio::null()).stderr(Stdio::piped());
    let valgrind = valgrind.spawn()?;
    let asked = ask(&authority, path, requests);
    let stopped = shipped::output(Command::new("kill").arg(valgrind.id().to_string()));
    let ended = valgrind.wait_with_output()?;
    let said = String::from_utf8_lossy(&ended.stderr);
    let asked = asked.and(stopped);
    asked.with_context(|| said.clone().into_owned())?;
    // A bare program is ended by the signal; what valgrind has counted it says all the same.
    let well = ended.status.success() || ended.status.code().is_none();
    ensure!(well, "{}: {said}", binary.display());
    // `==12== Collected : 2187361`
    let collected = said.split_once("Collected :");
    let collected = collected.and_then(|(_, it)| it.split_whitespace().next()?.parse().ok());
    collected.with_context(|| format!("valgrind says: {said}"))
}

fn ask(authority: &str, path: &str, requests: u64) -> Result<()> {
    let begun = Instant::now();
    let mut connection = loop {
        match Connection::open(authority) {
            Err(_) if begun.elapsed() < START_TIMEOUT => thread::sleep(Duration::from_millis(50)),
            opened => break opened?,
        }
    };
    for _ in 0..requests {
        connection.get(path)?;
    }
    Ok(())
}
