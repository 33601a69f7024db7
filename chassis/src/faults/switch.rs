//! Reads a fault switch from `NAME?parameter=value&…`. Every name and value is known or refused, with a
//! sentence that says what is allowed.

use super::{
    action::{Action, CrashSignal, End},
    name::Name,
    schema::{Ends, Presence},
    value::{
        Parameters,
        Value::{Flag, Number, Percent, Status, Time, Word},
    },
};
use crate::{config::positive_duration, text::shown};

/// A switch that is to be set.
#[derive(Clone, Debug, PartialEq)]
pub struct Switch {
    /// Which one.
    pub name: Name,
    /// What it was given, with the defaults of what it wasn't.
    pub parameters: Parameters,
    /// What it does.
    pub action: Action,
    /// When it ends.
    pub end: End,
}

impl Switch {
    /// Reads `name` and the query that stands behind it.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what is allowed.
    pub fn read(name: &str, query: &str) -> Result<Self, String> {
        let name = Name::read(name)?;
        let schema = name.schema();
        let mut given = Given::read(query)?;
        let mut parameters = Parameters::default();
        for known in schema.parameters {
            let value = match (given.take(known.name()), known.2) {
                (Some(text), _) => known.read(&text)?,
                (None, Presence::DefaultsTo(value)) => Some(value),
                (None, Presence::Optional) => None,
                (None, Presence::Required) => {
                    let (name, allowed) = (name.as_str(), known.allowed());
                    return Err(format!("{name} needs {}: {allowed}", known.0));
                }
            };
            parameters
                .0
                .extend(value.map(|value| (known.name(), value)));
        }
        if schema.is_choice && parameters.0.len() != 1 {
            let (name, shapes) = (name.as_str(), schema.shapes());
            return Err(format!("{name} needs exactly one of {shapes}"));
        }
        let action = Action::of(name, &parameters)?;
        let end = given.end(schema.ends)?;
        if let Some((unknown, _)) = given.0.first() {
            let (name, unknown, known) = (name.as_str(), shown(unknown), schema.in_words());
            return Err(format!(
                "{name} has no parameter '{unknown}': it has {known}"
            ));
        }
        Ok(Self {
            name,
            parameters,
            action,
            end,
        })
    }
}

impl Action {
    /// The parameters are in the order of the schema, each of its kind.
    fn of(name: Name, Parameters(given): &Parameters) -> Result<Self, String> {
        use Name::{
            Crash, Deaf, Errors, Exit, Files, Latency, Liveness, Memory, Readiness, Reset, Startup,
            Stop,
        };
        // Each arm names its switches, so that the compiler refuses a new switch that has none.
        Ok(match (name, &given[..]) {
            (Liveness | Readiness | Startup, &[(_, Word(_))]) => Self::Fail,
            (Liveness | Readiness | Startup, &[(_, Time(hang))]) => Self::Hang(hang),
            (Liveness | Readiness | Startup, &[(_, Flag)]) => Self::ResetProbe,
            (Latency, &[(_, Time(delay)), (_, Time(jitter))]) if jitter <= delay => {
                Self::Latency { delay, jitter }
            }
            (Latency, _) => {
                let why = "jitter can't be longer than delay, which it is taken from and added to";
                return Err(why.to_owned());
            }
            (Errors, &[(_, Percent(percent)), (_, Status(status))]) => {
                Self::Errors { percent, status }
            }
            (Reset, &[(_, Percent(percent))]) => Self::Reset { percent },
            (Exit, &[(_, Number(code)), (_, Time(after))]) => Self::Exit {
                code: code as u8, // at most 255
                after,
            },
            (Crash, &[(_, Word("ABRT"))]) => Self::Crash(CrashSignal::Abrt),
            (Crash, &[(_, Word("KILL"))]) => Self::Crash(CrashSignal::Kill),
            (Crash, _) => Self::Crash(CrashSignal::Segv),
            (Memory, &[(_, Number(mib))]) => Self::Memory { mib, rate: None },
            (Memory, &[(_, Number(mib)), (_, Number(rate))]) => Self::Memory {
                mib,
                rate: Some(rate),
            },
            (Files, &[(_, Number(count))]) => Self::Files { count },
            (Deaf, &[]) => Self::Deaf,
            (Stop, &[(_, Time(slow))]) => Self::SlowStop(slow),
            (Stop, _) => Self::IgnoreStop,
            (Liveness | Readiness | Startup | Errors | Reset | Exit | Memory | Files | Deaf, _) => {
                unreachable!("{} has other parameters", name.as_str())
            }
        })
    }
}

/// The parameters that are given and haven't been read yet.
struct Given(Vec<(String, String)>);

impl Given {
    fn read(query: &str) -> Result<Self, String> {
        let mut pairs = Vec::<(String, String)>::new();
        for (parameter, value) in form_urlencoded::parse(query.as_bytes()) {
            if pairs.iter().any(|(other, _)| *other == parameter) {
                return Err(format!("{} is given twice", shown(&*parameter)));
            }
            pairs.push((parameter.into_owned(), value.into_owned()));
        }
        Ok(Self(pairs))
    }

    fn take(&mut self, parameter: &str) -> Option<String> {
        let at = self.0.iter().position(|(name, _)| name == parameter)?;
        Some(self.0.swap_remove(at).1)
    }

    fn end(&mut self, ends: Ends) -> Result<End, String> {
        let count = match ends {
            Ends::WithProcess => return Ok(End::Never),
            Ends::ByTime => None,
            Ends::ByTimeOrCount => self.take("count"),
        };
        let time = self.take("for");
        match (time.as_deref(), count) {
            (Some("ever"), None) => Ok(End::Never),
            (Some(text), None) => positive_duration(text)
                .map(End::After)
                .map_err(|why| format!("for can't be '{}': {why}, or for=ever", shown(text))),
            (None, Some(text)) => match text.parse() {
                Ok(count) if count > 0 => Ok(End::Count(count)),
                _ => Err(format!(
                    "count can't be '{}': it is a whole number of requests, 1 at least",
                    shown(text)
                )),
            },
            (Some(_), Some(_)) => Err("it can have one end: for, or count".to_owned()),
            (None, None) if ends == Ends::ByTimeOrCount => {
                Err("it needs an end: for=30s, count=N (requests) or for=ever".to_owned())
            }
            (None, None) => Err("it needs an end: for=30s or for=ever".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hyper::StatusCode;

    use super::*;
    use crate::faults::part::Percent;

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
    fn a_switch_is_logged_and_listed_as_it_was_set() {
        let switch = read("errors?percent=5&for=ever").unwrap();
        assert_eq!(switch.parameters.to_string(), "percent=5 status=500");
        assert_eq!(
            read("liveness?reset&for=1s")
                .unwrap()
                .parameters
                .to_string(),
            "reset"
        );
        assert_eq!(
            read("errors?percent=0.5&for=1s")
                .unwrap()
                .parameters
                .to_string(),
            "percent=0.5 status=500"
        );
    }
}
