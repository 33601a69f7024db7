//! `make instructions`: how many instructions a request takes, counted by valgrind. A count is the
//! same on a busy machine, where a time is not. The server runs under callgrind twice, for so many
//! requests and for twice as many, one after the other on one connection; the difference is theirs,
//! and starting and stopping cancel out.

use std::{
    env, fs,
    path::Path,
    process::{self, Command, ExitStatus, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::{
    machine,
    program::{PAUSE, Program},
    shipped,
};

/// So many requests, and then twice as many: one that happens now and then, such as a timer's, is
/// spread thin.
const REQUESTS: u64 = 2000;

/// So many requests a second of the load.
const RATE: u64 = 250;

const LOAD: &str = "twoapi load";

/// What is counted: paths of the services, and of the bare programs; and a request of the load.
pub const NAMES: [&str; 7] = [
    "/livez",
    "/test",
    "/test/calloneapi",
    "bare hyper /test",
    "bare hyper /test/calloneapi",
    "bare reqwest /test/calloneapi",
    LOAD,
];

/// Counts by name.
pub fn run() -> Result<Vec<(String, u64)>> {
    // Tells if it isn't installed, before anything is built.
    shipped::output(Command::new("valgrind").arg("--version"))?;
    let (oneapi, twoapi) = (shipped::service("oneapi")?, shipped::service("twoapi")?);
    let (server, caller) = (shipped::bare("bare-server")?, shipped::bare("bare-caller")?);
    let reqwest = shipped::bare("bare-reqwest")?;
    // One CPU, and so one thread at a time: which of two comes first would change the count.
    machine::pin(&[0])?;
    // Not under valgrind: what it answers is all that counts.
    let called = Program::new("oneapi", &oneapi, &[], "/test").start(&[0], PAUSE)?;
    let ours = ["--oneapi-url", &called.url()];
    let theirs = ["--call", &called.authority];
    let binaries = [&oneapi, &oneapi, &twoapi, &server, &caller, &reqwest];
    let arguments = [&[][..], &[], &ours, &[], &theirs, &theirs];
    let mut counts = Vec::new();
    for ((name, binary), arguments) in NAMES.into_iter().zip(binaries).zip(arguments) {
        let path = &name[name.find('/').unwrap_or(0)..];
        let each = each(REQUESTS, |requests| {
            serving(binary, arguments, path, requests)
        })?;
        counts.push((name.to_owned(), each));
    }
    // On a busy machine two requests are sent together now and then, which takes less.
    let sending = || {
        each(2 * RATE, |requests| {
            sending(&twoapi, &called.url(), requests)
        })
    };
    counts.push((LOAD.to_owned(), sending()?.max(sending()?)));
    Ok(counts)
}

/// The instructions of one request, by those of a program from exec to exit with so many.
fn each(requests: u64, count: impl Fn(u64) -> Result<u64>) -> Result<u64> {
    let (once, twice) = (count(requests)?, count(2 * requests)?);
    Ok(twice.saturating_sub(once) / requests)
}

/// Of a program that answers requests.
fn serving(binary: &Path, arguments: &[&str], path: &str, requests: u64) -> Result<u64> {
    counted(binary, arguments, |program, arguments| {
        let valgrind = Program::new(program, Path::new("valgrind"), arguments, path);
        let server = valgrind.start(&[0], PAUSE)?;
        let mut connection = server.connect()?;
        for _ in 0..requests {
            connection.get(path)?;
        }
        server.stop(|| Ok(()))
    })
}

/// Of the load.
fn sending(twoapi: &Path, url: &str, requests: u64) -> Result<u64> {
    let (rate, time) = (RATE.to_string(), format!("{}s", requests / RATE));
    let load = [
        "load",
        "--rate",
        &rate,
        "--for",
        &time,
        "--connections",
        "1",
        url,
    ];
    counted(twoapi, &load, |_, arguments| {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(arguments).stdout(Stdio::null());
        Ok(valgrind.status()?)
    })
}

/// The instructions of a program that is run with these arguments of valgrind.
fn counted(
    binary: &Path,
    arguments: &[&str],
    run: impl FnOnce(&str, &[&str]) -> Result<ExitStatus>,
) -> Result<u64> {
    let log = env::temp_dir().join(format!("callgrind-{}", process::id()));
    let log_file = format!("--log-file={}", log.display());
    let program = &*binary.to_string_lossy();
    let callgrind = ["--tool=callgrind", "--callgrind-out-file=/dev/null"];
    let status = run(
        program,
        &[&callgrind[..], &[&log_file, program], arguments].concat(),
    )?;
    let said = fs::read_to_string(&log)?;
    fs::remove_file(&log)?;
    // A bare program is ended by the signal; what valgrind has counted it says all the same.
    let well = status.success() || status.code().is_none();
    ensure!(well, "{program}: {said}");
    // `==12== Collected : 2187361`
    let collected = said.split_once("Collected :");
    let collected = collected.and_then(|(_, it)| it.split_whitespace().next()?.parse().ok());
    collected.with_context(|| format!("valgrind says: {said}"))
}
