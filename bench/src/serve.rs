//! What serving costs: requests, CPU time, latency, memory, size and start. All programs are measured
//! in turn, forwards and then backwards, since a machine has better and worse minutes. The
//! server has a CPU that the load doesn't use.

use std::{path::Path, thread, time::Duration};

use anyhow::{Context, Result};

use crate::{
    affinity::Cpus,
    figures::{Figure, Id, Samples, Unit, median},
    load::{self, Requests},
    server::{Program, Server},
    shipped,
};

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How often each program is measured in turn.
    pub rounds: usize,
    /// How long a load takes, in seconds.
    pub seconds: u32,
    /// How often the time until the first answer is measured.
    pub starts: usize,
    /// How many times memory is measured.
    pub memory: usize,
    /// How long after a load to look at the memory again.
    pub rest: Duration,
    /// How many idle connections there are.
    pub connections: &'static [(Id, usize)],
}

impl Plan {
    /// For figures.
    pub const FULL: Self = Self {
        rounds: 5,
        seconds: 4,
        starts: 40,
        memory: 3,
        rest: Duration::from_secs(60),
        connections: &[(Id::Connection1000, 1000), (Id::Connection10000, 10_000)],
    };

    /// To see that it works; the figures say little.
    pub const SHORT: Self = Self {
        rounds: 1,
        seconds: 1,
        starts: 5,
        memory: 1,
        rest: Duration::from_secs(1),
        connections: &[(Id::Connection1000, 1000)],
    };
}

/// Programs that answer the same.
#[derive(Debug)]
pub struct Group {
    /// What ours is asked for.
    pub path: &'static str,
    /// Ours, the reference, and others.
    pub programs: Vec<Program>,
}

/// The two groups, and what the second one calls meanwhile.
///
/// # Errors
/// When something can't be built or started.
pub fn groups(cpus: &Cpus, oneapi: &Path, peers: Vec<Program>) -> Result<(Vec<Group>, Server)> {
    let oneapi = Program::new("oneapi", oneapi.to_owned(), &[], "/test");
    let bare = Program::new("bare hyper", shipped::bare("bare-server")?, &[], "/test");
    // Both callers call the same, on the CPUs of the load.
    let called = bare.start(&cpus.load, None)?;
    let authority = called.url.authority.clone();
    let binary = shipped::service("twoapi")?;
    let path = "/test/calloneapi";
    let url = called.url.text();
    let mut twoapi = Program::new("twoapi", binary, &["--oneapi-url", &url], path);
    let caller = shipped::bare("bare-caller")?;
    let mut caller = Program::new("bare hyper", caller, &["--call", &authority], path);
    for program in [&mut twoapi, &mut caller] {
        program.start_path = "/livez".to_owned();
    }
    let groups = vec![
        Group {
            path: "/test",
            programs: [vec![oneapi, bare], peers].concat(),
        },
        Group {
            path,
            programs: vec![twoapi, caller],
        },
    ];
    Ok((groups, called))
}

/// Measures all programs of a group.
#[derive(Debug)]
pub struct Measure<'a> {
    /// How much.
    pub plan: Plan,
    /// Where.
    pub cpus: &'a Cpus,
    /// What is measured.
    pub group: &'a Group,
}

impl Measure<'_> {
    /// All figures.
    ///
    /// # Errors
    /// When a program fails.
    pub fn all(&self) -> Result<Vec<Figure>> {
        let mut figures = self.requests()?;
        figures.push(self.p99(&figures[0])?);
        if let Some(figure) = self.two_workers()? {
            figures.push(figure);
        }
        figures.extend(self.memory()?);
        for (id, count) in self.plan.connections {
            figures.push(self.connections(*id, *count)?);
        }
        figures.extend(self.sizes()?);
        figures.push(self.starts()?);
        Ok(figures)
    }

    /// One thing after the other, in rounds; each program gives `N` numbers.
    fn rounds<const N: usize>(
        &self,
        what: &str,
        rounds: usize,
        ids: [(Id, Unit); N],
        measure: impl Fn(usize, &Program) -> Result<[f64; N]>,
    ) -> Result<[Figure; N]> {
        eprintln!("{}: {what}, {rounds} rounds", self.group.path);
        let programs = &self.group.programs;
        let mut figures = self.figures(ids);
        for round in 0..rounds {
            let mut order: Vec<usize> = (0..programs.len()).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for number in order {
                let program = &programs[number];
                let values = measure(number, program)
                    .with_context(|| format!("{}, {what}", program.name))?;
                for (figure, value) in figures.iter_mut().zip(values) {
                    figure.programs[number].values.push(value);
                }
            }
        }
        Ok(figures)
    }

    /// Without samples so far.
    fn figures<const N: usize>(&self, ids: [(Id, Unit); N]) -> [Figure; N] {
        ids.map(|(id, unit)| Figure {
            id,
            path: self.group.path.to_owned(),
            unit,
            programs: self
                .group
                .programs
                .iter()
                .map(|program| Samples {
                    name: program.name.clone(),
                    values: Vec::new(),
                })
                .collect(),
        })
    }

    fn requests(&self) -> Result<Vec<Figure>> {
        let ids = [
            (Id::Requests, Unit::PerSecond),
            (Id::CpuPerRequest, Unit::Seconds),
        ];
        let mut figures = Vec::from(self.rounds(
            "64 connections",
            self.plan.rounds,
            ids,
            |_, program| {
                let server = program.start(&self.cpus.server, None)?;
                let before = server.cpu();
                let found =
                    load::as_fast_as_possible(&server.url, self.plan.seconds, Requests::Single)?;
                Ok([found.rate, (server.cpu() - before) / found.requests])
            },
        )?);
        if self.heaviest() == Requests::Pipelined {
            let ids = [(Id::Pipelined, Unit::PerSecond)];
            figures.extend(
                self.rounds("16 pipelined", self.plan.rounds, ids, |_, program| {
                    let server = program.start(&self.cpus.server, None)?;
                    Ok([self.heaviest_load(&server)?])
                })?,
            );
        }
        Ok(figures)
    }

    /// What keeps the server busy with least of the load's CPU. A caller needs no pipelining for it:
    /// it asks its upstream for one thing at a time anyhow.
    fn heaviest(&self) -> Requests {
        match self.group.path {
            "/test" => Requests::Pipelined,
            _ => Requests::Single,
        }
    }

    fn heaviest_load(&self, server: &Server) -> Result<f64> {
        let (url, seconds) = (&server.url, self.plan.seconds);
        Ok(load::as_fast_as_possible(url, seconds, self.heaviest())?.rate)
    }

    /// At one rate for ours and the reference, half of what the slower one reaches; a peer that
    /// can't do as much is asked for half of its own. Many rounds of a second instead of few longer
    /// ones: a pause of the machine spoils a percentile, and so it spoils fewer of them.
    fn p99(&self, requests: &Figure) -> Result<Figure> {
        let maxima: Vec<f64> = requests
            .programs
            .iter()
            .map(|samples| median(&samples.values))
            .collect();
        let common = maxima.iter().take(2).copied().fold(f64::MAX, f64::min);
        let ids = [(Id::P99, Unit::Seconds)];
        let [figure] = self.rounds(
            "99th percentile",
            self.plan.rounds * self.plan.seconds as usize,
            ids,
            |number, program| {
                let server = program.start(&self.cpus.server, None)?;
                let rate = common.min(maxima[number]) / 2.0;
                let p99 = load::p99_at(&server.url, rate, 1)?;
                Ok([p99])
            },
        )?;
        Ok(figure)
    }

    /// None where ours has no such setting. With two CPUs the load has to share one of them with
    /// the server, so it is one that takes little.
    fn two_workers(&self) -> Result<Option<Figure>> {
        let help = std::process::Command::new(self.group.programs[0].binary())
            .arg("--help")
            .output()?;
        if !String::from_utf8_lossy(&help.stdout).contains("--worker-threads") {
            eprintln!(
                "{}: {} has no setting for its worker threads",
                self.group.path, self.group.programs[0].name
            );
            return Ok(None);
        }
        let ids = [(Id::TwoWorkers, Unit::Times)];
        let [mut figure] = self.rounds(
            "worker threads",
            self.plan.rounds,
            ids,
            |number, program| {
                if number > 1 {
                    return Ok([f64::NAN]); // a peer has no such setting
                }
                let rate = |workers| {
                    let server = program.start(&self.cpus.two, Some(workers))?;
                    self.heaviest_load(&server)
                };
                let one = rate(1)?;
                Ok([rate(2)? / one])
            },
        )?;
        figure.programs.truncate(2);
        Ok(Some(figure))
    }

    /// Several servers of each program live side by side, so that all rest at the same time.
    fn memory(&self) -> Result<[Figure; 3]> {
        let servers = self
            .group
            .programs
            .iter()
            .map(|program| {
                // A peer's port is its own, so that there is one of it at a time.
                let count = program.authority.as_ref().map_or(self.plan.memory, |_| 1);
                let start = |_| program.start(&self.cpus.server, None);
                (0..count).map(start).collect::<Result<Vec<_>>>()
            })
            .collect::<Result<Vec<_>>>()?;
        // What starting takes is over.
        thread::sleep(Duration::from_secs(1));
        let look = |number: usize| -> Result<Vec<f64>> {
            let programs = &servers[number];
            programs.iter().map(Server::resident).collect()
        };
        let ids = [
            (Id::Idle, Unit::Bytes),
            (Id::AfterLoad, Unit::Bytes),
            (Id::MinuteLater, Unit::Bytes),
        ];
        eprintln!("{}: memory", self.group.path);
        let mut figures = self.figures(ids);
        for (number, servers) in servers.iter().enumerate() {
            figures[0].programs[number].values = look(number)?;
            for server in servers {
                load::as_fast_as_possible(&server.url, 2 * self.plan.seconds, Requests::Single)?;
                figures[1].programs[number].values.push(server.resident()?);
            }
        }
        thread::sleep(self.plan.rest);
        for number in 0..servers.len() {
            figures[2].programs[number].values = look(number)?;
        }
        Ok(figures)
    }

    fn connections(&self, id: Id, count: usize) -> Result<Figure> {
        let ids = [(id, Unit::Bytes)];
        let what = format!("{count} idle connections");
        let [figure] = self.rounds(&what, self.plan.memory, ids, |_, program| {
            let server = program.start(&self.cpus.server, None)?;
            let before = server.resident()?;
            let connections = load::idle(&server.url, count)?;
            let after = server.resident()?;
            drop(connections);
            Ok([(after - before) / count as f64])
        })?;
        Ok(figure)
    }

    fn sizes(&self) -> Result<[Figure; 2]> {
        let ids = [(Id::Size, Unit::Bytes), (Id::Compressed, Unit::Bytes)];
        self.rounds("size", 1, ids, |_, program| {
            let (size, compressed) = shipped::size(&program.binary())?;
            Ok([size as f64, compressed as f64])
        })
    }

    fn starts(&self) -> Result<Figure> {
        let ids = [(Id::FirstAnswer, Unit::Seconds)];
        let [figure] = self.rounds("starts", self.plan.starts, ids, |_, program| {
            Ok([program.first_answer(&self.cpus.server)?])
        })?;
        Ok(figure)
    }
}
