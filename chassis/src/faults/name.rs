//! Which fault switches there are.

use crate::text::shown;

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
    /// All of them, in the order of the enum: a table by `name as usize` is in this order, too.
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
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn all_are_in_the_order_of_the_enum() {
        for (i, name) in Name::ALL.into_iter().enumerate() {
            assert_eq!(name as usize, i, "{}", name.as_str());
        }
    }
}
