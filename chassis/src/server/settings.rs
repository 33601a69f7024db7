//! How many connections there may be, and for how long one that is idle.

use std::time::Duration;

use crate::{
    config::{CheckConflicts, Reader, positive_duration, whole_number},
    system::{container::Container, descriptors},
};

/// How many connections there may be, and for how long.
#[derive(Clone, Copy, Debug, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// How many connections have a place; up to 128 more are let in, and get 503 unless they ask for a probe [default: by the memory limit and the file descriptors]
    // A million: what a process can have open at most on most machines.
    #[arg(long, env, value_parser = Reader(whole_number(1..=1_000_000_u32)))]
    pub max_connections: Option<u32>,

    /// How long a connection may be idle, before a request or after one
    // 120 s: longer than the 90 s after which common clients' pools (Go's, reqwest's) give an idle
    // connection up, so that it is the client that closes, and no request crosses it. Load balancers
    // keep connections for 600 s and more: behind one, it should be longer than that.
    #[arg(long, env, default_value = "120s", allow_hyphen_values = true, value_parser = Reader(positive_duration))]
    pub idle_timeout: Duration,
}

/// What a connection may take. Of HTTP/1, 14 kB were measured of one that is idle, and 38 kB of one whose
/// client sends request after request and reads no answer: the other half of the limit has room for the
/// difference. HTTP/2 has a place for each of its requests.
const MEMORY_OF_ONE: u64 = 32 << 10;

/// How many there are if neither memory nor descriptors bound them: they take half a gigabyte.
const MOST: u64 = 16_384;

/// File descriptors that no connection with a place may take; where there are few, half of all. Half of these
/// are for connections beyond the bound, which may be probes. The rest is for calls of another service, the
/// log, and the kernel's objects of the runtime.
const SPARE_FILES: u64 = 256;

impl Settings {
    /// How many connections have a place: what the setting says, else as many as take half of the memory
    /// limit and leave some file descriptors.
    pub fn max_connections(&self) -> usize {
        let found = || most(Container::found().memory_bytes(), descriptors::limit());
        let connections = self.max_connections.map_or_else(found, u64::from);
        usize::try_from(connections).unwrap_or(usize::MAX)
    }
}

fn most(memory: Option<u64>, files: u64) -> u64 {
    let by_memory = memory.map_or(MOST, |bytes| bytes / 2 / MEMORY_OF_ONE);
    by_memory.min(files - spare(files)).clamp(1, MOST)
}

fn spare(files: u64) -> u64 {
    SPARE_FILES.min(files / 2)
}

/// How many connections beyond the bound are let in.
pub(super) fn max_surplus() -> usize {
    (spare(descriptors::limit()) / 2) as usize // 128 at most
}

impl CheckConflicts for Settings {
    fn conflicts(&self) -> Vec<String> {
        let files = descriptors::limit();
        let spare = spare(files);
        let most = files - spare;
        let too_many = self
            .max_connections
            .filter(|asked| u64::from(*asked) > most);
        let conflict = too_many.map(|asked| {
            format!(
                "MAX_CONNECTIONS (or --max-connections) can't be {asked}: the process may have {files} \
                 files open, of which {spare} are for other things, so set it to {most} at most"
            )
        });
        conflict.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::defaults;

    #[test]
    fn there_are_as_many_connections_as_there_is_room_for() {
        for (mib, files, expected) in [
            (Some(64), 1 << 20, 1024),
            (Some(64), 1024, 768),
            (Some(1), 100, 16),
            (None, 100, 50),
            (None, 40, 20),
            (None, 4096, 3840),
            (None, u64::MAX, MOST),
            (Some(1 << 20), 1 << 20, MOST),
        ] {
            let memory = mib.map(|mib: u64| mib << 20);
            assert_eq!(most(memory, files), expected, "{mib:?} MiB, {files} files");
        }
    }

    #[test]
    fn more_connections_than_files_conflict_with_them() {
        let mut settings: Settings = defaults();
        assert!(settings.conflicts().is_empty());
        settings.max_connections = Some(u32::MAX);
        let conflicts = settings.conflicts();
        let expected = format!(
            "so set it to {} at most",
            descriptors::limit() - spare(descriptors::limit())
        );
        assert!(conflicts[0].contains(&expected), "{conflicts:?}");
    }
}
