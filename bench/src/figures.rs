//! What was measured: samples of each program in turn, and what is said of them: the median, the
//! lowest and the highest, and the ratio to the reference. As a table and as JSON.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// All that a run measured.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Run {
    /// On what, and how.
    pub on: On,
    /// What serving costs.
    pub figures: Vec<Figure>,
    /// How exactly oneapi burns.
    pub burns: Vec<Burn>,
}

/// On what a run was made, and how.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct On {
    /// `2026-11-25`.
    pub date: String,
    /// The commit of the programs.
    pub commit: String,
    /// The processor.
    pub cpu: String,
    /// How many of it.
    pub cpus: usize,
    /// The kernel.
    pub kernel: String,
    /// The compiler.
    pub rustc: String,
    /// What other processes used of the machine meanwhile, in percent.
    pub others: f64,
    /// How often each was measured in turn.
    pub rounds: usize,
    /// How long the load of each sample was, in seconds.
    pub seconds: u32,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Requests per second.
    PerSecond,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// How many times as much.
    Times,
}

impl Unit {
    /// With three digits, in a unit in which it has few: `21,300`, `1.57 ms`, `3.17 MB`.
    pub fn text(self, value: f64) -> String {
        match self {
            Self::PerSecond => thousands(round(value, 3)),
            Self::Times => format!("{value:.2}"),
            Self::Seconds if value < 0.001 => format!("{} µs", digits(value * 1e6)),
            Self::Seconds if value < 1.0 => format!("{} ms", digits(value * 1e3)),
            Self::Seconds => format!("{} s", digits(value)),
            Self::Bytes if value < 1e5 => format!("{} kB", digits(value / 1e3)),
            Self::Bytes => format!("{} MB", digits(value / 1e6)),
        }
    }
}

fn round(value: f64, digits: i32) -> f64 {
    if value == 0.0 {
        return value;
    }
    let scale = 10_f64.powi(digits - 1 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

fn digits(value: f64) -> String {
    let value = round(value, 3);
    match value.abs() {
        magnitude if magnitude >= 100.0 => format!("{value:.0}"),
        magnitude if magnitude >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn thousands(value: f64) -> String {
    let plain = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in plain.chars().enumerate() {
        if place > 0 && (plain.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// One thing that was measured, of several programs.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Figure {
    /// A short name.
    pub id: Id,
    /// What was asked for.
    pub path: String,
    /// What the numbers count.
    pub unit: Unit,
    /// The first is ours, the second the reference.
    pub programs: Vec<Samples>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Id {
    /// Requests per second at 64 connections.
    Requests,
    /// CPU time of a request.
    CpuPerRequest,
    /// Requests per second, 16 pipelined on each connection.
    Pipelined,
    /// 99th percentile at a fixed rate.
    P99,
    /// Resident memory before any load.
    Idle,
    /// Resident memory right after load.
    AfterLoad,
    /// Resident memory a minute after load.
    MinuteLater,
    /// Memory of each of 1,000 idle connections.
    Connection1000,
    /// Memory of each of 10,000 idle connections.
    Connection10000,
    /// The binary.
    Size,
    /// The binary, compressed.
    Compressed,
    /// From exec to the first 200.
    FirstAnswer,
    /// Requests per second of two worker threads, of those of one.
    TwoWorkers,
}

impl Id {
    /// In English, and in Chinese.
    pub fn labels(self) -> [&'static str; 2] {
        match self {
            Self::Requests => [
                "requests per second, 64 connections",
                "每秒请求数，64 个连接",
            ],
            Self::CpuPerRequest => ["CPU time per request", "每个请求的 CPU 时间"],
            Self::Pipelined => [
                "requests per second, 64 connections, 16 pipelined",
                "每秒请求数，64 个连接，每个连接流水线发送 16 个请求",
            ],
            Self::P99 => [
                "99th percentile at half of the maximum rate",
                "最大速率一半时的第 99 百分位延迟",
            ],
            Self::Idle => ["resident memory, idle", "常驻内存，空闲时"],
            Self::AfterLoad => ["resident memory, after load", "常驻内存，负载刚结束时"],
            Self::MinuteLater => [
                "resident memory, a minute after load",
                "常驻内存，负载结束一分钟后",
            ],
            Self::Connection1000 => [
                "memory per idle connection, 1,000 of them",
                "每个空闲连接的内存，共 1,000 个",
            ],
            Self::Connection10000 => [
                "memory per idle connection, 10,000 of them",
                "每个空闲连接的内存，共 10,000 个",
            ],
            Self::Size => ["binary", "可执行文件"],
            Self::Compressed => ["binary, gzip-compressed", "可执行文件，gzip 压缩后"],
            Self::FirstAnswer => ["from exec to the first 200", "从 exec 到第一个 200"],
            Self::TwoWorkers => [
                "requests per second with 2 worker threads, of those with 1",
                "2 个工作线程与 1 个工作线程的每秒请求数之比",
            ],
        }
    }
}

/// The samples of a program, in the order in which they were taken.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Samples {
    /// The program.
    pub name: String,
    /// In whole units: seconds, bytes.
    pub values: Vec<f64>,
}

impl Samples {
    /// The median; of an even number the upper one.
    pub fn median(&self) -> f64 {
        median(&self.values)
    }

    /// The lowest and the highest.
    pub fn spread(&self) -> (f64, f64) {
        let fold = |by: fn(f64, f64) -> f64| self.values.iter().copied().reduce(by);
        let (low, high) = (fold(f64::min), fold(f64::max));
        (low.unwrap_or(f64::NAN), high.unwrap_or(f64::NAN))
    }

    /// Of the reference's: the median of the ratios of each round, in which both were measured one
    /// after the other.
    pub fn ratio(&self, reference: &Self) -> f64 {
        if self.values.len() != reference.values.len() {
            return self.median() / reference.median();
        }
        let pairs = self.values.iter().zip(&reference.values);
        let ratios: Vec<f64> = pairs.map(|(ours, theirs)| ours / theirs).collect();
        median(&ratios)
    }
}

/// The median; of an even number the upper one.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A burn, or several side by side.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Burn {
    /// `oneapi`, or what it is compared with.
    pub program: String,
    /// In millicores: `250`, `100+250`, `10x100`.
    pub millicores: String,
    /// CPU seconds that were asked for.
    pub asked: f64,
    /// CPU seconds that the kernel counted.
    pub used: f64,
    /// CPU seconds that the program says it used, if it does.
    pub own: Option<f64>,
    /// The largest error of a single second, in percent.
    pub worst: f64,
    /// A second.
    pub wakeups: f64,
    /// What other processes used of the machine meanwhile, in percent.
    pub others: f64,
}

impl Burn {
    /// In percent of what was asked for.
    pub fn error(&self) -> f64 {
        (self.used / self.asked - 1.0) * 100.0
    }
}

impl Run {
    /// The paths, in the order of the figures.
    pub fn paths(&self) -> Vec<&str> {
        let mut paths: Vec<&str> = Vec::new();
        for figure in &self.figures {
            if !paths.contains(&&*figure.path) {
                paths.push(&figure.path);
            }
        }
        paths
    }

    /// One of the figures.
    pub fn find(&self, id: Id, path: &str) -> Option<&Figure> {
        self.figures
            .iter()
            .find(|figure| figure.id == id && figure.path == path)
    }

    /// What serving costs, for a terminal.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let mut line = |line: String| {
            writeln!(text, "{line}").expect("a string takes what it is given");
        };
        for path in self.paths() {
            line(format!(
                "\n{path:<60} {:<12} {:>10}  {:>23} {:>8}",
                "program", "median", "lowest to highest", "ratio"
            ));
            for figure in self.figures.iter().filter(|it| it.path == path) {
                let [label, _] = figure.id.labels();
                for (number, samples) in figure.programs.iter().enumerate() {
                    let unit = figure.unit;
                    let (low, high) = samples.spread();
                    let ratio = figure
                        .programs
                        .get(1)
                        .map_or(f64::NAN, |it| samples.ratio(it));
                    line(format!(
                        "{:<60} {:<12} {:>10}  {:>23} {ratio:>8.2}",
                        if number == 0 { label } else { "" },
                        samples.name,
                        unit.text(samples.median()),
                        format!("{} to {}", unit.text(low), unit.text(high)),
                    ));
                }
            }
        }
        if let (Some(call), Some(plain)) = (
            self.find(Id::CpuPerRequest, "/test/calloneapi"),
            self.find(Id::CpuPerRequest, "/test"),
        ) {
            let times = call.programs[0].median() / plain.programs[0].median();
            line(format!(
                "\nA call takes {times:.2} times the CPU time of a plain answer."
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: &[f64]) -> Samples {
        Samples {
            name: "it".into(),
            values: values.to_vec(),
        }
    }

    #[test]
    fn numbers_have_three_digits_in_a_unit_that_fits() {
        for (unit, value, text) in [
            (Unit::PerSecond, 40_833.96, "40,800"),
            (Unit::PerSecond, 214_633.0, "215,000"),
            (Unit::PerSecond, 312.4, "312"),
            (Unit::Seconds, 0.000_021_04, "21.0 µs"),
            (Unit::Seconds, 0.001_572, "1.57 ms"),
            (Unit::Seconds, 6.9, "6.90 s"),
            (Unit::Bytes, 3_170_000.0, "3.17 MB"),
            (Unit::Bytes, 4_096.0, "4.10 kB"),
            (Unit::Times, 1.634, "1.63"),
        ] {
            assert_eq!(unit.text(value), text);
        }
    }

    #[test]
    fn a_ratio_is_of_what_was_measured_in_the_same_round() {
        // The machine was twice as fast in the last two rounds, for both.
        let ours = samples(&[80.0, 81.0, 160.0, 162.0, 79.0]);
        let theirs = samples(&[100.0, 100.0, 200.0, 200.0, 100.0]);
        assert!((ours.ratio(&theirs) - 0.8).abs() < 1e-9, "in each round");
        assert_eq!(ours.median(), 81.0);
        assert_eq!(ours.spread(), (79.0, 162.0));
    }
}
