//! What a fault switch is asked to do and when it ends, read from `NAME?parameter=value&…`. Every
//! name and value is known or refused, with a sentence that says what is allowed.

use std::{fmt, time::Duration};

use axum::http::StatusCode;
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    config::{duration, positive_duration},
    text::shown,
};

/// The switches, in the order in which they are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the table in docs/reference.md says what each does
pub enum Name {
    Liveness,
    Readiness,
    Startup,
    Latency,
    Errors,
    Reset,
    Exit,
    Crash,
    Memory,
    Files,
    Deaf,
    Stop,
}

impl Name {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Liveness,
        Self::Readiness,
        Self::Startup,
        Self::Latency,
        Self::Errors,
        Self::Reset,
        Self::Exit,
        Self::Crash,
        Self::Memory,
        Self::Files,
        Self::Deaf,
        Self::Stop,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
            Self::Startup => "startup",
            Self::Latency => "latency",
            Self::Errors => "errors",
            Self::Reset => "reset",
            Self::Exit => "exit",
            Self::Crash => "crash",
            Self::Memory => "memory",
            Self::Files => "files",
            Self::Deaf => "deaf",
            Self::Stop => "stop",
        }
    }

    /// Reads one.
    ///
    /// # Errors
    /// A sentence that says which there are.
    pub fn read(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|name| name.as_str() == text);
        found.ok_or_else(|| {
            let all = Self::ALL.map(Self::as_str).join(", ");
            format!(
                "there is no fault switch '{}': there are {all}",
                shown(text)
            )
        })
    }

    /// Whether it acts on requests, which can be counted.
    pub(super) fn acts_on_requests(self) -> bool {
        matches!(
            self,
            Self::Liveness
                | Self::Readiness
                | Self::Startup
                | Self::Latency
                | Self::Errors
                | Self::Reset
        )
    }

    fn parameters(self) -> &'static str {
        match self {
            Self::Liveness | Self::Readiness | Self::Startup => {
                "one of mode=fail, hang=D, reset; and for=D, for=ever or count=N"
            }
            Self::Latency => "delay=D, jitter=D; and for=D, for=ever or count=N",
            Self::Errors => "percent=P, status=S; and for=D, for=ever or count=N",
            Self::Reset => "percent=P; and for=D, for=ever or count=N",
            Self::Exit => "code=C, after=D",
            Self::Crash => "signal=SEGV, ABRT or KILL",
            Self::Memory => "mib=N, rate=R; and for=D or for=ever",
            Self::Files => "count=N; and for=D or for=ever",
            Self::Deaf => "for=D or for=ever",
            Self::Stop => "one of mode=ignore, slow=D; and for=D or for=ever",
        }
    }
}

/// What a switch does while it is set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// A probe answers 503.
    Fail,
    /// A probe answers that much later.
    Hang(Duration),
    /// A probe's connection is reset.
    ResetProbe,
    /// Ordinary requests are answered later, by a time that is evenly spread round `delay`.
    Latency {
        /// The mean.
        delay: Duration,
        /// By how much it differs from the mean at most.
        jitter: Duration,
    },
    /// Ordinary requests are answered with an error.
    Errors {
        /// How many of them.
        percent: Percent,
        /// 400 to 599.
        status: StatusCode,
    },
    /// The connection of ordinary requests is reset.
    Reset {
        /// How many of them.
        percent: Percent,
    },
    /// The process exits.
    Exit {
        /// With this code.
        code: u8,
        /// This much later.
        after: Duration,
    },
    /// The process is ended by a signal.
    Crash(CrashSignal),
    /// Memory is taken.
    Memory {
        /// How much.
        mib: u32,
        /// How much each second; none: at once.
        rate: Option<u32>,
    },
    /// File descriptors are opened.
    Files {
        /// How many.
        count: u32,
    },
    /// No connection is accepted.
    Deaf,
    /// SIGTERM is ignored.
    IgnoreStop,
    /// SIGTERM is taken that much later.
    SlowStop(Duration),
}

/// What a crash is by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // POSIX says what each is
pub enum CrashSignal {
    Segv,
    Abrt,
    Kill,
}

impl CrashSignal {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Segv => "SEGV",
            Self::Abrt => "ABRT",
            Self::Kill => "KILL",
        }
    }
}

/// A part of all requests, from 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percent(f64);

impl Percent {
    /// Whether the n-th request, counted from 0, is one of them, of which there were `hits` before.
    ///
    /// How many there are is not left to chance: exactly one while the part that is due grows from one
    /// whole number to the next. Which one it is has no pattern that a client could fall in step with,
    /// since each request has the same chance. The first request is always one.
    pub(super) fn includes(self, n: u64, hits: u64) -> bool {
        let (part, hits) = (self.0 / 100.0, hits as f64);
        let due = n as f64 * part;
        let (whole, left) = (due.floor(), due.floor() + 1.0 - due);
        let chance = if part < left {
            if hits > whole { 0.0 } else { part / left }
        } else if hits > whole {
            // The end of a whole one, which has been, and the beginning of the next.
            (part - left) / (1.0 - left)
        } else {
            1.0
        };
        noise(n) < chance
    }
}

/// The n-th of a sequence of numbers from 0 up to 1 without a pattern: SplitMix64,
/// <https://doi.org/10.1145/2714064.2660195>, whose first is 0.
fn noise(n: u64) -> f64 {
    let mut bits = n.wrapping_mul(GOLDEN);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    fraction(bits ^ (bits >> 31))
}

/// The n-th of a sequence of numbers from 0 up to 1 that fill that range evenly, however many are
/// taken: an additive recurrence, <https://en.wikipedia.org/wiki/Low-discrepancy_sequence>.
pub(super) fn spread(n: u64) -> f64 {
    fraction(n.wrapping_mul(GOLDEN))
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15; // 2^64 / 1.618…

/// Of as many bits as a float holds, so that it stays below 1.
fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// When a switch ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// After this time.
    After(Duration),
    /// After it has acted on so many requests.
    Count(u64),
    /// Never: somebody has to clear it, or the process ends.
    Never,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Switch {
    /// Which one.
    pub name: Name,
    /// What it does.
    pub action: Action,
    /// When it ends.
    pub end: End,
}

/// How far switches may go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// In MiB.
    pub(super) memory: u32,
    pub(super) files: u32,
    pub(super) delay: Duration,
}

impl Bounds {
    pub(super) fn check(&self, switch: &Switch) -> Result<(), String> {
        let delay = |name: &str, asked: Duration| {
            let most = self.delay;
            if asked <= most {
                return Ok(());
            }
            let (asked, most) = (in_words(asked), in_words(most));
            Err(format!(
                "{name} can't be {asked}: MAX_FAULT_DELAY allows up to {most}"
            ))
        };
        match switch.action {
            Action::Hang(hang) => delay("hang", hang),
            Action::Latency {
                delay: mean,
                jitter,
            } => {
                let name = if jitter.is_zero() {
                    "delay"
                } else {
                    "delay plus jitter"
                };
                delay(name, mean + jitter)
            }
            Action::SlowStop(slow) => delay("slow", slow),
            Action::Exit { after, .. } => delay("after", after),
            Action::Memory { mib, .. } if mib > self.memory => Err(format!(
                "mib can't be {mib}: MAX_FAULT_MEMORY allows up to {}",
                self.memory
            )),
            Action::Files { count } if count > self.files => Err(format!(
                "count can't be {count}: MAX_FAULT_FILES allows up to {}",
                self.files
            )),
            _ => Ok(()),
        }
    }
}

fn in_words(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

impl Switch {
    /// Reads `name` and the query that stands behind it.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what is allowed.
    pub fn read(name: &str, query: &str) -> Result<Self, String> {
        let name = Name::read(name)?;
        let mut given = Given::read(name, query)?;
        let action = match name {
            Name::Liveness | Name::Readiness | Name::Startup => {
                let all = [given.word("mode", "fail")?, given.flag("reset")?];
                let hang = given
                    .take("hang")
                    .map(|text| time("hang", &text))
                    .transpose()?;
                match (all, hang) {
                    ([true, false], None) => Action::Fail,
                    ([false, true], None) => Action::ResetProbe,
                    ([false, false], Some(hang)) => Action::Hang(hang),
                    _ => return Err(given.wants("exactly one of mode=fail, hang=D, reset")),
                }
            }
            Name::Latency => {
                let delay = given.required("delay", "delay=D, such as delay=200ms")?;
                let delay = time("delay", &delay)?;
                let jitter = match given.take("jitter") {
                    Some(text) => time_or_none("jitter", &text)?,
                    None => Duration::ZERO,
                };
                if jitter > delay {
                    return Err(
                        "jitter can't be longer than delay, which it is taken from and \
                                added to"
                            .to_owned(),
                    );
                }
                Action::Latency { delay, jitter }
            }
            Name::Errors => Action::Errors {
                percent: given.percent()?,
                status: given.status()?,
            },
            Name::Reset => Action::Reset {
                percent: given.percent()?,
            },
            Name::Exit => {
                let code = given.required("code", "code=C, from 0 to 255")?;
                Action::Exit {
                    code: number("code", &code, 0, 255)? as u8, // it is at most that
                    after: match given.take("after") {
                        Some(text) => time_or_none("after", &text)?,
                        None => Duration::ZERO,
                    },
                }
            }
            Name::Crash => {
                let allowed = "signal=SEGV, signal=ABRT or signal=KILL";
                let signal = given.required("signal", allowed)?;
                Action::Crash(match signal.as_str() {
                    "SEGV" => CrashSignal::Segv,
                    "ABRT" => CrashSignal::Abrt,
                    "KILL" => CrashSignal::Kill,
                    _ => return Err(wrong("signal", &signal, "SEGV, ABRT or KILL")),
                })
            }
            Name::Memory => {
                let mib = given.required("mib", "mib=N, how many MiB to take")?;
                Action::Memory {
                    mib: number("mib", &mib, 1, u32::MAX)?,
                    rate: match given.take("rate") {
                        Some(text) => Some(number("rate", &text, 1, u32::MAX)?),
                        None => None,
                    },
                }
            }
            Name::Files => {
                let count = given.required("count", "count=N, how many to open")?;
                Action::Files {
                    count: number("count", &count, 1, u32::MAX)?,
                }
            }
            Name::Deaf => Action::Deaf,
            Name::Stop => {
                let ignore = given.word("mode", "ignore")?;
                let slow = given
                    .take("slow")
                    .map(|text| time("slow", &text))
                    .transpose()?;
                match (ignore, slow) {
                    (true, None) => Action::IgnoreStop,
                    (false, Some(slow)) => Action::SlowStop(slow),
                    _ => return Err(given.wants("exactly one of mode=ignore, slow=D")),
                }
            }
        };
        let end = given.end()?;
        given.nothing_else()?;
        Ok(Self { name, action, end })
    }
}

fn wrong(parameter: &str, value: &str, allowed: &str) -> String {
    format!("{parameter} can't be '{}': it is {allowed}", shown(value))
}

fn time(parameter: &str, text: &str) -> Result<Duration, String> {
    positive_duration(text).map_err(|why| not_a_time(parameter, text, &why))
}

fn time_or_none(parameter: &str, text: &str) -> Result<Duration, String> {
    duration(text).map_err(|why| not_a_time(parameter, text, &why))
}

fn not_a_time(parameter: &str, text: &str, why: &str) -> String {
    format!("{parameter} can't be '{}': {why}", shown(text))
}

fn number(parameter: &str, text: &str, least: u32, most: u32) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => {
            let allowed = format!("a whole number from {least} to {most}");
            Err(wrong(parameter, text, &allowed))
        }
    }
}

/// The parameters that are given and haven't been read yet.
struct Given {
    name: Name,
    pairs: Vec<(String, String)>,
}

impl Given {
    fn read(name: Name, query: &str) -> Result<Self, String> {
        let mut pairs = Vec::<(String, String)>::new();
        for (parameter, value) in form_urlencoded::parse(query.as_bytes()) {
            if pairs.iter().any(|(other, _)| *other == parameter) {
                return Err(format!("{} is given twice", shown(&*parameter)));
            }
            pairs.push((parameter.into_owned(), value.into_owned()));
        }
        Ok(Self { name, pairs })
    }

    fn take(&mut self, parameter: &str) -> Option<String> {
        let at = self.pairs.iter().position(|(name, _)| name == parameter)?;
        Some(self.pairs.swap_remove(at).1)
    }

    fn wants(&self, what: &str) -> String {
        format!("{} needs {what}", self.name.as_str())
    }

    fn required(&mut self, parameter: &str, what: &str) -> Result<String, String> {
        self.take(parameter).ok_or_else(|| self.wants(what))
    }

    /// A parameter that can have one value only.
    fn word(&mut self, parameter: &str, only: &str) -> Result<bool, String> {
        match self.take(parameter) {
            None => Ok(false),
            Some(value) if value == only => Ok(true),
            Some(value) => Err(wrong(parameter, &value, only)),
        }
    }

    /// A parameter that needs no value.
    fn flag(&mut self, parameter: &str) -> Result<bool, String> {
        match self.take(parameter).as_deref() {
            None | Some("false") => Ok(false),
            Some("" | "true") => Ok(true),
            Some(value) => Err(wrong(parameter, value, "given without a value")),
        }
    }

    fn percent(&mut self) -> Result<Percent, String> {
        let Some(text) = self.take("percent") else {
            return Ok(Percent(100.0));
        };
        match text.parse() {
            // Rust reads "inf" and "NaN" as numbers too.
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Percent(percent)),
            _ => Err(wrong("percent", &text, "a number from 0 to 100")),
        }
    }

    fn status(&mut self) -> Result<StatusCode, String> {
        let Some(text) = self.take("status") else {
            return Ok(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let status = text
            .parse()
            .ok()
            .filter(|status| (400..600).contains(status));
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        status.ok_or_else(|| wrong("status", &text, "an error's, from 400 to 599"))
    }

    fn end(&mut self) -> Result<End, String> {
        if matches!(self.name, Name::Exit | Name::Crash) {
            return Ok(End::Never); // the process does
        }
        let countable = self.name.acts_on_requests();
        let time_text = self.take("for");
        let count = if countable { self.take("count") } else { None };
        match (time_text.as_deref(), count) {
            (Some("ever"), None) => Ok(End::Never),
            (Some(text), None) => match positive_duration(text) {
                Ok(time) => Ok(End::After(time)),
                Err(why) => Err(not_a_time("for", text, &format!("{why}, or for=ever"))),
            },
            (None, Some(text)) => match text.parse() {
                Ok(count) if count > 0 => Ok(End::Count(count)),
                _ => Err(wrong(
                    "count",
                    &text,
                    "a whole number of requests, 1 at least",
                )),
            },
            (Some(_), Some(_)) => Err("it can have one end: for, or count".to_owned()),
            (None, None) if countable => {
                Err("it needs an end: for=30s, count=N (requests) or for=ever".to_owned())
            }
            (None, None) => Err("it needs an end: for=30s or for=ever".to_owned()),
        }
    }

    fn nothing_else(&self) -> Result<(), String> {
        let Some((parameter, _)) = self.pairs.first() else {
            return Ok(());
        };
        let (name, known) = (self.name.as_str(), self.name.parameters());
        Err(format!(
            "{name} has no parameter '{}': it has {known}",
            shown(parameter)
        ))
    }
}

/// A switch as it is listed.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// Which one.
    #[serde(serialize_with = "name")]
    pub name: Name,
    /// As they were given, with the defaults of those that weren't.
    #[serde(serialize_with = "parameters")]
    pub parameters: Action,
    /// How much is left of it.
    pub left: Left,
}

/// How much is left of a switch: time or requests. Both are null for one that has no end of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Left {
    /// The time, in seconds.
    pub seconds: Option<f64>,
    /// The requests that it still acts on.
    pub count: Option<u64>,
}

fn name<S: Serializer>(name: &Name, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name.as_str())
}

/// A value of a parameter, as JSON has it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Value {
    Number(u32),
    Decimal(f64),
    Text(String),
    Flag(bool),
}

impl From<Duration> for Value {
    fn from(duration: Duration) -> Self {
        Self::Text(in_words(duration))
    }
}

impl From<Percent> for Value {
    fn from(Percent(percent): Percent) -> Self {
        if percent.fract() == 0.0 {
            Self::Number(percent as u32)
        } else {
            Self::Decimal(percent)
        }
    }
}

impl Action {
    fn parameters(self) -> Vec<(&'static str, Value)> {
        let text = |text: &str| Value::Text(text.to_owned());
        match self {
            Self::Fail => vec![("mode", text("fail"))],
            Self::Hang(hang) => vec![("hang", hang.into())],
            Self::ResetProbe => vec![("reset", Value::Flag(true))],
            Self::Latency { delay, jitter } => {
                vec![("delay", delay.into()), ("jitter", jitter.into())]
            }
            Self::Errors { percent, status } => vec![
                ("percent", percent.into()),
                ("status", Value::Number(status.as_u16().into())),
            ],
            Self::Reset { percent } => vec![("percent", percent.into())],
            Self::Exit { code, after } => {
                vec![
                    ("code", Value::Number(code.into())),
                    ("after", after.into()),
                ]
            }
            Self::Crash(signal) => vec![("signal", text(signal.as_str()))],
            Self::Memory { mib, rate } => {
                let rate = rate.map(|rate| ("rate", Value::Number(rate)));
                [("mib", Value::Number(mib))]
                    .into_iter()
                    .chain(rate)
                    .collect()
            }
            Self::Files { count } => vec![("count", Value::Number(count))],
            Self::Deaf => Vec::new(),
            Self::IgnoreStop => vec![("mode", text("ignore"))],
            Self::SlowStop(slow) => vec![("slow", slow.into())],
        }
    }
}

fn parameters<S: Serializer>(action: &Action, serializer: S) -> Result<S::Ok, S::Error> {
    let parameters = action.parameters();
    let mut map = serializer.serialize_map(Some(parameters.len()))?;
    for (name, value) in &parameters {
        map.serialize_entry(name, value)?;
    }
    map.end()
}

/// For the log: `percent=5 status=500`.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (name, value)) in self.parameters().iter().enumerate() {
            let space = if n > 0 { " " } else { "" };
            match value {
                Value::Number(number) => write!(f, "{space}{name}={number}")?,
                Value::Decimal(number) => write!(f, "{space}{name}={number}")?,
                Value::Text(text) => write!(f, "{space}{name}={text}")?,
                Value::Flag(_) => write!(f, "{space}{name}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Switch, String> {
        let (name, query) = text.split_once('?').unwrap_or((text, ""));
        Switch::read(name, query)
    }

    #[test]
    fn each_switch_is_read_with_its_parameters_and_its_end() {
        let second = Duration::from_secs(1);
        let percent = Percent(0.5);
        let status = StatusCode::BAD_GATEWAY;
        for (text, action, end) in [
            (
                "liveness?mode=fail&for=30s",
                Action::Fail,
                End::After(30 * second),
            ),
            (
                "readiness?hang=1s&count=3",
                Action::Hang(second),
                End::Count(3),
            ),
            ("startup?reset&for=ever", Action::ResetProbe, End::Never),
            (
                "latency?delay=2s&jitter=1s&for=ever",
                Action::Latency {
                    delay: 2 * second,
                    jitter: second,
                },
                End::Never,
            ),
            (
                "errors?percent=0.5&status=502&for=ever",
                Action::Errors { percent, status },
                End::Never,
            ),
            (
                "reset?percent=0.5&count=1",
                Action::Reset { percent },
                End::Count(1),
            ),
            (
                "exit?code=255&after=1s",
                Action::Exit {
                    code: 255,
                    after: second,
                },
                End::Never,
            ),
            (
                "crash?signal=SEGV",
                Action::Crash(CrashSignal::Segv),
                End::Never,
            ),
            (
                "memory?mib=64&rate=8&for=1s",
                Action::Memory {
                    mib: 64,
                    rate: Some(8),
                },
                End::After(second),
            ),
            (
                "files?count=5&for=1s",
                Action::Files { count: 5 },
                End::After(second),
            ),
            ("deaf?for=1s", Action::Deaf, End::After(second)),
            ("stop?mode=ignore&for=ever", Action::IgnoreStop, End::Never),
            (
                "stop?slow=1s&for=ever",
                Action::SlowStop(second),
                End::Never,
            ),
        ] {
            let switch = read(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!((switch.action, switch.end), (action, end), "{text}");
        }
    }

    #[test]
    fn whatever_is_wrong_is_refused_with_what_is_allowed() {
        for (text, part) in [
            (
                "error?for=1s",
                "there is no fault switch 'error': there are liveness, ",
            ),
            ("Errors?for=1s", "there is no fault switch 'Errors'"),
            (
                "errors?percent=5",
                "it needs an end: for=30s, count=N (requests) or for=ever",
            ),
            (
                "errors?percent=100.1&for=1s",
                "percent can't be '100.1': it is a number from 0 to 100",
            ),
            ("errors?percent=-1&for=1s", "percent can't be '-1'"),
            ("errors?percent=NaN&for=1s", "percent can't be 'NaN'"),
            ("errors?percent=inf&for=1s", "percent can't be 'inf'"),
            (
                "errors?status=200&for=1s",
                "status can't be '200': it is an error's, from 400 to 599",
            ),
            ("errors?status=999&for=1s", "status can't be '999'"),
            (
                "errors?status=99999999999&for=1s",
                "status can't be '99999999999'",
            ),
            ("errors?for=1s&count=2", "it can have one end"),
            ("errors?count=0", "count can't be '0'"),
            ("errors?count=99999999999999999999", "count can't be"),
            (
                "errors?for=0s",
                "for can't be '0s': it must be longer than 0s",
            ),
            ("errors?for=forever", "or for=ever"),
            ("errors?for=1s&for=2s", "for is given twice"),
            (
                "errors?percents=5&for=1s",
                "errors has no parameter 'percents': it has percent=P",
            ),
            (
                "liveness?for=1s",
                "liveness needs exactly one of mode=fail, hang=D, reset",
            ),
            ("liveness?mode=fail&reset&for=1s", "exactly one"),
            (
                "liveness?mode=hang&for=1s",
                "mode can't be 'hang': it is fail",
            ),
            ("liveness?hang=0s&for=1s", "hang can't be '0s'"),
            ("latency?for=1s", "latency needs delay=D"),
            (
                "latency?delay=1s&jitter=2s&for=1s",
                "jitter can't be longer than delay",
            ),
            ("exit", "exit needs code=C"),
            (
                "exit?code=256",
                "code can't be '256': it is a whole number from 0 to 255",
            ),
            ("exit?code=3&for=1s", "exit has no parameter 'for'"),
            (
                "crash?signal=TERM",
                "signal can't be 'TERM': it is SEGV, ABRT or KILL",
            ),
            ("memory?mib=0&for=1s", "mib can't be '0'"),
            (
                "memory?mib=99999999999&for=1s",
                "mib can't be '99999999999'",
            ),
            (
                "memory?mib=1&count=1",
                "it needs an end: for=30s or for=ever",
            ),
            ("files?count=1", "it needs an end: for=30s or for=ever"),
            ("deaf?count=1&for=1s", "deaf has no parameter 'count'"),
            (
                "stop?mode=ignore&slow=1s&for=1s",
                "stop needs exactly one of",
            ),
        ] {
            let why = read(text).expect_err(text);
            assert!(why.contains(part), "{text}: {why}");
        }
    }

    #[test]
    fn a_part_is_exact_after_any_number_of_requests() {
        let percents = (0..=200).map(|half| f64::from(half) / 2.0);
        for percent in percents.chain([0.1, 12.34, 25.2, 33.3, 66.6, 99.9]) {
            let mut hits = 0;
            for n in 0..20_000 {
                hits += u64::from(Percent(percent).includes(n, hits));
                let off = hits as f64 - (n + 1) as f64 * percent / 100.0;
                assert!(off.abs() <= 1.0, "{percent} %: {hits} of {}", n + 1);
            }
        }
    }

    /// Such as one that sends every second request over a connection of its own.
    #[test]
    fn a_client_that_sends_every_second_or_third_request_meets_its_part() {
        for percent in [5.0, 25.0, 50.0, 75.0, 200.0 / 3.0] {
            for clients in [2, 3, 4] {
                let mut hits = 0;
                let mut of_client = [0; 4];
                for n in 0..12_000 {
                    if Percent(percent).includes(n, hits) {
                        hits += 1;
                        of_client[(n % clients) as usize] += 1;
                    }
                }
                let share = 12_000.0 / clients as f64;
                for met in &of_client[..clients as usize] {
                    let met = f64::from(*met) / share * 100.0;
                    assert!(
                        (met - percent).abs() < 3.0,
                        "{percent} % of {clients}: {of_client:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_switch_is_logged_and_listed_as_it_was_set() {
        let switch = read("errors?percent=5&for=ever").unwrap();
        assert_eq!(switch.action.to_string(), "percent=5 status=500");
        assert_eq!(
            read("liveness?reset&for=1s").unwrap().action.to_string(),
            "reset"
        );
        assert_eq!(
            read("errors?percent=0.5&for=1s")
                .unwrap()
                .action
                .to_string(),
            "percent=0.5 status=500"
        );
    }
}
