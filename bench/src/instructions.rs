//! `make instructions`: how many instructions a request takes, counted by valgrind and compared with
//! what is recorded. A count is the same on a busy machine, where a time is not. The server runs
//! under callgrind twice, for so many requests and for twice as many, one after the other on one
//! connection; the difference is theirs, and starting and stopping cancel out.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufReader, Read},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::{
    affinity,
    http::{self, Url},
    record,
    server::Program,
    shipped, size,
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
        counts.insert(name.to_owned(), of_each_request(binary, arguments, path)?);
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

fn of_each_request(binary: &Path, arguments: &[&str], path: &str) -> Result<u64> {
    let whole = |requests| {
        let said = watch(binary, arguments, path, requests, Path::new("/dev/null"))?;
        collected(&said).with_context(|| format!("valgrind says: {said}"))
    };
    let (once, twice) = (whole(REQUESTS)?, whole(2 * REQUESTS)?);
    Ok(twice.saturating_sub(once) / REQUESTS as u64)
}

/// What a request's instructions are spent on.
#[derive(Debug, Deserialize, Serialize)]
pub struct Spent {
    /// The path that is asked for.
    pub path: String,
    /// Instructions by crate, the most first.
    pub parts: Vec<(String, u64)>,
}

/// Counts by crate, in binaries that have their symbols.
///
/// # Errors
/// When something can't be built or counted.
pub fn by_crate() -> Result<Vec<Spent>> {
    let (oneapi, twoapi) = (
        shipped::with_symbols("oneapi")?,
        shipped::with_symbols("twoapi")?,
    );
    affinity::pin(&[0])?;
    let called = Program::new("oneapi", oneapi.clone(), &[], "/test").start(&[0], Some(1))?;
    let url = called.url.text();
    let mut all = Vec::new();
    for (binary, arguments, path) in [
        (&oneapi, &[][..], "/test"),
        (&twoapi, &["--oneapi-url", &url][..], "/test/calloneapi"),
    ] {
        let whole = |requests| {
            let file = shipped::results()?.join("callgrind.out");
            watch(binary, arguments, path, requests, &file)?;
            let text = fs::read_to_string(&file)?;
            fs::remove_file(file)?;
            Ok::<_, anyhow::Error>(spent(&text))
        };
        let (once, mut each) = (whole(REQUESTS)?, whole(2 * REQUESTS)?);
        for (name, count) in &mut each {
            let start = once.get(name).copied().unwrap_or_default();
            *count = count.saturating_sub(start) / REQUESTS as u64;
        }
        let mut parts: Vec<_> = each.into_iter().filter(|(_, count)| *count > 0).collect();
        parts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        println!("{path}:");
        for (part, count) in &parts {
            println!("{count:>8}  {part}");
        }
        all.push(Spent {
            path: path.to_owned(),
            parts,
        });
    }
    Ok(all)
}

/// Instructions by crate, in what callgrind writes: under each function's name a line for each of its
/// own places in the source, `LINE COUNT`; a line of `calls=` stands before one with what the called
/// function took, which is counted there.
fn spent(text: &str) -> BTreeMap<String, u64> {
    let mut by_crate = BTreeMap::new();
    let mut part = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("fn=") {
            part = size::crate_of(name);
        } else if line.starts_with("calls=") {
            lines.next();
        } else if let Some((place, count)) = line.split_once(' ')
            && place.parse::<u64>().is_ok()
            && let Ok(count) = count.parse::<u64>()
        {
            *by_crate.entry(part.clone()).or_default() += count;
        }
    }
    by_crate
}

/// Runs a program under callgrind, from exec to exit, with so many requests. Returns what valgrind says.
fn watch(
    binary: &Path,
    arguments: &[&str],
    path: &str,
    requests: usize,
    counts: &Path,
) -> Result<String> {
    let free = TcpListener::bind("127.0.0.1:0")?;
    let authority = free.local_addr()?.to_string();
    drop(free);
    let mut valgrind = Command::new("valgrind")
        .args(["--tool=callgrind", "--compress-strings=no"])
        .args(["--compress-pos=no", "--separate-threads=no"])
        .arg(format!("--callgrind-out-file={}", counts.display()))
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
    Ok(said)
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
    fn what_a_function_calls_is_not_its_own() {
        let text = "fn=tokio::run\n10 7\n11 5\ncfn=hyper::poll\ncalls=3 20\n12 900\n13 1\n\n\
            fn=hyper::poll\n20 600\ncfn=malloc\ncalls=1 0\n21 300\n\nfn=malloc\n0 300\n\ntotals: 913\n";
        let expected = [("C library", 300), ("hyper", 600), ("tokio", 13)];
        let expected = expected.map(|(name, count)| (name.to_owned(), count));
        assert_eq!(spent(text), BTreeMap::from(expected));
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
