//! What serving costs: requests, CPU time, memory, size and start. All programs are measured
//! in turn, forwards and then backwards, since a machine has better and worse minutes. The
//! server has a CPU that the load doesn't use. Latencies are left out: on two CPUs, their 99th
//! percentile varies more from round to round than from program to program.

use std::{
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    client::Connection,
    machine::{self, Begun},
    program::{PAUSE, Program, Server},
    shipped,
    table::{REFERENCE, Table, Tables, Unit},
};

/// The CPU of a server with its one worker thread. The load, and what a service calls, have the others.
pub const SERVER: [usize; 1] = [0];

/// As many connections as a load has.
pub const CONNECTIONS: &str = "64";

/// Both services beside bare hyper, and oneapi beside the peers. Returns a table for each, by its path,
/// and how they were measured. A short run is to see that it works.
pub fn run(short: bool, oneapi: &Path, peers: Vec<Program>) -> Result<(Tables, String)> {
    let (own, cpus) = (std::process::id(), machine::cpus());
    ensure!(
        cpus >= 2 && machine::resident(own).is_ok(),
        "The measurements need Linux, and two CPUs: one for the server, one for the load."
    );
    let twoapi = shipped::service("twoapi")?;
    let (server, caller) = (shipped::bare("bare-server")?, shipped::bare("bare-caller")?);
    let rest: Vec<usize> = (SERVER.len()..cpus).collect();
    let all = machine::pin(&rest)?;
    let plain = Program::new(REFERENCE, &server, &[], "/test");
    // Both callers call the same, on the CPUs of the load.
    let called = plain.start(&rest, PAUSE)?;
    let path = "/test/calloneapi";
    let arguments = ["--oneapi-url", &called.url()];
    let ours = Program::new("twoapi", &twoapi, &arguments, path);
    let reference = Program::new(REFERENCE, &caller, &["--call", &called.authority], path);
    let reqwest = shipped::bare("bare-reqwest")?;
    let reqwest = Program::new(
        "bare reqwest",
        &reqwest,
        &["--call", &called.authority],
        path,
    );
    let callers = vec![ours, reference, reqwest];
    let oneapi = Program::new("oneapi", oneapi, &[], "/test");
    let plain = [vec![oneapi, plain], peers].concat();

    let (begun, used) = (Begun::now(), machine::cpu_time_of_all(own));
    const PLANS: [[usize; 4]; 2] = [[5, 4, 40, 10_000], [1, 1, 5, 1000]];
    let [rounds, seconds, starts, idle] = PLANS[usize::from(short)];
    let mut tables = Vec::new();
    for (path, programs) in [("/test", plain), (path, callers)] {
        let table = Table::new(programs.iter().map(|program| &*program.name));
        let mut group = Group(programs, table);
        let rows = ["requests per second", "CPU time per request"];
        let rows = [(rows[0], Unit::PerSecond), (rows[1], Unit::Seconds)];
        group.rounds(rounds, rows, |program| {
            let server = program.start(&SERVER, PAUSE)?;
            let before = machine::cpu_time(server.id());
            let [requests, rate] = wrk(&server, seconds)?;
            let used = machine::cpu_time(server.id()) - before;
            Ok([rate, used / requests])
        })?;
        let rows = ["memory before any load", "memory right after load"];
        group.rounds(1, rows.map(|row| (row, Unit::Bytes)), |program| {
            let server = program.start(&SERVER, PAUSE)?;
            // What starting takes is over.
            thread::sleep(Duration::from_secs(1));
            let before = machine::resident(server.id())?;
            wrk(&server, 2 * seconds)?;
            Ok([before, machine::resident(server.id())?])
        })?;
        let rows = [
            "memory per idle connection",
            "from SIGTERM until all of them have ended",
        ];
        let rows = [(rows[0], Unit::Bytes), (rows[1], Unit::Seconds)];
        group.rounds(1, rows, |program| {
            let server = program.start(&SERVER, PAUSE)?;
            let before = machine::resident(server.id())?;
            let open = |_| {
                let mut connection = server.connect()?;
                connection.get(&server.path)?;
                Ok(connection)
            };
            let open = (0..idle).map(open).collect::<Result<Vec<_>>>()?;
            let memory = machine::resident(server.id())? - before;
            let told = Instant::now();
            server.stop(|| open.into_iter().try_for_each(Connection::ended))?;
            Ok([memory / idle as f64, told.elapsed().as_secs_f64()])
        })?;
        let rows = ["binary", "binary after gzip"].map(|row| (row, Unit::Bytes));
        group.rounds(1, rows, |program| {
            Ok(shipped::size(&program.binary)?.map(|size| size as f64))
        })?;
        let rows = [("from exec to the first 200", Unit::Seconds)];
        group.rounds(starts, rows, |program| {
            let server = program.start(&SERVER, Duration::ZERO)?;
            Ok([server.begun.elapsed().as_secs_f64()])
        })?;
        tables.push((path, group.1));
    }
    let others = begun.others(machine::cpu_time_of_all(own) - used, cpus);
    machine::pin(&all)?;
    let how = format!("{rounds} × {seconds} s · others {others:.0} %");
    Ok((tables, how))
}

/// Forwards, and in the next round backwards.
pub fn order(round: usize, programs: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..programs).collect();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

/// Programs that answer the same: ours, the reference, and others. And what they cost.
struct Group(Vec<Program>, Table);

impl Group {
    /// Adds rows: in each round, each program gives a figure for each of them.
    fn rounds<const N: usize>(
        &mut self,
        rounds: usize,
        rows: [(&str, Unit); N],
        measure: impl Fn(&Program) -> Result<[f64; N]>,
    ) -> Result<()> {
        let what = rows[0].0;
        let Self(programs, table) = self;
        let mut samples = rows.map(|_| vec![Vec::new(); programs.len()]);
        for round in 0..rounds {
            for number in order(round, programs.len()) {
                let program = &programs[number];
                eprintln!("{}: {what}", program.name);
                let figures = measure(program);
                let figures = figures.with_context(|| format!("{}: {what}", program.name))?;
                for (samples, figure) in samples.iter_mut().zip(figures) {
                    samples[number].push(figure);
                }
            }
        }
        for ((what, unit), samples) in rows.iter().zip(&samples) {
            table.add(what, *unit, samples);
        }
        Ok(())
    }
}

/// A closed loop, as many requests as the server answers: how many, and how many a second.
fn wrk(server: &Server, seconds: usize) -> Result<[f64; 2]> {
    let mut wrk = Command::new("wrk");
    wrk.args(["-t", "1", "-c", CONNECTIONS, "-d", &seconds.to_string()]);
    wrk.args(["--timeout", "30s", &server.url()]); // as below
    let text = shipped::output(&mut wrk)?;
    found(&text).with_context(|| format!("wrk says: {text}"))
}

/// What wrk found, if no request failed.
fn found(text: &str) -> Option<[f64; 2]> {
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return None;
    }
    let number = |name: &str| -> Option<f64> {
        let line = text.lines().find(|line| line.contains(name))?;
        line.split_whitespace().find_map(|word| word.parse().ok())
    };
    Some([number(" requests in ")?, number("Requests/sec:")?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_prints_is_read_unless_a_request_failed() {
        let text = "  1 threads and 64 connections\n    Latency     1.57ms    1.37ms  45.78ms\n  \
            163404 requests in 4.00s, 27.12MB read\nRequests/sec:  40833.96\nTransfer/sec:      6.78MB\n";
        assert_eq!(found(text), Some([163_404.0, 40_833.96]));
        let failed = format!("{text}  Non-2xx or 3xx responses: 1\n");
        assert_eq!(found(&failed), None);
        assert_eq!(found("unable to connect"), None);
    }
}
