//! The two containers of a pod.

use std::{fmt, str::FromStr};

use serde::Serialize;

/// Which container of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ContainerName {
    Oneapi,
    Twoapi,
}

impl fmt::Display for ContainerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Oneapi => "oneapi",
            Self::Twoapi => "twoapi",
        })
    }
}

/// The ports of the two containers of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// oneapi's.
    pub oneapi: u16,
    /// twoapi's.
    pub twoapi: u16,
}

impl Ports {
    pub(super) fn of(self, container: ContainerName) -> u16 {
        match container {
            ContainerName::Oneapi => self.oneapi,
            ContainerName::Twoapi => self.twoapi,
        }
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ports = text
            .split_once(',')
            .and_then(|(oneapi, twoapi)| Some((oneapi.parse().ok()?, twoapi.parse().ok()?)));
        match ports {
            Some((oneapi, twoapi)) if oneapi > 0 && twoapi > 0 => Ok(Self { oneapi, twoapi }),
            _ => Err("two ports are written as 5000,5001: oneapi's and twoapi's".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_two_numbers() {
        let ports = Ports {
            oneapi: 5000,
            twoapi: 5001,
        };
        assert_eq!("5000,5001".parse(), Ok(ports));
        for text in ["", "5000", "5000,x", "0,1", "1,2,3", "70000,1"] {
            assert!(text.parse::<Ports>().is_err(), "'{text}'");
        }
    }
}
