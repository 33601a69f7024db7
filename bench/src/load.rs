//! The load on a server, and what it found. It is made by this thread's CPUs.

use std::{
    io::BufReader,
    net::TcpStream,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    http::{self, Url},
    steady,
};

/// As many connections as the load has.
const CONNECTIONS: usize = 64;

/// Whether a connection waits for an answer before it sends the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requests {
    /// One at a time.
    Single,
    /// 16 at once.
    Pipelined,
}

/// What wrk found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Requests in all.
    pub requests: f64,
    /// Requests per second.
    pub rate: f64,
}

/// # Errors
/// A sentence when wrk is not installed.
pub fn need_wrk() -> Result<()> {
    ensure!(
        Command::new("wrk").arg("--version").output().is_ok(),
        "wrk is needed and not installed: most systems have a package of it, and https://github.com/wg/wrk its source."
    );
    Ok(())
}

/// As many requests as the server answers.
///
/// # Errors
/// When one of them fails.
pub fn as_fast_as_possible(url: &Url, seconds: u32, requests: Requests) -> Result<Found> {
    let mut wrk = Command::new("wrk");
    wrk.args([
        "-t1",
        "-c",
        &CONNECTIONS.to_string(),
        "-d",
        &seconds.to_string(),
    ]);
    wrk.args(["--timeout", "30s"]); // a busy machine is slow, and no reason to give up
    if requests == Requests::Pipelined {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pipelined.lua");
        wrk.arg("-s").arg(script);
    }
    let output = wrk.arg(url.text()).output();
    let text = text(output.context("wrk can't be started")?);
    parse_wrk(&text).with_context(|| format!("{}: {text}", url.text()))
}

fn parse_wrk(text: &str) -> Result<Found> {
    ensure!(
        !text.contains("Non-2xx") && !text.contains("Socket errors"),
        "requests failed"
    );
    let number = |end: &str| -> Option<f64> {
        let line = text.lines().find(|line| line.contains(end))?;
        line.split_whitespace().find_map(|word| word.parse().ok())
    };
    match (number(" requests in "), number("Requests/sec:")) {
        (Some(requests), Some(rate)) => Ok(Found { requests, rate }),
        _ => bail!("wrk printed something else"),
    }
}

/// The 99th percentile of the latency in seconds, at so many requests a second.
///
/// # Errors
/// When a request fails.
pub fn p99_at(url: &Url, rate: f64, seconds: u32) -> Result<f64> {
    let length = Duration::from_secs(seconds.into());
    let found = steady::run(url, CONNECTIONS, rate, length).with_context(|| url.text())?;
    // No reason to give up: a request that was late counts as such. 5 %: the last stragglers.
    if found.rate < rate * 0.95 {
        eprintln!(
            "The load on {} was to be {rate:.0} a second, and was {:.0}: the machine was busy.",
            url.text(),
            found.rate
        );
    }
    Ok(found.percentile(99.0))
}

/// Opens so many connections, each of which has had one answer, and keeps them.
///
/// # Errors
/// When one of them fails.
pub fn idle(url: &Url, count: usize) -> Result<Vec<BufReader<TcpStream>>> {
    (0..count)
        .map(|_| {
            let mut stream = TcpStream::connect(&url.authority)?;
            url.send(&mut stream)?;
            let mut stream = BufReader::with_capacity(512, stream);
            ensure!(http::read(&mut stream)? == 200, "not 200");
            Ok(stream)
        })
        .enumerate()
        .map(|(number, stream)| stream.with_context(|| format!("connection {number}")))
        .collect()
}

fn text(output: Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_prints_is_read() {
        let text = "Running 4s test @ http://127.0.0.1:1/test\n  1 threads and 64 connections\n  \
            Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency     1.57ms    1.37ms  45.78ms\n  \
            163404 requests in 4.00s, 27.12MB read\nRequests/sec:  40833.96\nTransfer/sec:      6.78MB\n";
        let found = Found {
            requests: 163_404.0,
            rate: 40_833.96,
        };
        assert_eq!(parse_wrk(text).unwrap(), found);
    }

    #[test]
    fn a_request_that_fails_is_no_figure() {
        let text = "  10 requests in 4.00s\n  Non-2xx or 3xx responses: 1\nRequests/sec: 2.5\n";
        assert!(parse_wrk(text).is_err());
        assert!(parse_wrk("wrk: unable to connect").is_err());
    }
}
