//! The table of the switches' parameters. By it switches are read, refused with what is allowed, listed
//! with their defaults, and documented.

use std::time::Duration;

use hyper::StatusCode;

use super::{name::Name, part::Percent, value::Value};
use crate::{
    config::{duration, positive_duration, whole_number},
    text::shown,
};

/// What a switch can be given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schema {
    /// Whether exactly one of the parameters is to be given.
    pub(super) is_choice: bool,
    pub(super) parameters: &'static [Parameter],
    pub(super) ends: Ends,
}

/// How a switch can end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// It acts on requests, which can be counted.
    ByTimeOrCount,
    ByTime,
    WithProcess,
}

/// How it is written, what its value can be, and whether it has to be given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter(pub(super) &'static str, Kind, pub(super) Presence);

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// It needs no value.
    Flag,
    Words(&'static [&'static str]),
    Time,
    PositiveTime,
    /// From the first to the second.
    Number(u32, u32),
    Percent,
    ErrorStatus,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Presence {
    Optional,
    Required,
    DefaultsTo(Value),
}

use Presence::{DefaultsTo, Optional, Required};

const NO_TIME: Presence = DefaultsTo(Value::Time(Duration::ZERO));
const PERCENT: Parameter = Parameter(
    "percent=P",
    Kind::Percent,
    DefaultsTo(Value::Percent(Percent(100.0))),
);
const ERROR: Value = Value::Status(StatusCode::INTERNAL_SERVER_ERROR);

const OF_PROBES: &[Parameter] = &[
    Parameter("mode=fail", Kind::Words(&["fail"]), Optional),
    Parameter("hang=D", Kind::PositiveTime, Optional),
    Parameter("reset", Kind::Flag, Optional),
];
const OF_LATENCY: &[Parameter] = &[
    Parameter("delay=D", Kind::PositiveTime, Required),
    Parameter("jitter=D", Kind::Time, NO_TIME),
];
const OF_ERRORS: &[Parameter] = &[
    PERCENT,
    Parameter("status=S", Kind::ErrorStatus, DefaultsTo(ERROR)),
];
const OF_EXIT: &[Parameter] = &[
    Parameter("code=C", Kind::Number(0, 255), Required),
    Parameter("after=D", Kind::Time, NO_TIME),
];
const OF_CRASH: &[Parameter] = &[Parameter(
    "signal=SEGV, ABRT or KILL",
    Kind::Words(&["SEGV", "ABRT", "KILL"]),
    Required,
)];
const OF_MEMORY: &[Parameter] = &[
    Parameter("mib=N", Kind::Number(1, u32::MAX), Required),
    Parameter("rate=R", Kind::Number(1, u32::MAX), Optional),
];
const OF_FILES: &[Parameter] = &[Parameter("count=N", Kind::Number(1, u32::MAX), Required)];
const OF_STOP: &[Parameter] = &[
    Parameter("mode=ignore", Kind::Words(&["ignore"]), Optional),
    Parameter("slow=D", Kind::PositiveTime, Optional),
];

impl Name {
    pub(super) fn schema(self) -> Schema {
        let (is_choice, parameters, ends) = match self {
            Self::Liveness | Self::Readiness | Self::Startup => {
                (true, OF_PROBES, Ends::ByTimeOrCount)
            }
            Self::Latency => (false, OF_LATENCY, Ends::ByTimeOrCount),
            Self::Errors => (false, OF_ERRORS, Ends::ByTimeOrCount),
            Self::Reset => (false, &[PERCENT][..], Ends::ByTimeOrCount),
            Self::Exit => (false, OF_EXIT, Ends::WithProcess),
            Self::Crash => (false, OF_CRASH, Ends::WithProcess),
            Self::Memory => (false, OF_MEMORY, Ends::ByTime),
            Self::Files => (false, OF_FILES, Ends::ByTime),
            Self::Deaf => (false, &[][..], Ends::ByTime),
            Self::Stop => (true, OF_STOP, Ends::ByTime),
        };
        Schema {
            is_choice,
            parameters,
            ends,
        }
    }

    /// Whether it acts on requests.
    pub(super) fn acts_on_requests(self) -> bool {
        self.schema().ends == Ends::ByTimeOrCount
    }

    /// How its parameters are written, without those that say when it ends.
    pub fn parameters(self) -> impl Iterator<Item = &'static str> {
        self.schema().parameters.iter().map(|known| known.0)
    }

    /// The parameters that say when it ends.
    pub fn ends(self) -> &'static [&'static str] {
        match self.schema().ends {
            Ends::ByTimeOrCount => &["for", "count"],
            Ends::ByTime => &["for"],
            Ends::WithProcess => &[],
        }
    }
}

impl Schema {
    pub(super) fn shapes(&self) -> String {
        self.parameters
            .iter()
            .map(|known| known.0)
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// All that can be given.
    pub(super) fn in_words(&self) -> String {
        let choice = if self.is_choice { "one of " } else { "" };
        let end = match self.ends {
            Ends::ByTimeOrCount => "for=D, for=ever or count=N",
            Ends::ByTime => "for=D or for=ever",
            Ends::WithProcess => "",
        };
        match (self.shapes(), end) {
            (shapes, "") => format!("{choice}{shapes}"),
            (shapes, end) if shapes.is_empty() => end.to_owned(),
            (shapes, end) => format!("{choice}{shapes}; and {end}"),
        }
    }
}

impl Parameter {
    pub(super) fn name(&self) -> &'static str {
        self.0.split_once('=').map_or(self.0, |(name, _)| name)
    }

    /// `None` for a flag that is given as false.
    pub(super) fn read(&self, text: &str) -> Result<Option<Value>, String> {
        let or_allowed = |value: Option<Value>| value.ok_or_else(|| self.allowed());
        let value = match self.1 {
            Kind::Flag if text == "false" => return Ok(None),
            Kind::Flag => or_allowed(matches!(text, "" | "true").then_some(Value::Flag)),
            Kind::Words(words) => {
                let known = words.iter().find(|word| **word == text);
                or_allowed(known.copied().map(Value::Word))
            }
            Kind::Time => duration(text).map(Value::Time),
            Kind::PositiveTime => positive_duration(text).map(Value::Time),
            Kind::Number(least, most) => whole_number(least..=most)(text).map(Value::Number),
            Kind::Percent => {
                // Rust reads "inf" and "NaN" as numbers too.
                let percent = text.parse().ok().filter(|p| (0.0..=100.0).contains(p));
                or_allowed(percent.map(|percent| Value::Percent(Percent(percent))))
            }
            Kind::ErrorStatus => {
                let status = text.parse().ok().filter(|s| (400..600).contains(s));
                let status = status.and_then(|s| StatusCode::from_u16(s).ok());
                or_allowed(status.map(Value::Status))
            }
        };
        value
            .map(Some)
            .map_err(|why| format!("{} can't be '{}': {why}", self.name(), shown(text)))
    }

    /// What its value can be.
    pub(super) fn allowed(&self) -> String {
        match self.1 {
            Kind::Flag => "it is given without a value".to_owned(),
            Kind::Words([only]) => format!("it is {only}"),
            Kind::Words(words) => {
                let (last, others) = words.split_last().expect("there are some");
                format!("it is {} or {last}", others.join(", "))
            }
            Kind::Time | Kind::PositiveTime => {
                "a length of time is written as 1m30s or 500ms".to_owned()
            }
            Kind::Number(least, most) => format!("it is a whole number from {least} to {most}"),
            Kind::Percent => "it is a number from 0 to 100".to_owned(),
            Kind::ErrorStatus => "it is an error's, from 400 to 599".to_owned(),
        }
    }
}
