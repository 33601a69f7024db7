//! `make instructions`: how many instructions a request takes, counted by valgrind and compared with
//! what is recorded. A count is the same on a busy machine, where a time is not. The server runs
//! under callgrind twice, for so many requests and for twice as many, one after the other on one
//! connection; the difference is theirs, and starting and stopping cancel out.

use std::{
    collections::BTreeMap,
    io::{BufReader, Read},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    affinity,
    http::{self, Url},
    record,
    server::Program,
    shipped,
};

/// What is recorded.
const RECORDED: &str = "bench/instructions.txt";

/// How far a count may be from what is recorded, in percent: the compiler and the memory's layout
/// move it by less, a change of the request's way by more.
const TOLERANCE: f64 = 3.0;

/// So many requests, and then twice as many: one that happens now and then, such as a timer's, is
/// spread thin.
const REQUESTS: usize = 2000;

/// Under valgrind, a start takes seconds.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Counts; returns whether all are as recorded. With `record`, records them instead.
///
/// # Errors
/// When something can't be built or counted.
pub fn run(record: bool) -> Result<bool> {
    ensure!(
        Command::new("valgrind").arg("--version").output().is_ok(),
        "valgrind is needed and not installed: most systems have a package of it, and https://valgrind.org its source."
    );
    let (oneapi, twoapi) = (shipped::service("oneapi")?, shipped::service("twoapi")?);
    let (server, caller) = (shipped::bare("bare-server")?, shipped::bare("bare-caller")?);
    // One CPU, and so one thread at a time: which of two comes first would change the count.
    affinity::pin(&[0])?;
    // Not under valgrind: what it answers is all that counts.
    let called = Program::new("oneapi", oneapi.clone(), &[], "/test").start(&[0], Some(1))?;
    let url = called.url.text();
    let mut counts = BTreeMap::new();
    let authority = &*called.url.authority;
    for (name, binary, arguments, path) in [
        ("/test", &oneapi, &[][..], "/test"),
        ("/livez", &oneapi, &[][..], "/livez"),
        (
            "/test/calloneapi",
            &twoapi,
            &["--oneapi-url", &url][..],
            "/test/calloneapi",
        ),
        ("bare hyper /test", &server, &[][..], "/test"),
        (
            "bare hyper /test/calloneapi",
            &caller,
            &["--call", authority][..],
            "/test/calloneapi",
        ),
    ] {
        let once = count(binary, arguments, path, REQUESTS)?;
        let twice = count(binary, arguments, path, 2 * REQUESTS)?;
        let each = twice.saturating_sub(once) / REQUESTS as u64;
        counts.insert(name.to_owned(), each);
    }
    if record {
        record::write(RECORDED, &counts)?;
        for (path, count) in &counts {
            println!("{path:<28} {count:>8} instructions per request, recorded in {RECORDED}");
        }
        return Ok(true);
    }
    let recorded = record::read(RECORDED)?;
    let mut same = true;
    for (path, count) in &counts {
        let before = recorded
            .get(path)
            .with_context(|| format!("{RECORDED} has no line for {path}"))?;
        let percent = change(*count, *before);
        println!(
            "{path:<28} {count:>8} instructions per request, recorded {before:>8}, {percent:+.1} %"
        );
        same &= percent.abs() <= TOLERANCE;
    }
    if !same {
        println!(
            "A count differs by more than {TOLERANCE} %. If that is meant: make instructions BLESS=1"
        );
    }
    Ok(same)
}

fn change(now: u64, before: u64) -> f64 {
    (now as f64 / before as f64 - 1.0) * 100.0
}

/// Instructions of a whole run, from exec to exit, with so many requests.
fn count(binary: &Path, arguments: &[&str], path: &str, requests: usize) -> Result<u64> {
    let free = TcpListener::bind("127.0.0.1:0")?;
    let authority = free.local_addr()?.to_string();
    drop(free);
    let mut valgrind = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(binary)
        .args(arguments)
        .args(["--listen", &authority])
        .env("WORKER_THREADS", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("valgrind can't be started")?;
    let asked = ask(&authority, path, requests);
    let stopped = stop(&mut valgrind);
    let mut said = String::new();
    if let Some(mut stderr) = valgrind.stderr.take() {
        stderr.read_to_string(&mut said)?;
    }
    let ended = valgrind.wait()?;
    asked.and(stopped).with_context(|| said.clone())?;
    // A bare program is ended by the signal; what valgrind has counted it says all the same.
    ensure!(
        ended.success() || ended.code().is_none(),
        "{}: {said}",
        binary.display()
    );
    collected(&said).with_context(|| format!("valgrind says: {said}"))
}

/// `==12== Collected : 2187361`
fn collected(text: &str) -> Option<u64> {
    let (_, number) = text.split_once("Collected :")?;
    number.split_whitespace().next()?.parse().ok()
}

fn ask(authority: &str, path: &str, requests: usize) -> Result<()> {
    let url = Url {
        authority: authority.to_owned(),
        path: path.to_owned(),
    };
    let begun = Instant::now();
    let stream = loop {
        match TcpStream::connect(authority) {
            Ok(stream) => break stream,
            Err(error) if begun.elapsed() > START_TIMEOUT => bail!(error),
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    };
    let mut writer = stream.try_clone()?;
    writer.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    for _ in 0..requests {
        url.send(&mut writer)?;
        ensure!(
            http::read(&mut reader)? == 200,
            "{path} is not answered with 200"
        );
    }
    Ok(())
}

fn stop(child: &mut Child) -> Result<()> {
    let kill = Command::new("kill").arg(child.id().to_string()).status()?;
    ensure!(kill.success(), "it has ended before it was stopped");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_read_from_what_valgrind_says() {
        let text = "==12== Events    : Ir\n==12== Collected : 2187361\n==12== \n";
        assert_eq!(collected(text), Some(2_187_361));
        assert_eq!(collected("valgrind: no such file"), None);
    }

    #[test]
    fn a_change_is_in_percent_of_what_is_recorded() {
        assert_eq!(change(103, 100).round(), 3.0);
        assert_eq!(change(97, 100).round(), -3.0);
    }

    #[test]
    fn each_path_has_a_recorded_count() {
        let recorded = record::read(RECORDED).unwrap();
        for path in [
            "/test",
            "/livez",
            "/test/calloneapi",
            "bare hyper /test",
            "bare hyper /test/calloneapi",
        ] {
            assert!(recorded.contains_key(path), "{path}");
        }
    }
}
