//! How a request can fail.

use std::{borrow::Cow, error::Error, fmt, io};

/// Why a request has no successful answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The service failed, or something between this side and the service.
    OfService(FailureName),
    /// The request was not sent, since this side lacked something for it.
    NotSent(FailureName),
}

/// The name under which a failure is counted:
///
/// | failure of the service | what happened |
/// | --- | --- |
/// | `refused` | nothing listens at that address |
/// | `unreachable` | there is no route to that address |
/// | `reset` | the connection was reset, at whatever moment |
/// | `closed early` | it was closed before a whole answer had come |
/// | `timed out` | no connection, or no whole answer, within the timeout |
/// | `malformed` | the answer was not HTTP |
/// | `cut off` | the load was ended before a whole answer had come |
/// | `status 503` | a whole answer, and not a success |
///
/// | not sent | why |
/// | --- | --- |
/// | `connections busy` | no connection was free for half of the timeout, or until the load was ended |
/// | `no descriptors left` | the process, or the machine, has as many open files as it may have |
/// | `no ports left` | all local ports are in use; a closed connection keeps its own for a minute |
///
/// Any other failure has the system's own message as its name, and counts as the service's.
pub type FailureName = Cow<'static, str>;

/// See [`Failure::busy`].
pub(crate) const BUSY: &str = "connections busy";

impl Failure {
    /// No connection was free for the request.
    pub fn busy() -> Self {
        Self::NotSent(BUSY.into())
    }
}

/// As the page shows it.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfService(name) => f.write_str(name),
            Self::NotSent(_) => f.write_str("not sent"),
        }
    }
}

impl From<&'static str> for Failure {
    fn from(name: &'static str) -> Self {
        Self::OfService(name.into())
    }
}

/// An error, the error that caused it, and so on.
pub fn causes<'e>(
    error: &'e (dyn Error + 'static),
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// `EMFILE` and `ENFILE`, for which the standard library has no kind: too many open files, of the
/// process and of the machine.
const TOO_MANY_FILES: [i32; 2] = [24, 23];

/// How a request failed to which the system reported this error.
pub(crate) fn of_system(error: &io::Error) -> Failure {
    if (error.raw_os_error()).is_some_and(|code| TOO_MANY_FILES.contains(&code)) {
        return Failure::NotSent("no descriptors left".into());
    }
    match error.kind() {
        io::ErrorKind::AddrNotAvailable => Failure::NotSent("no ports left".into()),
        io::ErrorKind::ConnectionRefused => "refused".into(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "reset".into(),
        io::ErrorKind::UnexpectedEof => "closed early".into(),
        io::ErrorKind::TimedOut => "timed out".into(),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "unreachable".into(),
        _ => Failure::OfService(error.to_string().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_here_is_no_failure_of_the_service() {
        for (error, name) in [
            (io::ErrorKind::AddrNotAvailable.into(), "no ports left"),
            (io::Error::from_raw_os_error(24), "no descriptors left"),
        ] {
            assert_eq!(of_system(&error), Failure::NotSent(name.into()), "{error}");
        }
        let refused = of_system(&io::ErrorKind::ConnectionRefused.into());
        assert_eq!(refused, "refused".into());
    }
}
