//! What a client asks for.

use std::{fmt, time::Duration};

/// Thousandths of a core.
pub type Millicores = u32;

/// A burn that a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BurnRequest {
    /// How much of a core, or of several.
    pub millicores: Millicores,
    /// For how long.
    pub duration: Duration,
    /// Burn it all even where the container's limit will have the kernel throttle it.
    pub force: bool,
    /// Whose burn it is, when the client says so.
    pub caller: Option<Caller>,
}

impl BurnRequest {
    /// The CPU time that is asked for.
    pub fn cpu_time(&self) -> Duration {
        self.duration.mul_f64(f64::from(self.millicores) / 1000.0)
    }
}

/// The name that a client gives itself, so that it can find and end its own burns. It is shown in
/// lists and logs, and so is short and printable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller(String);

impl Caller {
    /// The longest name, in characters: enough for a pod's name as most are, or a UUID.
    pub const MAX_LENGTH: usize = 64;

    /// `None` when the text is empty, too long, or has other characters than printable ASCII.
    pub fn new(text: &str) -> Option<Self> {
        let printable = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        let valid = (1..=Self::MAX_LENGTH).contains(&text.len()) && text.bytes().all(printable);
        valid.then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
