//! Which program this is: its name, version and commit, fixed when it is compiled.

use std::fmt;

/// A service's own name, and the build that is running.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// The program's name, as in its image and its log lines.
    pub name: &'static str,
    /// What was built: the image's `VERSION` build argument, else the crate's version.
    pub version: &'static str,
    /// From which sources: the image's `COMMIT` build argument, else `unknown`.
    pub commit: &'static str,
}

impl Service {
    /// Used by [`service!`](crate::service!), which passes what the compiler saw.
    /// An empty build argument counts as none.
    pub const fn new(
        name: &'static str,
        crate_version: &'static str,
        version: Option<&'static str>,
        commit: Option<&'static str>,
    ) -> Self {
        Self {
            name,
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

/// `1.0 (commit 1234abc)`, what `--version` prints behind the name.
impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (commit {})", self.version, self.commit)
    }
}

/// The [`Service`] of the crate that calls it. Call it in `main.rs`: then another `VERSION`
/// or `COMMIT` compiles that one file anew and nothing else.
#[macro_export]
macro_rules! service {
    () => {
        $crate::service::Service::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            option_env!("VERSION"),
            option_env!("COMMIT"),
        )
    };
}
