//! The services of the health service, and what the handlers know to answer for them.

use super::message::ServingStatus;
use crate::{
    faults::{Faults, Name},
    lifecycle::Life,
};

/// What the handlers share.
#[derive(Clone, Debug)]
pub(in crate::endpoints) struct Health {
    pub(in crate::endpoints) life: Life,
    pub(in crate::endpoints) faults: Faults,
}

/// A service whose health can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Liveness,
    Readiness,
    Startup,
}

impl Service {
    /// `None` if there is no such service.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "liveness" => Some(Self::Liveness),
            "" | "readiness" => Some(Self::Readiness),
            "startup" => Some(Self::Startup),
            _ => None,
        }
    }

    pub(super) fn switch(self) -> Name {
        match self {
            Self::Liveness => Name::Liveness,
            Self::Readiness => Name::Readiness,
            Self::Startup => Name::Startup,
        }
    }
}

impl Health {
    /// What its probe over HTTP would say, fault switches aside.
    pub(super) fn is_serving(&self, service: Service) -> ServingStatus {
        let is_serving = match service {
            Service::Liveness => true,
            Service::Readiness => self.life.readiness().is_ok(),
            Service::Startup => self.life.startup().is_ok(),
        };
        if is_serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        }
    }
}
