//! What a fault switch does, and when it ends.

use std::time::Duration;

use hyper::StatusCode;

use super::part::Percent;

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
        /// How much each second. `None` for all at once.
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

/// When a switch ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// After this time.
    After(Duration),
    /// After it has acted on this many requests.
    Count(u64),
    /// Never: somebody has to clear it, or the process ends.
    Never,
}
