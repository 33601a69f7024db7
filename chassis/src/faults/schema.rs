//! The table of the switches' parameters. By it switches are read, refused with what is allowed, listed
//! with their defaults, and documented.

use std::time::Duration;

use hyper::StatusCode;

use super::{
    name::Name,
    part::Percent,
    value::Value::{self, Flag, Number, Status, Time, Word},
};
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

#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// How it is written.
    pub(super) shape: &'static str,
    kind: Kind,
    pub(super) is_required: bool,
    pub(super) default: Option<Value>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// It needs no value.
    Flag,
    Words(&'static [&'static str]),
    Time,
    /// Not 0.
    PositiveTime,
    Number(u32, u32),
    Percent,
    ErrorStatus,
}

const fn optional(name: &'static str, shape: &'static str, kind: Kind) -> Parameter {
    Parameter {
        name,
        shape,
        kind,
        is_required: false,
        default: None,
    }
}

const fn required(name: &'static str, shape: &'static str, kind: Kind) -> Parameter {
    Parameter {
        is_required: true,
        ..optional(name, shape, kind)
    }
}

const fn with_default(
    name: &'static str,
    shape: &'static str,
    kind: Kind,
    value: Value,
) -> Parameter {
    Parameter {
        default: Some(value),
        ..optional(name, shape, kind)
    }
}

const PERCENT: Parameter = with_default(
    "percent",
    "percent=P",
    Kind::Percent,
    Value::Percent(Percent(100.0)),
);
const STATUS: Parameter = with_default(
    "status",
    "status=S",
    Kind::ErrorStatus,
    Status(StatusCode::INTERNAL_SERVER_ERROR),
);
const JITTER: Parameter = with_default("jitter", "jitter=D", Kind::Time, Time(Duration::ZERO));
const AFTER: Parameter = with_default("after", "after=D", Kind::Time, Time(Duration::ZERO));
const COUNT: u32 = u32::MAX;

impl Name {
    /// Whether it acts on requests.
    pub(super) fn acts_on_requests(self) -> bool {
        self.schema().ends == Ends::ByTimeOrCount
    }

    /// How its parameters are written, without those that say when it ends.
    pub fn parameters(self) -> impl Iterator<Item = &'static str> {
        self.schema().parameters.iter().map(|known| known.shape)
    }

    /// The parameters that say when it ends.
    pub fn ends(self) -> &'static [&'static str] {
        match self.schema().ends {
            Ends::ByTimeOrCount => &["for", "count"],
            Ends::ByTime => &["for"],
            Ends::WithProcess => &[],
        }
    }

    pub(super) fn schema(self) -> Schema {
        let is_choice = matches!(
            self,
            Self::Liveness | Self::Readiness | Self::Startup | Self::Stop
        );
        let (parameters, ends): (&[_], _) = match self {
            Self::Liveness | Self::Readiness | Self::Startup => (
                const {
                    &[
                        optional("mode", "mode=fail", Kind::Words(&["fail"])),
                        optional("hang", "hang=D", Kind::PositiveTime),
                        optional("reset", "reset", Kind::Flag),
                    ]
                },
                Ends::ByTimeOrCount,
            ),
            Self::Latency => (
                const { &[required("delay", "delay=D", Kind::PositiveTime), JITTER] },
                Ends::ByTimeOrCount,
            ),
            Self::Errors => (const { &[PERCENT, STATUS] }, Ends::ByTimeOrCount),
            Self::Reset => (const { &[PERCENT] }, Ends::ByTimeOrCount),
            Self::Exit => (
                const { &[required("code", "code=C", Kind::Number(0, 255)), AFTER] },
                Ends::WithProcess,
            ),
            Self::Crash => (
                const {
                    &[required(
                        "signal",
                        "signal=SEGV, ABRT or KILL",
                        Kind::Words(&["SEGV", "ABRT", "KILL"]),
                    )]
                },
                Ends::WithProcess,
            ),
            Self::Memory => (
                const {
                    &[
                        required("mib", "mib=N", Kind::Number(1, COUNT)),
                        optional("rate", "rate=R", Kind::Number(1, COUNT)),
                    ]
                },
                Ends::ByTime,
            ),
            Self::Files => (
                const { &[required("count", "count=N", Kind::Number(1, COUNT))] },
                Ends::ByTime,
            ),
            Self::Deaf => (&[], Ends::ByTime),
            Self::Stop => (
                const {
                    &[
                        optional("mode", "mode=ignore", Kind::Words(&["ignore"])),
                        optional("slow", "slow=D", Kind::PositiveTime),
                    ]
                },
                Ends::ByTime,
            ),
        };
        Schema {
            is_choice,
            parameters,
            ends,
        }
    }
}

impl Schema {
    pub(super) fn shapes(&self) -> String {
        let shapes: Vec<_> = self.parameters.iter().map(|known| known.shape).collect();
        shapes.join(", ")
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
    /// `None` for a flag that is given as false.
    pub(super) fn read(&self, text: &str) -> Result<Option<Value>, String> {
        let or_allowed = |value: Option<Value>| value.ok_or_else(|| self.allowed());
        let value = match self.kind {
            Kind::Flag if text == "false" => return Ok(None),
            Kind::Flag => or_allowed(matches!(text, "" | "true").then_some(Flag)),
            Kind::Words(words) => {
                let known = words.iter().find(|word| **word == text);
                or_allowed(known.copied().map(Word))
            }
            Kind::Time => duration(text).map(Time),
            Kind::PositiveTime => positive_duration(text).map(Time),
            Kind::Number(least, most) => whole_number(least..=most)(text).map(Number),
            Kind::Percent => {
                // Rust reads "inf" and "NaN" as numbers too.
                let percent = text.parse().ok().filter(|p| (0.0..=100.0).contains(p));
                or_allowed(percent.map(|percent| Value::Percent(Percent(percent))))
            }
            Kind::ErrorStatus => {
                let status = text.parse().ok().filter(|s| (400..600).contains(s));
                or_allowed(
                    status
                        .and_then(|s| StatusCode::from_u16(s).ok())
                        .map(Status),
                )
            }
        };
        value
            .map(Some)
            .map_err(|why| format!("{} can't be '{}': {why}", self.name, shown(text)))
    }

    /// What its value can be.
    pub(super) fn allowed(&self) -> String {
        match self.kind {
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
