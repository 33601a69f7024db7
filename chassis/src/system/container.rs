//! What the process may use, seen from within its container: the CPU quota and set, the memory
//! limit, and how often the kernel has throttled it, from cgroup v1 or v2. Where there is no
//! cgroup (macOS, a plain Linux shell) nothing is limited.
//! v2: <https://docs.kernel.org/admin-guide/cgroup-v2.html>,
//! v1: <https://docs.kernel.org/scheduler/sched-bwc.html>

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use serde::{Serialize, Serializer};

use super::seconds;

/// The limits in force. They are read anew each time: a pod can be resized while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Thousandths of a core per second that the kernel grants. `None` if there is no limit.
    pub cpu_millicores: Option<u32>,
    /// How many CPUs the process may run on.
    pub cpus: u32,
    /// Bytes of memory before the kernel kills. `None` if there is no limit.
    pub memory_bytes: Option<u64>,
}

/// A CPU quota as the kernel enforces it: so much in each period, and then the group stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuLimit {
    /// Thousandths of a core.
    pub millicores: u32,
    /// Over how long the kernel counts: 100 ms by default, for it and for the kubelet, whose
    /// `cpuCFSQuotaPeriod` chooses from 1 ms to 1 s.
    pub period: Duration,
}

/// What the kernel's bandwidth control has done to the container since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Throttling {
    /// Periods in which the container wanted to run, each as long as [`CpuLimit::period`].
    pub periods: u64,
    /// Periods in which it was stopped for having used its quota.
    pub throttled_periods: u64,
    /// For how long it was stopped in all, over all CPUs.
    #[serde(rename = "throttled_seconds", serialize_with = "in_seconds")]
    pub throttled: Duration,
}

impl Throttling {
    /// What has come since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            periods: self.periods.saturating_sub(earlier.periods),
            throttled_periods: self
                .throttled_periods
                .saturating_sub(earlier.throttled_periods),
            throttled: self.throttled.saturating_sub(earlier.throttled),
        }
    }

    /// The throttled share of the periods, from 0 to 1.
    pub fn share(self) -> f64 {
        if self.periods == 0 {
            0.0
        } else {
            self.throttled_periods as f64 / self.periods as f64
        }
    }
}

fn in_seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(seconds(*duration))
}

/// The limits of the container that this process runs in.
pub fn limits() -> Limits {
    Container::found().limits()
}

/// How many CPUs the container can keep busy, at least one: a quota of half a CPU takes one.
pub fn usable_cpus() -> usize {
    let container = Container::found();
    let cpus = container.cpus().max(1);
    let granted = container
        .cpu_millicores()
        .map_or(cpus, |millicores| millicores.div_ceil(1000).clamp(1, cpus));
    usize::try_from(granted).unwrap_or(usize::MAX)
}

/// How the container has been throttled so far. `None` if nothing is limited.
pub fn throttling() -> Option<Throttling> {
    Container::found().throttling()
}

/// The container that this process runs in: where its files stand, below a root that tests can
/// choose. Found once; what stands in the files is read anew each time.
#[derive(Clone, Debug)]
pub struct Container {
    root: PathBuf,
    /// The `cpu` controller's folders, the process's own first and then its ancestors': the
    /// tightest limit of them holds.
    cpu: Vec<PathBuf>,
    memory: Vec<PathBuf>,
}

impl Container {
    /// This process's own. It stays in its cgroup, so that is looked up once: the start asks for it
    /// several times, and so does each scrape.
    pub fn found() -> &'static Self {
        static OWN: OnceLock<Container> = OnceLock::new();
        OWN.get_or_init(|| Self::under(Path::new("/")))
    }

    /// The container in a file system whose root is this folder: for tests.
    pub fn under(root: &Path) -> Self {
        let text = |path: &str| read(root.join(path)).unwrap_or_default();
        let (mounts, own) = (text("proc/self/mountinfo"), text("proc/self/cgroup"));
        let folders = |controller| {
            folders(&mounts, &own, controller)
                .into_iter()
                .map(|folder| root.join(folder.strip_prefix("/").unwrap_or(&folder)))
                .collect()
        };
        Self {
            root: root.to_owned(),
            cpu: folders("cpu"),
            memory: folders("memory"),
        }
    }

    /// All its limits.
    pub fn limits(&self) -> Limits {
        Limits {
            cpu_millicores: self.cpu_millicores(),
            cpus: self.cpus(),
            memory_bytes: self.memory_bytes(),
        }
    }

    /// The tightest memory limit. `None` if nothing is limited.
    pub fn memory_bytes(&self) -> Option<u64> {
        tightest(&self.memory, memory)
    }

    /// The [millicores](Limits::cpu_millicores) of the tightest CPU limit.
    pub fn cpu_millicores(&self) -> Option<u32> {
        self.cpu_limit().map(|limit| limit.millicores)
    }

    /// The tightest CPU limit in force. `None` if nothing is limited.
    pub fn cpu_limit(&self) -> Option<CpuLimit> {
        self.tightest_cpu_limit().map(|(limit, _)| limit)
    }

    fn tightest_cpu_limit(&self) -> Option<(CpuLimit, &Path)> {
        let limits = self.cpu.iter().filter_map(|at| Some((quota(at)?, &**at)));
        // Of several that are as tight, its own comes first.
        limits.min_by_key(|(limit, _)| limit.millicores)
    }

    /// Whether there is a cgroup that can have a CPU limit, now or later.
    pub fn has_cpu_cgroup(&self) -> bool {
        !self.cpu.is_empty()
    }

    /// How many [CPUs](Limits::cpus) the process may run on.
    pub fn cpus(&self) -> u32 {
        // From the affinity mask, which a CPU set narrows; `available_parallelism` would mix in
        // the quota. In gVisor the file has no such line.
        read(self.root.join("proc/self/status"))
            .ok()
            .and_then(|status| count(field(&status, "Cpus_allowed_list:")?))
            .or_else(affinity)
            .or_else(|| u32::try_from(std::thread::available_parallelism().ok()?.get()).ok())
            .unwrap_or(1)
    }

    /// How it has been throttled so far, by the tightest limit. `None` if nothing is limited.
    pub fn throttling(&self) -> Option<Throttling> {
        throttled(self.tightest_cpu_limit()?.1)
    }

    /// How it has been throttled so far at each place that can have a limit, its own first. The counters stay
    /// when a limit is removed.
    pub fn throttling_by_group(&self) -> Vec<Throttling> {
        let groups = self.cpu.iter();
        groups.map(|at| throttled(at).unwrap_or_default()).collect()
    }

    /// How it has been throttled since [`throttling_by_group`](Self::throttling_by_group) gave `before`, where
    /// it was throttled the longest: which of the limits is the tightest may have changed meanwhile, and each
    /// has counters of its own. `None` if nothing was limited.
    pub fn throttling_since(&self, before: &[Throttling]) -> Option<Throttling> {
        let groups = self.throttling_by_group().into_iter().zip(before);
        let since = groups
            .map(|(now, before)| now.since(*before))
            .max_by_key(|since| (since.throttled, since.periods))?;
        (since.periods > 0 || self.cpu_limit().is_some()).then_some(since)
    }

    /// For how long all that wanted to run in it has stood still so far, whatever the reason: other
    /// programs, its own limit, or one further up, which a container can't see. `None` if the
    /// kernel doesn't tell (cgroup v1, before Linux 5.13, or without PSI).
    /// <https://docs.kernel.org/accounting/psi.html>
    pub fn cpu_stalled(&self) -> Option<Duration> {
        let pressure = read(self.cpu.first()?.join("cpu.pressure")).ok()?;
        let total = field(&pressure, "full ")?.rsplit_once("total=")?.1;
        Some(Duration::from_micros(total.parse().ok()?))
    }
}

fn tightest(folders: &[PathBuf], limit: fn(&Path) -> Option<u64>) -> Option<u64> {
    folders.iter().filter_map(|folder| limit(folder)).min()
}

/// The folders of this process's cgroup and its ancestors, as far as they can be seen. A machine
/// can have both versions at once, and a controller is in one of them: v1, if it is there.
fn folders(mounts: &str, own: &str, controller: &str) -> Vec<PathBuf> {
    let has_controller = |list: &str| list.split(',').any(|one| one == controller);
    let v1 = || folders_where(mounts, own, "cgroup", &has_controller, &has_controller);
    let v2 = || folders_where(mounts, own, "cgroup2", &|_| true, &str::is_empty);
    v1().or_else(v2).unwrap_or_default()
}

/// `mount` chooses by a mount's options and `line` by the controllers in `/proc/self/cgroup`,
/// `4:cpu,cpuacct:/path` in v1 and `0::/path` in v2.
/// mountinfo: <https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html>
fn folders_where(
    mounts: &str,
    own: &str,
    kind: &str,
    mount: &dyn Fn(&str) -> bool,
    line: &dyn Fn(&str) -> bool,
) -> Option<Vec<PathBuf>> {
    let path = own.lines().find_map(|row| {
        let mut parts = row.splitn(3, ':').skip(1);
        line(parts.next()?).then_some(parts.next()?)
    })?;
    let mounts = mounts.lines().filter_map(|row| {
        let (place, system) = row.split_once(" - ")?;
        let (of, options) = (system.split(' ').next()?, system.rsplit(' ').next()?);
        let mut place = place.split(' ').skip(3);
        (of == kind && mount(options))
            .then_some((unescaped(place.next()?), unescaped(place.next()?)))
    });
    // The first that shows this process's own cgroup. The host's mount can be there too, and its root is then
    // above that of this cgroup namespace (`/../..`).
    let (shown, at) = mounts.min_by_key(|(root, _)| !Path::new(path).starts_with(root))?;
    // In a container the mount may show just its own cgroup, by whatever name the path has.
    let below = Path::new(path)
        .strip_prefix(&shown)
        .unwrap_or(Path::new(""));
    Some(
        below
            .ancestors()
            .map(|folder| Path::new(&at).join(folder))
            .collect(),
    )
}

/// A path of mountinfo, in which the kernel writes as octal digits what would end a field or a line.
fn unescaped(path: &str) -> String {
    let octal = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    let path = path.to_owned();
    octal
        .iter()
        .fold(path, |path, (digits, char)| path.replace(digits, char))
}

/// What a folder grants, in v2 `cpu.max`, in v1 `cpu.cfs_quota_us` and `cpu.cfs_period_us`.
fn quota(folder: &Path) -> Option<CpuLimit> {
    let read = |name: &str| read(folder.join(name)).ok();
    let (quota, period) = match read("cpu.max") {
        Some(max) => {
            let (quota, period) = max.trim().split_once(' ')?;
            (quota.parse::<u64>().ok()?, period.parse().ok()?) // "max": no limit
        }
        None => (
            read("cpu.cfs_quota_us")?.trim().parse().ok()?, // "-1": no limit
            read("cpu.cfs_period_us")?.trim().parse::<u64>().ok()?,
        ),
    };
    let millicores = quota.saturating_mul(1000).checked_div(period)?;
    Some(CpuLimit {
        millicores: u32::try_from(millicores).unwrap_or(u32::MAX),
        period: Duration::from_micros(period),
    })
}

/// What a folder's `cpu.stat` counts; the root's doesn't.
fn throttled(folder: &Path) -> Option<Throttling> {
    let stat = read(folder.join("cpu.stat")).ok()?;
    let number = |name| field(&stat, name)?.parse::<u64>().ok();
    Some(Throttling {
        periods: number("nr_periods ")?,
        throttled_periods: number("nr_throttled ")?,
        throttled: match number("throttled_usec ") {
            Some(micros) => Duration::from_micros(micros),
            None => Duration::from_nanos(number("throttled_time ")?),
        },
    })
}

fn memory(folder: &Path) -> Option<u64> {
    let read = |name: &str| read(folder.join(name)).ok();
    let bytes = read("memory.max")
        .or_else(|| read("memory.limit_in_bytes"))?
        .trim()
        .parse()
        .ok()?;
    // v1 says "no limit" as the largest multiple of the page size.
    (bytes < 1 << 62).then_some(bytes)
}

/// How many CPUs the affinity mask has, as the kernel says it.
fn affinity() -> Option<u32> {
    #[cfg(target_os = "linux")]
    return Some(rustix::thread::sched_getaffinity(None).ok()?.count());
    #[cfg(not(target_os = "linux"))]
    None
}

/// The value behind a name at a line's start, which ends with what separates them.
fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .map(str::trim)
}

/// The folders of a controller, by `/proc/self/mountinfo` and `/proc/self/cgroup`, for cargo fuzz.
#[cfg(fuzzing)]
pub fn folders_of(mounts: &str, own: &str, controller: &str) -> Vec<PathBuf> {
    folders(mounts, own, controller)
}

/// How many CPUs a list such as `0-3,8` names.
fn count(list: &str) -> Option<u32> {
    list.split(',')
        .map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
            last.checked_sub(first)?.checked_add(1)
        })
        .try_fold(0, |sum: u32, range| sum.checked_add(range?))
}

/// A file of the kernel's, which doesn't tell its size: with room for all of it from the start, it is
/// read at once and not in ever larger pieces.
fn read(path: impl AsRef<Path>) -> io::Result<String> {
    let mut text = String::with_capacity(4096);
    File::open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Tree(PathBuf);

    impl Tree {
        /// Files as a container sees them, in a folder of the test's own.
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let root = std::env::temp_dir().join(format!("chassis-{}-{name}", std::process::id()));
            for (path, text) in files {
                let path = root.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Self(root)
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const V1_MOUNTS: &str = "\
        700 690 0:30 /kubepods/pod1/c1 /sys/fs/cgroup/cpu,cpuacct ro,nosuid - cgroup cgroup rw,cpu,cpuacct\n\
        701 690 0:31 /kubepods/pod1/c1 /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory\n";

    #[test]
    fn v1_in_a_container() {
        let tree = Tree::new(
            "v1",
            &[
                ("proc/self/mountinfo", V1_MOUNTS),
                (
                    "proc/self/cgroup",
                    "5:memory:/kubepods/pod1/c1\n4:cpu,cpuacct:/kubepods/pod1/c1\n",
                ),
                (
                    "proc/self/status",
                    "Name:\toneapi\nCpus_allowed_list:\t0-1,4\n",
                ),
                ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "10000\n"),
                ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "20000\n"),
                (
                    "sys/fs/cgroup/cpu,cpuacct/cpu.stat",
                    "nr_periods 20\nnr_throttled 5\nthrottled_time 1500000000\n",
                ),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864\n"),
            ],
        );
        let container = Container::under(&tree.0);
        assert_eq!(
            container.limits(),
            Limits {
                cpu_millicores: Some(500),
                cpus: 3,
                memory_bytes: Some(64 << 20)
            }
        );
        let limit = container.cpu_limit().unwrap();
        assert_eq!(limit.period, Duration::from_millis(20));
        let throttling = container.throttling().unwrap();
        assert_eq!((throttling.periods, throttling.throttled_periods), (20, 5));
        assert_eq!(throttling.throttled, Duration::from_millis(1500));
        assert!((throttling.share() - 0.25).abs() < 1e-9);
    }

    #[test]
    fn v1_without_limits() {
        let tree = Tree::new(
            "v1-free",
            &[
                ("proc/self/mountinfo", V1_MOUNTS),
                ("proc/self/cgroup", "5:memory:/x\n4:cpu,cpuacct:/x\n"),
                ("proc/self/status", "Cpus_allowed_list:\t7\n"),
                ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"),
                ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
                (
                    "sys/fs/cgroup/memory/memory.limit_in_bytes",
                    "9223372036854771712\n",
                ),
            ],
        );
        let container = Container::under(&tree.0);
        assert_eq!(
            container.limits(),
            Limits {
                cpu_millicores: None,
                cpus: 1,
                memory_bytes: None
            }
        );
        assert_eq!(container.throttling(), None);
    }

    #[test]
    fn v2_takes_the_tightest_of_its_ancestors() {
        let tree = Tree::new(
            "v2",
            &[
                (
                    "proc/self/mountinfo",
                    "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n",
                ),
                ("proc/self/cgroup", "0::/pod/container\n"),
                ("proc/self/status", "Cpus_allowed_list:\t0-63\n"),
                ("sys/fs/cgroup/pod/container/cpu.max", "max 100000\n"),
                ("sys/fs/cgroup/pod/container/memory.max", "max\n"),
                ("sys/fs/cgroup/pod/cpu.max", "150000 100000\n"),
                (
                    "sys/fs/cgroup/pod/cpu.stat",
                    "usage_usec 9\nnr_periods 8\nnr_throttled 2\nthrottled_usec 300\n",
                ),
                ("sys/fs/cgroup/pod/memory.max", "1048576\n"),
            ],
        );
        let container = Container::under(&tree.0);
        assert_eq!(
            container.limits(),
            Limits {
                cpu_millicores: Some(1500),
                cpus: 64,
                memory_bytes: Some(1 << 20)
            }
        );
        assert_eq!(
            container.throttling().unwrap().throttled,
            Duration::from_micros(300)
        );
    }

    #[test]
    fn throttling_is_that_of_the_tightest_limit() {
        let stat =
            |throttled| format!("nr_periods 80\nnr_throttled {throttled}\nthrottled_usec 300\n");
        let tree = Tree::new(
            "v2-throttling",
            &[
                (
                    "proc/self/mountinfo",
                    "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n",
                ),
                ("proc/self/cgroup", "0::/node/pod/container\n"),
                (
                    "sys/fs/cgroup/node/pod/container/cpu.max",
                    "200000 100000\n",
                ),
                ("sys/fs/cgroup/node/pod/container/cpu.stat", &stat(1)),
                ("sys/fs/cgroup/node/pod/cpu.max", "50000 100000\n"),
                ("sys/fs/cgroup/node/pod/cpu.stat", &stat(2)),
                ("sys/fs/cgroup/node/cpu.max", "50000 100000\n"),
                ("sys/fs/cgroup/node/cpu.stat", &stat(3)),
            ],
        );
        let throttling = Container::under(&tree.0).throttling().unwrap();
        assert_eq!(
            throttling.throttled_periods, 2,
            "the pod's, and not the looser container's or the node's behind it"
        );
    }

    #[test]
    fn of_several_mounts_the_one_that_shows_its_own_cgroup_counts() {
        // A pod with a mount of the node's, listed first, has a view of its own beside it.
        let mounts = "\
            29 20 0:26 /../../.. /host/sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n\
            30 20 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
        let found = |own| folders(mounts, own, "cpu");
        assert_eq!(found("0::/\n"), [Path::new("/sys/fs/cgroup")]);

        let mounts = "\
            29 20 0:26 /kubepods/pod2/c9 /neighbour rw - cgroup2 cgroup2 rw\n\
            30 20 0:26 /kubepods/pod1 /pod rw - cgroup2 cgroup2 rw\n";
        let found = |own| folders(mounts, own, "cpu");
        assert_eq!(
            found("0::/kubepods/pod1/c1\n"),
            [Path::new("/pod/c1"), Path::new("/pod")]
        );
        assert_eq!(
            found("0::/docker/abc\n"),
            [Path::new("/neighbour")],
            "the name that another namespace has for it: the only thing to go by"
        );
    }

    #[test]
    fn what_stands_in_a_path_of_mountinfo_as_octal_digits_is_read() {
        // A slice of systemd's, mounted at a folder with a space.
        let mounts =
            r"30 20 0:26 /a\134x2db.slice /own\040cgroup rw - cgroup2 cgroup2 rw,nsdelegate";
        assert_eq!(
            folders(mounts, r"0::/a\x2db.slice/c", "cpu"),
            [Path::new("/own cgroup/c"), Path::new("/own cgroup")]
        );
    }

    #[test]
    fn throttling_since_then_never_mixes_the_counters_of_two_groups() {
        let stat = |periods, throttled, usec| {
            format!("nr_periods {periods}\nnr_throttled {throttled}\nthrottled_usec {usec}\n")
        };
        let tree = Tree::new(
            "v2-since",
            &[
                (
                    "proc/self/mountinfo",
                    "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n",
                ),
                ("proc/self/cgroup", "0::/pod/container\n"),
                ("sys/fs/cgroup/pod/container/cpu.max", "50000 100000\n"),
                (
                    "sys/fs/cgroup/pod/container/cpu.stat",
                    &stat(10, 10, 900_000),
                ),
                ("sys/fs/cgroup/pod/cpu.max", "100000 100000\n"),
                ("sys/fs/cgroup/pod/cpu.stat", &stat(100, 0, 0)),
            ],
        );
        let write = |path: &str, text: &str| fs::write(tree.0.join(path), text).unwrap();
        let container = Container::under(&tree.0);
        let before = container.throttling_by_group();
        let since = || container.throttling_since(&before);
        assert_eq!(
            since(),
            Some(Throttling::default()),
            "limited, and nothing has come yet"
        );

        // The pod's limit is the tighter one now, and has throttled nothing.
        write("sys/fs/cgroup/pod/cpu.max", "40000 100000\n");
        write("sys/fs/cgroup/pod/cpu.stat", &stat(120, 0, 0));
        write(
            "sys/fs/cgroup/pod/container/cpu.stat",
            &stat(30, 10, 900_000),
        );
        let none = since().unwrap();
        assert_eq!((none.periods, none.throttled_periods), (20, 0));

        // It is removed, as the container's is; what it did meanwhile stays.
        write("sys/fs/cgroup/pod/cpu.stat", &stat(130, 15, 700_000));
        write("sys/fs/cgroup/pod/cpu.max", "max 100000\n");
        write("sys/fs/cgroup/pod/container/cpu.max", "max 100000\n");
        let throttled = since().unwrap();
        assert_eq!((throttled.periods, throttled.throttled_periods), (30, 15));
        assert_eq!(throttled.throttled, Duration::from_micros(700_000));

        let nothing_since = container.throttling_since(&container.throttling_by_group());
        assert_eq!(nothing_since, None, "nothing is limited, and nothing was");
    }

    #[test]
    fn how_long_the_container_stood_still_is_its_own_pressure() {
        let tree = Tree::new(
            "v2-pressure",
            &[
                (
                    "proc/self/mountinfo",
                    "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n",
                ),
                ("proc/self/cgroup", "0::/pod\n"),
                (
                    "sys/fs/cgroup/pod/cpu.pressure",
                    "some avg10=9.00 avg60=2.05 avg300=0.46 total=2500000\n\
                     full avg10=8.00 avg60=2.00 avg300=0.45 total=2000000\n",
                ),
            ],
        );
        let stalled = Container::under(&tree.0).cpu_stalled();
        assert_eq!(stalled, Some(Duration::from_secs(2)));
        let elsewhere = Container::under(Path::new("/nonexistent"));
        assert_eq!(elsewhere.cpu_stalled(), None);
    }

    #[test]
    fn a_row_whose_name_begins_as_another_is_not_that_one() {
        let stat = "nr_periods_of_others 9\nnr_periods 1\nnr_throttled 2\nthrottled_usec 3\n";
        let tree = Tree::new("rows", &[("cpu.stat", stat)]);
        assert_eq!(throttled(&tree.0).unwrap().periods, 1);
    }

    #[test]
    fn absurd_numbers_do_not_overflow() {
        let tree = Tree::new("absurd", &[("cpu.max", "18446744073709551615 100000\n")]);
        assert!(quota(&tree.0).unwrap().millicores > 100_000_000);
        assert_eq!(count("0-4294967295"), None);
        assert_eq!(count("0-4294967294,7"), None);
    }

    #[test]
    fn without_cgroups_nothing_is_limited() {
        let container = Container::under(Path::new("/nonexistent"));
        assert_eq!(container.limits().cpu_millicores, None);
        assert!(container.limits().cpus >= 1);
    }

    #[test]
    fn cpu_lists_are_counted() {
        assert_eq!(count("0"), Some(1));
        assert_eq!(count("0-3,8,10-11"), Some(7));
        assert_eq!(count(""), None);
        assert_eq!(count("3-0"), None);
    }
}
