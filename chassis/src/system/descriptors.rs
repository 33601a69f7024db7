//! How many file descriptors the process may have, and has.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What macOS takes at most, whatever its hard limit says (`OPEN_MAX`).
const MACOS_MAX: u64 = 10_240;

/// Raises the soft limit to the hard one, and returns what it then is. Many container runtimes leave the
/// soft one at 1024, for the sake of programs that call select(2): no program here does.
/// <https://0pointer.net/blog/file-descriptor-limits.html>
pub fn raise_limit() -> u64 {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    for current in [maximum, Some(MACOS_MAX)] {
        let soft = getrlimit(Resource::Nofile).current;
        let is_more = soft.is_some_and(|soft| current.is_none_or(|it| it > soft));
        if is_more {
            // Where it can't be raised it stays, and that is what is returned.
            let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
        }
    }
    limit()
}

/// How many can be open.
pub fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// How many are open now. `None` if that can't be seen.
pub fn open() -> Option<u64> {
    // Linux 6.2 and newer say it, so that a question costs the same with thousands of connections.
    #[cfg(target_os = "linux")]
    if let Some(open) = rustix::fs::stat("/proc/self/fd")
        .ok()
        .and_then(|folder| u64::try_from(folder.st_size).ok())
        .filter(|&open| open > 0)
    {
        return Some(open);
    }
    listed()
}

fn listed() -> Option<u64> {
    let listed = std::fs::read_dir("/dev/fd").ok()?.count();
    // One of them is the listing's own.
    u64::try_from(listed).ok()?.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::alone::is_alone;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        let raised = raise_limit();
        assert!(
            raised == hard || cfg!(target_os = "macos"),
            "{raised} of {hard}"
        );
    }

    #[test]
    fn what_is_open_is_counted() {
        if !is_alone("system::descriptors::tests::what_is_open_is_counted") {
            return;
        }
        let before = open().unwrap();
        let held: Vec<_> = (0..100)
            .map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap())
            .collect();
        assert_eq!(open().unwrap(), before + 100);
        assert_eq!(listed().unwrap(), before + 100);
        drop(held);
        assert_eq!(open().unwrap(), before);
    }
}
