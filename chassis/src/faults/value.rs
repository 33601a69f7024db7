//! The values of a switch's parameters, as JSON and the log print them.

use std::{fmt, time::Duration};

use hyper::StatusCode;
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::part::Percent;
use crate::config::written;

/// A value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    /// Without one: the parameter's name says all.
    Flag,
    Word(&'static str),
    Time(Duration),
    Number(u32),
    Percent(Percent),
    Status(StatusCode),
}

/// A switch's parameters with their values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters(pub(super) Vec<(&'static str, Value)>);

impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Flag => serializer.serialize_bool(true),
            Self::Word(_) | Self::Time(_) => serializer.collect_str(self),
            Self::Number(number) => serializer.serialize_u32(*number),
            Self::Percent(Percent(percent)) if percent.fract() == 0.0 => {
                serializer.serialize_u32(*percent as u32)
            }
            Self::Percent(Percent(percent)) => serializer.serialize_f64(*percent),
            Self::Status(status) => serializer.serialize_u16(status.as_u16()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => Ok(()),
            Self::Word(word) => f.write_str(word),
            Self::Time(time) => f.write_str(&written(*time)),
            Self::Number(number) => number.fmt(f),
            Self::Percent(Percent(percent)) => percent.fmt(f),
            Self::Status(status) => status.as_u16().fmt(f),
        }
    }
}

/// `percent=5 status=500`.
impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (name, value)) in self.0.iter().enumerate() {
            let space = if n > 0 { " " } else { "" };
            match value {
                Value::Flag => write!(f, "{space}{name}")?,
                value => write!(f, "{space}{name}={value}")?,
            }
        }
        Ok(())
    }
}
