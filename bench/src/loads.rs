//! What sending costs: twoapi's `load` and the load generators in `LOADS`, each with one CPU, one after the other.
//! The other CPU has oneapi, whose counter says how many requests have come: what a generator says of itself
//! is not read.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::{
    machine,
    program::{PAUSE, Program, Server},
    serve::{CONNECTIONS, SERVER, order},
    shipped,
    table::{Table, Tables, Unit},
};

/// Requests a second, and the row that says what each costs.
const RATES: [(u32, &str); 3] = [
    (10_000, "CPU time per request, 10,000 a second"),
    (20_000, "CPU time per request, 20,000 a second"),
    (40_000, "CPU time per request, 40,000 a second"),
];
const FRESH: (u32, &str) = (
    5_000,
    "CPU time per request, 5,000 new connections a second",
);

/// What is asked for to see how much one CPU can send.
const MOST: u32 = 80_000;

/// What a generator may take beyond its time, to start and to print.
const MORE_TIME: Duration = Duration::from_secs(30);

/// A generator: its name, and its command with `{rate}`, `{seconds}`, `{connections}` and `{url}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    name: String,
    command: Vec<String>,
}

impl Load {
    /// `name=command | name=command …`
    pub fn all(text: &str) -> Result<Vec<Self>> {
        let given = text.split('|').map(str::trim);
        given
            .filter(|text| !text.is_empty())
            .map(Self::read)
            .collect()
    }

    fn read(text: &str) -> Result<Self> {
        let wrong =
            || format!("LOADS is written as name=command with {{url}}, and not as \"{text}\"");
        let (name, command) = text.split_once('=').with_context(wrong)?;
        let command: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        ensure!(command.len() > 1 && text.contains("{url}"), wrong());
        let found = shipped::output(Command::new("which").arg(&command[0]));
        found.with_context(|| format!("LOADS: there is no program {}", command[0]))?;
        let name = name.to_owned();
        Ok(Self { name, command })
    }

    fn own(twoapi: &Path, options: &str) -> Self {
        let arguments = "load --max-rate 1000000 --rate {rate} --for {seconds}s --connections {connections} {url}";
        let program = twoapi.display().to_string();
        let words = arguments.split(' ').chain(options.split_whitespace());
        let command = [program].into_iter().chain(words.map(str::to_owned));
        let name = "twoapi load".to_owned();
        Self {
            name,
            command: command.collect(),
        }
    }

    fn start(&self, rate: u32, seconds: u32, url: &str) -> Result<Child> {
        let values = [
            ("{rate}", rate.to_string()),
            ("{seconds}", seconds.to_string()),
            ("{connections}", CONNECTIONS.to_owned()),
            ("{url}", url.to_owned()),
        ];
        let filled = |word: &String| {
            let values = values.iter();
            values.fold(word.clone(), |word, (name, value)| {
                word.replace(name, value)
            })
        };
        let words: Vec<String> = self.command.iter().map(filled).collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
            .spawn()
            .with_context(|| format!("{} can't be started", words[0]))
    }
}

/// What a load has cost, and how much of it has come.
struct Cost {
    per_request: f64,
    per_second: f64,
    memory: f64,
}

/// All generators at all rates, and how they were measured.
pub fn run(short: bool, oneapi: &Path, others: Vec<Load>) -> Result<(Tables, String)> {
    let twoapi = shipped::service("twoapi")?;
    let oneapi = Program::new("oneapi", oneapi, &[], "/test");
    let rest: Vec<usize> = (SERVER.len()..machine::cpus()).collect();
    let all = machine::pin(&rest[..1])?;
    let loads = [vec![Load::own(&twoapi, "")], others].concat();
    let fresh = [Load::own(&twoapi, "--fresh")];
    let (rounds, seconds) = if short { (1, 1) } else { (3, 4) };

    let mut table = Table::new(loads.iter().map(|load| &*load.name));
    let samples = |loads: &[Load], rate| -> Result<Vec<Vec<Cost>>> {
        let mut samples: Vec<Vec<Cost>> = loads.iter().map(|_| Vec::new()).collect();
        for round in 0..rounds {
            for number in order(round, loads.len()) {
                let load = &loads[number];
                eprintln!("{}: {rate} requests per second", load.name);
                let server = oneapi.start(&SERVER, PAUSE)?;
                let cost = cost(load, rate, seconds, &server);
                samples[number].push(cost.with_context(|| load.name.clone())?);
            }
        }
        Ok(samples)
    };
    let column = |samples: &[Vec<Cost>], figure: fn(&Cost) -> f64| -> Vec<Vec<f64>> {
        let of = |samples: &Vec<Cost>| samples.iter().map(figure).collect();
        samples.iter().map(of).collect()
    };
    for (rate, row) in RATES {
        let samples = samples(&loads, rate)?;
        table.add(
            row,
            Unit::Seconds,
            &column(&samples, |cost| cost.per_request),
        );
        if rate == RATES[1].0 {
            let row = "memory at most, 20,000 a second";
            table.add(row, Unit::Bytes, &column(&samples, |cost| cost.memory));
        }
    }
    let most = samples(&loads, MOST)?;
    let row = "requests per second sent of 80,000";
    table.add(row, Unit::PerSecond, &column(&most, |cost| cost.per_second));
    let (rate, row) = FRESH;
    let fresh = samples(&fresh, rate)?;
    table.add(row, Unit::Seconds, &column(&fresh, |cost| cost.per_request));
    machine::pin(&all)?;
    Ok((vec![("loads", table)], format!("{rounds} × {seconds} s")))
}

fn cost(load: &Load, rate: u32, seconds: u32, server: &Server) -> Result<Cost> {
    let before = answered(server)?;
    let mut child = load.start(rate, seconds, &server.url())?;
    let pid = child.id();
    // The most so far; what has ended has none.
    thread::sleep(Duration::from_secs(seconds.into()) - Duration::from_millis(200));
    let memory = machine::most_resident(pid);
    let ended = ended(pid);
    // As long as nobody has waited for it, its clock can be read.
    let used = machine::cpu_time(pid);
    if !ended {
        child.kill()?;
    }
    let status = child.wait()?;
    ensure!(ended, "it doesn't end");
    ensure!(status.success(), "it ends with {status}");
    let requests = answered(server)? - before;
    ensure!(requests > 0.0, "it has sent nothing");
    Ok(Cost {
        per_request: used / requests,
        per_second: requests / f64::from(seconds),
        memory: memory.context("it has ended before its time")?,
    })
}

/// Whether it ends in time.
fn ended(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    let ended = || pid.is_some_and(|pid| matches!(waitid(WaitId::Pid(pid), options), Ok(Some(_))));
    let begun = std::time::Instant::now();
    while begun.elapsed() < MORE_TIME {
        if ended() {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    false
}

/// How many requests for its path the server has answered with 200.
fn answered(server: &Server) -> Result<f64> {
    let text = server.connect()?.get("/metrics")?;
    let begin = format!(
        "http_requests_total{{method=\"GET\",route=\"{}\",status=\"200\"}} ",
        server.path
    );
    let count = text.lines().find_map(|line| line.strip_prefix(&begin));
    match count.map(str::parse) {
        None => Ok(0.0),
        Some(Ok(count)) => Ok(count),
        Some(Err(_)) => bail!("a count is a number: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generators_are_separated_by_bars_and_one_that_is_not_there_or_written_otherwise_is_told() {
        let loads =
            Load::all("a=sh -c {connections} {url} | b=sh {rate} {seconds}s {url}").unwrap();
        let commands: Vec<String> = loads.iter().map(|load| load.command.join(" ")).collect();
        assert_eq!(
            commands,
            ["sh -c {connections} {url}", "sh {rate} {seconds}s {url}"]
        );
        assert_eq!(Load::all("").unwrap(), []);

        let error = |text: &str| Load::all(text).unwrap_err().to_string();
        let missing = error("a=no-such-program {url}");
        assert_eq!(missing, "LOADS: there is no program no-such-program");
        for text in ["a", "a=sh", "a=sh url", "a={url}"] {
            assert!(error(text).ends_with(&format!("\"{text}\"")), "{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_command_that_has_ended_is_seen_before_anybody_waits_for_it() {
        let mut child = Command::new("true").spawn().unwrap();
        assert!(ended(child.id()));
        assert!(machine::cpu_time(child.id()) > 0.0, "its clock goes on");
        assert!(child.wait().unwrap().success());
    }
}
