//! What the kernel writes of a container and its process: `/proc/self/mountinfo`, `/proc/self/cgroup`, the CPUs that
//! are allowed, `/proc/self/statm`, and the files of a cgroup. A line `= NAME` begins each of them. Whatever the kernel
//! writes is read exactly, and anything else is survived.

#![no_main]

use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
    process,
    sync::LazyLock,
    time::Duration,
};

use chassis::{
    fuzz::memory,
    system::container::{Container, CpuLimit, folders_of},
};
use libfuzzer_sys::fuzz_target;

/// The files that are asked for, the first three below `/proc/self`.
const FILES: [&str; 10] = [
    "mountinfo",
    "cgroup",
    "status",
    "cpu.max",
    "cpu.stat",
    "cpu.pressure",
    "memory.max",
    "cpu.cfs_quota_us",
    "cpu.cfs_period_us",
    "memory.limit_in_bytes",
];

static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = env::temp_dir().join(format!("fuzz-container-{}", process::id()));
    for folder in ["proc/self", "cgroup"] {
        fs::create_dir_all(root.join(folder)).expect("there is room");
    }
    root
});

fuzz_target!(|text: &str| {
    let mut files = HashMap::from([
        (
            "mountinfo",
            "30 20 0:26 / /cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n",
        ),
        ("cgroup", "0::/\n"),
    ]);
    for part in text.split("= ").skip(1) {
        let (name, text) = part.split_once('\n').unwrap_or((part, ""));
        if name == "statm" {
            check_statm(text);
        }
        if let Some(name) = FILES.into_iter().find(|known| *known == name) {
            files.insert(name, text);
        }
    }
    for (n, name) in FILES.into_iter().enumerate() {
        let path = ROOT
            .join(if n < 3 { "proc/self" } else { "cgroup" })
            .join(name);
        match files.get(name) {
            Some(text) => fs::write(path, text).expect("there is room"),
            None => drop(fs::remove_file(path)),
        }
    }
    let file = |name: &str| files.get(name).copied();

    let container = Container::under(&ROOT);
    let limits = container.limits();
    let limit = container.cpu_limit();
    assert!(limits.cpus >= 1);
    assert_eq!(limits.cpu_millicores, limit.map(|limit| limit.millicores));
    let before = container.throttling_by_group();
    assert!(
        container
            .throttling_since(&before)
            .is_none_or(|since| since.periods == 0)
    );
    let throttling = container.throttling();
    let stalled = container.cpu_stalled();

    // The rest holds for the cgroup that is there by itself.
    check_mounts(text);
    if text.contains("= mountinfo") || text.contains("= cgroup") {
        return;
    }
    if let Some((quota, period)) = file("cpu.max").and_then(pair) {
        let limited = quota.zip(period).filter(|(_, period)| *period > 0);
        let expected = limited.map(|(quota, period)| CpuLimit {
            millicores: u32::try_from(u128::from(quota) * 1000 / u128::from(period))
                .unwrap_or(u32::MAX),
            period: Duration::from_micros(period),
        });
        // Numbers as the kernel has them.
        if quota.is_none_or(|quota| quota < u64::MAX / 1000) && period.is_some() {
            assert_eq!(limit, expected);
        }
    }
    if let Some(list) =
        file("status").and_then(|status| status.strip_prefix("Cpus_allowed_list:\t"))
        && let Some(cpus) = list.strip_suffix('\n').and_then(cpus)
    {
        assert_eq!(limits.cpus, cpus);
    }
    if let Some(bytes) = file("memory.max").and_then(number) {
        assert_eq!(
            limits.memory_bytes,
            Some(bytes).filter(|bytes| *bytes < 1 << 62)
        );
    }
    if let Some(stat) = file("cpu.stat").and_then(rows) {
        let expected = || {
            Some((
                *stat.get("nr_periods")?,
                *stat.get("nr_throttled")?,
                *stat.get("throttled_usec")?,
            ))
        };
        let read = throttling.map(|it| (it.periods, it.throttled_periods, it.throttled));
        if let (Some((periods, throttled, micros)), Some(_)) = (expected(), limit) {
            assert_eq!(
                read,
                Some((periods, throttled, Duration::from_micros(micros)))
            );
        }
    }
    assert!(stalled.is_none() || file("cpu.pressure").is_some_and(|text| text.contains("total=")));
});

/// `QUOTA PERIOD`, of which `max` is no quota.
fn pair(max: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (quota, period) = max.strip_suffix('\n')?.split_once(' ')?;
    let quota = if quota == "max" {
        None
    } else {
        Some(digits(quota)?)
    };
    Some((quota, Some(digits(period)?)))
}

fn number(text: &str) -> Option<u64> {
    digits(text.strip_suffix('\n')?)
}

/// A number as the kernel writes it.
fn digits(text: &str) -> Option<u64> {
    text.parse()
        .ok()
        .filter(|number: &u64| number.to_string() == text)
}

/// `NAME NUMBER` in each line, each name once.
fn rows(text: &str) -> Option<HashMap<&str, u64>> {
    let mut rows = HashMap::new();
    for row in text.strip_suffix('\n')?.split('\n') {
        let (name, number) = row.split_once(' ')?;
        let is_name = name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if !is_name || rows.insert(name, digits(number)?).is_some() {
            return None;
        }
    }
    Some(rows)
}

/// A list of CPUs in their order, none of them twice.
fn cpus(list: &str) -> Option<u32> {
    let (mut sum, mut next) = (0, 0);
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (digits(first)?, digits(last)?);
        if first < next || last < first || last > 1 << 20 {
            return None;
        }
        sum += last - first + 1;
        next = last + 1;
    }
    u32::try_from(sum).ok()
}

/// The size, what of it is resident, and five more, in pages.
fn check_statm(text: &str) {
    let read = memory(text, 4096);
    let pages = text.strip_suffix('\n').unwrap_or_default().split(' ');
    let pages: Option<Vec<_>> = pages.map(digits).collect();
    if let Some([size, resident, _, _, _, _, _]) = pages.as_deref() {
        let bytes = |pages: &u64| pages.saturating_mul(4096);
        assert_eq!(read, (bytes(resident), bytes(size)));
    }
}

/// A mount of a cgroup as the kernel writes it: of the text's first three lines the cgroup that it shows, where, and
/// the process's own.
fn check_mounts(text: &str) {
    let mut lines = text.lines().filter(|line| !line.contains(['\r', '\0']));
    let mut path = || format!("/{}", lines.next().unwrap_or_default().trim_matches('/'));
    let (shown, at, own) = (path(), path(), path());
    // `.` and `..` aren't names, and an empty one is none.
    let is_path = |path: &String| {
        path == "/"
            || path[1..]
                .split('/')
                .all(|name| !["", ".", ".."].contains(&name))
    };
    if ![&shown, &at, &own].into_iter().all(is_path) {
        return;
    }
    let mounts = format!(
        "30 20 0:26 {} {} rw,nosuid shared:9 - cgroup2 cgroup2 rw\n",
        escaped(&shown),
        escaped(&at)
    );
    let below = match (own.strip_prefix(&shown), &*shown) {
        (_, "/") => own[1..].to_owned(),
        (Some(""), _) => String::new(),
        (Some(below), _) if below.starts_with('/') => below[1..].to_owned(),
        _ => String::new(),
    };
    let mut expected = vec![PathBuf::from(&at)];
    for name in below.split('/').filter(|name| !name.is_empty()) {
        expected.insert(0, expected[0].join(name));
    }
    let found = folders_of(&mounts, &format!("0::{own}\n"), "cpu");
    assert_eq!(
        found
            .iter()
            .map(|path| as_written(path))
            .collect::<Vec<_>>(),
        expected
            .iter()
            .map(|path| as_written(path))
            .collect::<Vec<_>>()
    );
}

fn as_written(path: &Path) -> String {
    path.components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned() + "/")
        .collect()
}

/// <https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html> refers to fstab(5) for this.
fn escaped(path: &str) -> String {
    path.replace('\\', "\\134")
        .replace(' ', "\\040")
        .replace('\t', "\\011")
        .replace('\n', "\\012")
}
