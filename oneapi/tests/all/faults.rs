//! The fault switches that end the real program, or make it take what a process can take.

#![cfg(unix)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::process::ExitStatusExt,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_oneapi");

/// oneapi with fault switches, on a port of its own, ended when the test is.
struct Program {
    child: Child,
    log: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Program {
    fn start(settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.env("LISTEN", "127.0.0.1:0").env("FAULTS", "true");
        command.envs(settings.iter().copied());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        let started: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = started["listen"].as_str().unwrap().parse().unwrap();
        Self {
            child,
            log,
            address,
        }
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let request = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    fn put(&self, switch: &str) {
        let text = self.ask(&format!("PUT /faults/{switch}"));
        assert!(text.starts_with("HTTP/1.1 200"), "{switch}: {text}");
    }

    /// Reads the log up to an event.
    fn wait_for(&mut self, message: &str) {
        let mut line = String::new();
        while !line.contains(message) {
            line.clear();
            assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "no '{message}'");
        }
    }

    fn end(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_program_exits_with_the_code_that_was_asked_for() {
    for code in [0, 3, 255] {
        let mut program = Program::start(&[]);
        program.put(&format!("exit?code={code}"));
        assert_eq!(program.end().code(), Some(code), "after its answer");
    }
    let mut program = Program::start(&[("FAULTS_AT_START", "exit?code=42&after=200ms")]);
    assert_eq!(program.end().code(), Some(42), "from the start");
}

#[test]
fn an_exit_can_be_called_off_until_it_comes() {
    let program = Program::start(&[]);
    program.put("exit?code=3&after=9m");
    let listed = program.ask("GET /faults");
    assert!(
        listed.contains(r#""parameters":{"code":3,"after":"9m"}"#),
        "{listed}"
    );
    assert!(
        program
            .ask("DELETE /faults/exit")
            .starts_with("HTTP/1.1 200")
    );
    assert!(program.ask("GET /faults").ends_with("[]"));
}

#[test]
fn a_crash_is_by_the_signal_itself() {
    for (name, number) in [
        ("SEGV", libc::SIGSEGV),
        ("ABRT", libc::SIGABRT),
        ("KILL", libc::SIGKILL),
    ] {
        let mut program = Program::start(&[]);
        program.put(&format!("crash?signal={name}"));
        let status = program.end();
        assert_eq!(status.signal(), Some(number), "{name}: {status:?}");
    }
}

#[test]
fn a_crash_ends_a_burn_like_anything_else() {
    let mut program = Program::start(&[]);
    let mut caller = TcpStream::connect(program.address).unwrap();
    let burn = b"GET /test/highcpu?minutes=1&millicores=100 HTTP/1.1\r\nhost: x\r\n\r\n";
    caller.write_all(burn).unwrap();
    let begun = Instant::now();
    while !program.ask("GET /burns").contains("\"id\"") {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never burns");
    }
    program.put("crash?signal=KILL");
    assert_eq!(program.end().signal(), Some(libc::SIGKILL));
}

#[cfg(target_os = "linux")]
#[test]
fn memory_and_files_are_taken_and_given_back() {
    let mut program = Program::start(&[]);
    let pid = program.child.id();
    let resident_mib = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.unwrap().trim().strip_suffix(" kB").unwrap();
        kib.parse::<u64>().unwrap() / 1024
    };
    let files = || {
        std::fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .count()
    };
    let (memory_before, files_before) = (resident_mib(), files());

    program.put("memory?mib=200&rate=1000&for=ever");
    program.wait_for("memory taken");
    assert!(
        resident_mib() >= memory_before + 195,
        "{} MiB",
        resident_mib()
    );
    program.put("files?count=100&for=ever");
    assert!(files() >= files_before + 100, "{} files", files());

    program.ask("DELETE /faults");
    program.wait_for("memory given back");
    assert!(
        resident_mib() < memory_before + 20,
        "{} MiB",
        resident_mib()
    );
    assert!(files() < files_before + 20, "{} files", files());
}

#[test]
fn switches_that_can_not_be_set_at_the_start_stop_it() {
    for (settings, part) in [
        (
            [
                ("FAULTS_AT_START", "readiness?mode=fail"),
                ("FAULTS", "true"),
            ],
            "FAULTS_AT_START (or --faults-at-start) can't be 'readiness?mode=fail': \
             readiness?mode=fail: it needs an end",
        ),
        (
            [("FAULTS_AT_START", "deaf?for=1s"), ("FAULTS", "false")],
            "FAULTS_AT_START sets fault switches, which are not allowed: set FAULTS=true",
        ),
        (
            [
                ("FAULTS_AT_START", "memory?mib=9999&for=1s"),
                ("FAULTS", "true"),
            ],
            "FAULTS_AT_START can't set memory: mib can't be 9999: MAX_FAULT_MEMORY allows up to 1024",
        ),
        (
            [("FAULTS", "perhaps"), ("MAX_FAULT_FILES", "0")],
            "FAULTS (or --faults) can't be 'perhaps': it can be true, false",
        ),
    ] {
        let output = Command::new(PROGRAM).envs(settings).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn the_flag_needs_no_value() {
    let mut command = Command::new(PROGRAM);
    command.args([
        "--faults",
        "--faults-at-start=exit?code=7",
        "--listen=127.0.0.1:0",
    ]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{output:?}");
}
