//! How exactly the real program burns, by the kernel's account of it and by nothing that it says itself: a
//! burner that slept could claim that it had waited. A cgroup of its own counts the CPU time where the test
//! may make one, as root may; elsewhere the clocks of its threads do. Limits need such a cgroup: without
//! one, their tests say that they are left out. `make test-cgroup2` tests more of them, on one CPU.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // a test may

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Each test measures, so one of them runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A cgroup of a controller, deleted with the test.
struct Group(PathBuf);

impl Group {
    /// In cgroup v1 the controller has a tree of its own, in v2 all share one.
    fn new(controller: &str) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let root = Path::new("/sys/fs/cgroup");
        let v1 = root.join(controller);
        let parent = if v1.is_dir() {
            v1
        } else {
            let _ = fs::write(root.join("cgroup.subtree_control"), "+cpu");
            root.to_owned()
        };
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!("oneapi-{}-{next}", std::process::id()));
        fs::create_dir(&folder).ok()?;
        Some(Self(folder))
    }

    fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.0.join(file)).ok()
    }

    fn write(&self, file: &str, text: &str) -> Option<()> {
        fs::write(self.0.join(file), text).ok()
    }

    fn stat(&self, name: &str) -> Option<u64> {
        let stat = self.read("cpu.stat")?;
        let mut lines = stat.lines();
        lines.find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// CPU time of all that was ever in it.
    fn used(&self) -> Option<Duration> {
        let v1 = || {
            Some(Duration::from_nanos(
                self.read("cpuacct.usage")?.trim().parse().ok()?,
            ))
        };
        v1().or_else(|| Some(Duration::from_micros(self.stat("usage_usec")?)))
    }

    /// Has the kernel prefer it to whatever else runs on this machine, as far as it can.
    fn prefer(&self) -> Option<()> {
        let v1 = self.write("cpu.shares", "262144");
        v1.or_else(|| self.write("cpu.weight", "10000"))
    }

    fn limit(&self, millicores: u64, period: Duration) -> Option<()> {
        let period = u64::try_from(period.as_micros()).unwrap();
        let quota = period * millicores / 1000;
        let v1 = || {
            self.write("cpu.cfs_period_us", &period.to_string())?;
            self.write("cpu.cfs_quota_us", &quota.to_string())
        };
        v1().or_else(|| self.write("cpu.max", &format!("{quota} {period}")))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // It is empty a moment after the program has ended.
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// oneapi in cgroups of its own, ended with the test.
struct Program {
    child: Child,
    address: SocketAddr,
    /// Where the kernel counts its CPU time, if the test may have it so.
    account: Option<Group>,
    /// Where it can be limited and preferred. Dropped after the program has ended.
    cpu: Option<Group>,
}

impl Program {
    fn start(cpu: Option<Group>) -> Self {
        let account = Group::new("cpuacct");
        let groups = [&cpu, &account].into_iter().flatten();
        // It enters its cgroups before its first instruction.
        let enter = "for procs; do echo $$ >\"$procs\" || exit; done; exec \"$0\"";
        let mut command = Command::new("sh");
        command.args(["-c", enter, env!("CARGO_BIN_EXE_oneapi")]);
        command.args(groups.map(|group| group.0.join("cgroup.procs")));
        command
            .env("LISTEN", "127.0.0.1:0")
            .env("LOG_FORMAT", "json");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut log = BufReader::new(child.stdout.take().unwrap());
        log.read_line(&mut line).unwrap();
        let started: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = started["listen"].as_str().unwrap().parse().unwrap();
        // Nobody may be kept waiting for its log to be read.
        thread::spawn(move || log.read_to_end(&mut Vec::new()));
        Self {
            child,
            address,
            account,
            cpu,
        }
    }

    fn ask(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        stream
    }

    fn answer(&self, path: &str) -> String {
        let mut text = String::new();
        self.ask(path).read_to_string(&mut text).unwrap();
        text
    }

    /// Starts a burn of a minute; it ends when what this returns is dropped.
    fn burn(&self, millicores: u32) -> TcpStream {
        let client = self.ask(&format!("/test/highcpu?minutes=1&millicores={millicores}"));
        let begun = Instant::now();
        while !self.answer("/burns").contains("\"id\"") {
            assert!(begun.elapsed() < Duration::from_secs(20), "it never starts");
        }
        client
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("sh")
            .args(["-c", "kill \"$@\"", "kill", "-s", name, &pid])
            .status();
        assert!(sent.unwrap().success());
    }

    /// What the kernel has counted so far: the CPU time that it used, and how long its threads have waited
    /// for a CPU since they were ready to run. Between the two times.
    fn account(&self) -> (Instant, Duration, Duration, Instant) {
        let before = Instant::now();
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        // <https://docs.kernel.org/scheduler/sched-stats.html>
        let (mut run, mut waited) = (0, 0);
        for task in tasks {
            let text = fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
            let mut numbers = text.split(' ').map(|n| n.parse::<u64>().unwrap_or(0));
            run += numbers.next().unwrap();
            waited += numbers.next().unwrap();
        }
        let used = self.account.as_ref().and_then(Group::used);
        let used = used.unwrap_or(Duration::from_nanos(run));
        (before, used, Duration::from_nanos(waited), Instant::now())
    }

    /// Whether so much is burnt from now on for so long; else how it is not.
    fn judge(&self, millicores: u32, time: Duration) -> Result<(), String> {
        let cores = f64::from(millicores) / 1000.0;
        let (before, used_before, waited_before, from) = self.account();
        thread::sleep(time); // it is the passing of time that is tested
        let (to, used, waited, after) = self.account();
        let used = (used - used_before).as_secs_f64();
        let waited = (waited - waited_before).as_secs_f64();
        // It comes in portions, one of which may be at either end.
        let portion = (cores * 0.1).min(0.01);
        let least = (to - from).as_secs_f64() * cores * 0.98 - portion - waited;
        let most = (after - before).as_secs_f64() * cores * 1.02 + portion;
        if (least..=most).contains(&used) {
            return Ok(());
        }
        Err(format!(
            "{millicores} millicores: {used:.4} s of CPU time, {least:.4} to {most:.4} s expected, of which it waited for a CPU for {waited:.4} s"
        ))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_burn_uses_what_was_asked_by_the_kernels_account() {
    let _alone = alone();
    // A small one wakes up more seldom than a large one.
    for millicores in [20, 200, 900] {
        let preferred = Group::new("cpu").filter(|group| group.prefer().is_some());
        let program = Program::start(preferred);
        let _burn = program.burn(millicores);
        program.judge(millicores, Duration::from_secs(1)).unwrap();
    }
}

#[test]
fn a_burner_that_sleeps_is_found_out() {
    let _alone = alone();
    let program = Program::start(None);
    let _burn = program.burn(500);
    thread::scope(|scope| {
        // Most of the time, in which it wants no CPU and so waits for none. However busy the machine is, it
        // can't have waited for so much in the rest.
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(200));
            program.signal("STOP");
            thread::sleep(Duration::from_millis(1600));
            program.signal("CONT");
        });
        let judged = program.judge(500, Duration::from_secs(2));
        judged.expect_err("it has slept, and nobody noticed");
    });
}

#[test]
fn a_limit_is_not_reached_whatever_its_period() {
    let _alone = alone();
    // As many periods of each that one in them is less than 3 %.
    for (millis, minutes) in [(5, 0.02), (10, 0.02), (20, 0.02), (50, 0.04), (100, 0.06)] {
        let limited = Group::new("cpu").filter(|group| {
            group.prefer();
            group.limit(1000, Duration::from_millis(millis)).is_some()
        });
        let Some(group) = limited else {
            eprintln!("left out: no cgroup with a CPU limit can be made here");
            return;
        };
        let program = Program::start(Some(group));
        let group = program.cpu.as_ref().unwrap();
        let count = |name| group.stat(name).unwrap();
        let burn = || {
            let before = (count("nr_periods"), count("nr_throttled"));
            let answer =
                program.answer(&format!("/test/highcpu?minutes={minutes}&millicores=2000"));
            assert!(answer.contains("burn-granted-millicores: 950"), "{answer}");
            let periods = count("nr_periods") - before.0;
            (count("nr_throttled") - before.1, periods)
        };
        // Threads that had to wait for a CPU make up for it, and may so reach the limit. A busy machine does that
        // to one burn, a wrong portion to each.
        let mut burns = (0..3).map(|_| burn());
        let mut seen = Vec::new();
        let kept = burns.any(|(throttled, periods)| {
            seen.push(format!("{throttled} of {periods}"));
            periods > 0 && throttled * 100 < periods * 3
        });
        assert!(kept, "throttled in {seen:?} periods of {millis} ms");
    }
}
