//! Which program this is: its name, version and commit, fixed when it is compiled.

use std::fmt;

/// A service's own name, and the build that is running.
#[derive(Clone, Copy, Debug)]
pub struct Build {
    /// The program's name, as in its image and its log lines.
    pub service: &'static str,
    /// The image's `VERSION` build argument, else the crate's version.
    pub version: &'static str,
    /// The commit that it was built from: the `COMMIT` build argument, else `unknown`.
    pub commit: &'static str,
}

impl Build {
    /// Called by [`build!`](crate::build!) with what the compiler knows.
    /// An empty build argument counts as none.
    pub const fn new(
        service: &'static str,
        crate_version: &'static str,
        version: Option<&'static str>,
        commit: Option<&'static str>,
    ) -> Self {
        Self {
            service,
            version: match version {
                Some(version) if !version.is_empty() => version,
                _ => crate_version,
            },
            commit: match commit {
                Some(commit) if !commit.is_empty() => commit,
                _ => "unknown",
            },
        }
    }
}

/// `1.0 (commit 1234abc)`, which `--version` prints after the name.
impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (commit {})", self.version, self.commit)
    }
}

/// The [`Build`] of the crate that calls it. Call it in `main.rs`: then another `VERSION` or
/// `COMMIT` compiles that one file anew and nothing else.
#[macro_export]
macro_rules! build {
    () => {
        $crate::config::Build::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            option_env!("VERSION"),
            option_env!("COMMIT"),
        )
    };
}
