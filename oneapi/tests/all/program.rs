//! The real program: its start, its refusals to start, its exit codes, and real signals.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_oneapi");

/// oneapi on a port of its own, ended when the test is.
struct Program {
    child: Child,
    log: BufReader<std::process::ChildStdout>,
    address: SocketAddr,
}

impl Program {
    fn start(mut command: Command) -> Self {
        command.env("LISTEN", "[::]:0").stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program is built");
        let mut log = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        let started: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(started["message"], "started", "the first line: {line}");
        assert!(
            started["version"].is_string() && started["commit"].is_string(),
            "{line}"
        );
        let listen: SocketAddr = started["listen"].as_str().unwrap().parse().unwrap();
        Self {
            child,
            log,
            address: ([127, 0, 0, 1], listen.port()).into(),
        }
    }

    fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    fn ask(&self, path: &str) -> TcpStream {
        self.send("GET", path)
    }

    fn send(&self, method: &str, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        stream
    }

    /// Asks until this is in the answer; only a defect takes so long that it is given up.
    fn ask_until(&self, path: &str, part: &str) {
        let begun = Instant::now();
        loop {
            let answer = text(self.ask(path));
            if answer.contains(part) {
                return;
            }
            let is_late = begun.elapsed() > Duration::from_secs(20);
            assert!(!is_late, "'{part}' is never in {answer}");
        }
    }

    /// As [`ask`](Self::ask), over a connection that stays open.
    fn ask_and_keep(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        stream
    }

    /// Reads the log up to that event.
    fn wait_for(&mut self, message: &str) -> serde_json::Value {
        let mut line = String::new();
        while !line.contains(message) {
            line.clear();
            assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "no '{message}'");
        }
        serde_json::from_str(&line).unwrap()
    }

    #[cfg(target_os = "linux")]
    fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.unwrap().trim().strip_suffix(" kB").unwrap();
        kib.parse().unwrap()
    }

    fn events(mut self) -> (Option<i32>, Vec<serde_json::Value>) {
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        let code = self.child.wait().unwrap().code();
        (
            code,
            rest.lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
        )
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    assert!(
        Command::new("sh")
            .args(["-c", "kill \"$@\"", "kill", "-s", name, &pid])
            .status()
            .unwrap()
            .success()
    );
}

fn text(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream
        .read_to_string(&mut text)
        .expect("an answer, not a reset");
    text
}

/// As on a disk that is full: stdout and stderr are often the same file.
#[test]
fn a_log_that_can_not_be_written_costs_no_request() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = oneapi(&["--rust-log", "debug", "--drain-delay", "100ms"]);
    command.env("LISTEN", "[::]:0");
    command.stderr(writer.try_clone().unwrap()).stdout(writer);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut log = BufReader::new(reader);
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    let started: serde_json::Value = serde_json::from_str(&line).unwrap();
    let listen: SocketAddr = started["listen"].as_str().unwrap().parse().unwrap();
    drop(log);
    for _ in 0..3 {
        let mut stream = TcpStream::connect(("127.0.0.1", listen.port())).unwrap();
        write!(stream, "GET /test HTTP/1.0\r\n\r\n").unwrap();
        assert!(text(stream).contains("ip is "));
    }
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0), "a clean stop");
}

/// As when a log driver hangs, or when a terminal is stopped with Ctrl-S.
#[test]
fn a_log_that_nobody_reads_holds_up_no_request_and_no_stop() {
    let mut command = oneapi(&["--drain-delay", "100ms"]);
    command.env("RUST_LOG", "debug");
    let mut program = Program::start(command);
    let address = program.address;
    let ask = || {
        let mut stream = TcpStream::connect(address).unwrap();
        let late = Some(Duration::from_secs(20));
        stream.set_read_timeout(late).unwrap();
        write!(stream, "GET /test HTTP/1.0\r\n\r\n").unwrap();
        assert!(text(stream).contains("ip is "));
    };
    // Two lines each: more than a pipe holds.
    (0..500).for_each(|_| ask());
    let told = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let read = scope.spawn(|| {
            let line = program.wait_for("left_out");
            told.store(true, Ordering::Relaxed);
            line
        });
        while !told.load(Ordering::Relaxed) {
            ask();
        }
        let line = read.join().unwrap();
        assert!(line["left_out"].as_u64() > Some(100), "{line}");
    });
    (0..500).for_each(|_| ask());
    program.signal("TERM");
    let begun = Instant::now();
    while program.child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20), "no stop");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(program.child.wait().unwrap().code(), Some(0));
}

/// On as many CPUs as there are; none but the first would have anything to do.
#[test]
#[cfg(target_os = "linux")]
fn a_probe_runs_on_one_thread() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let mut probe = Command::new(PROGRAM);
    let mut probe = probe
        .args(["probe", &url, "--timeout", "1m"])
        .spawn()
        .unwrap();
    let (connection, _) = silent.accept().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", probe.id())).unwrap();
    let threads = status
        .lines()
        .find_map(|line| line.strip_prefix("Threads:"));
    assert_eq!(threads.map(str::trim), Some("1"));
    drop(connection);
    assert_eq!(probe.wait().unwrap().code(), Some(1));
}

fn ends_with(command: &mut Command, code: i32) -> Output {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    output
}

fn oneapi(args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args);
    command
}

/// Whether these tests run under nohup.
fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() & 1 == 1)
}

#[test]
fn a_signal_stops_it_cleanly_and_the_log_tells_each_moment() {
    for name in ["TERM", "INT", "QUIT", "HUP", "USR1", "USR2"] {
        if name == "HUP" && hangups_are_ignored() {
            continue; // and so they are by the program
        }
        let program = Program::start(oneapi(&["--drain-delay", "200ms"]));
        assert!(text(program.ask("/test")).contains("ip is "));
        program.signal(name);
        program.ask_until("/readyz", "stopping");
        // It goes on accepting while it drains.
        assert!(text(program.ask("/test")).contains("ip is "));
        let (code, events) = program.events();
        assert_eq!(code, Some(0), "a clean stop");
        let said: Vec<_> = events
            .iter()
            .map(|event| event["message"].as_str().unwrap())
            .collect();
        assert_eq!(
            said,
            [
                "signal received",
                "readiness off",
                "last request accepted",
                "listener closed",
                "in flight at zero",
                "exit"
            ]
        );
        let moments: Vec<_> = events
            .iter()
            .map(|event| event["ms"].as_u64().unwrap())
            .collect();
        assert!(moments.is_sorted(), "in the order of time: {moments:?}");
        let closed = moments[3];
        // Not when the timeout of the stop is over: a busy machine is late.
        assert!(
            (200..2000).contains(&closed),
            "the drain delay: {closed} ms"
        );
        assert_eq!(events[0]["signal"], format!("SIG{name}"));
    }
}

#[test]
fn a_program_that_ignores_the_hangup_of_its_terminal_goes_on() {
    let mut nohup = Command::new("nohup");
    nohup.arg(PROGRAM).stdin(Stdio::null());
    let program = Program::start(nohup);
    program.signal("HUP");
    program.signal("TERM");
    let (code, events) = program.events();
    assert_eq!(code, Some(0));
    assert_eq!(events[0]["signal"], "SIGTERM", "{events:?}");
}

#[test]
fn the_log_of_a_stop_tells_what_it_waits_for_and_what_it_has_cut_off() {
    let program = Program::start(oneapi(&["--stop-timeout", "2s"]));
    // One that is answered, five that are coming in, and one that has its answer and stays.
    let _burn = program.ask_and_keep("/test/highcpu?minutes=1&millicores=1");
    program.ask_until("/burns", r#""asked_millicores":1,"#);
    let _coming_in: Vec<_> = (0..5)
        .map(|_| {
            let mut stream = TcpStream::connect(program.address).unwrap();
            stream.write_all(b"GET /te").unwrap();
            stream
        })
        .collect();
    let mut kept = program.ask_and_keep("/test");
    assert!(kept.read(&mut [0; 1000]).unwrap() > 0);
    program.signal("TERM");
    let (code, events) = program.events();
    assert_eq!(code, Some(0));
    let event = |message: &str| {
        let found = events.iter().find(|event| event["message"] == message);
        found.unwrap_or_else(|| panic!("no '{message}': {events:?}"))
    };
    // The burn can't be over by then, and is told at once: its answer is one that has been read.
    let closed = event("listener closed");
    assert_eq!(closed["coming_in"], 5, "{events:?}");
    assert!(closed["lingering"].as_u64() >= Some(1), "{events:?}");
    // Who lingers does so for a second.
    assert_eq!(event("still waiting")["coming_in"], 5, "{events:?}");
    let end = event("in flight cut off");
    assert_eq!((&end["cut_off"], &end["coming_in"]), (&0.into(), &5.into()));
    assert!(end.get("lingering").is_none(), "{end}");
}

#[test]
fn who_only_lingers_at_the_end_of_a_stop_is_not_cut_off() {
    let program = Program::start(oneapi(&["--stop-timeout", "300ms"]));
    let mut kept = program.ask_and_keep("/test");
    assert!(kept.read(&mut [0; 1000]).unwrap() > 0);
    program.signal("TERM");
    let (code, events) = program.events();
    assert_eq!(code, Some(0));
    let end = &events[events.len() - 2];
    assert_eq!(end["message"], "in flight at zero", "{events:?}");
    assert_eq!(end["lingering"], 1, "{events:?}");
}

#[test]
fn a_client_cannot_fill_the_log() {
    for (level, expected) in [("info", false), ("info,h2=warn", true)] {
        let program = Program::start(oneapi(&["--rust-log", level]));
        let mut client = TcpStream::connect(program.address).unwrap();
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        // Answers to a PING that nobody has sent, and a PING: its answer shows that they have come in.
        let pongs = b"\0\0\x08\x06\x01\0\0\0\0pingpong".repeat(10);
        let ping = b"\0\0\x08\x06\0\0\0\0\0lastping";
        client
            .write_all(&[&preface[..], &pongs, ping].concat())
            .unwrap();
        let mut frames = Vec::new();
        while !frames.windows(8).any(|part| part == b"lastping") {
            let mut part = [0; 1000];
            let n = client.read(&mut part).unwrap();
            assert_ne!(n, 0, "closed after {frames:?}");
            frames.extend_from_slice(&part[..n]);
        }
        program.signal("TERM");
        let (_, events) = program.events();
        let of_h2 = |event: &&serde_json::Value| event["target"].to_string().contains("h2::");
        let said = events.iter().filter(of_h2).count();
        assert_eq!(said > 0, expected, "RUST_LOG={level}: {said} lines of h2");
    }
}

#[test]
fn a_burn_ends_a_second_after_its_client_has_closed_its_sending_side() {
    let program = Program::start(oneapi(&[]));
    for (minutes, expected) in [("1", "ended after 1."), ("0.01", "ok")] {
        let path = format!("/test/highcpu?minutes={minutes}&millicores=1");
        let stream = program.ask(&path);
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let answer = text(stream);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(body.starts_with(expected), "{answer}");
    }
}

#[test]
fn a_low_soft_limit_of_files_keeps_no_probe_out() {
    chassis::system::descriptors::raise_limit(); // this process has as many
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        "ulimit -S -n 1024 && ulimit -H -n 4096 && exec \"$0\"",
        PROGRAM,
    ]);
    let mut program = Program::start(shell);
    let kept: Vec<_> = (0..1100)
        .map(|_| {
            let mut stream = program.ask_and_keep("/test");
            assert!(stream.read(&mut [0; 1000]).unwrap() > 0);
            stream
        })
        .collect();
    let livez = text(program.ask("/livez"));
    assert!(livez.starts_with("HTTP/1.1 200"), "{livez}");
    let metrics = text(program.ask("/metrics"));
    assert!(metrics.contains("\nprocess_max_fds 4096\n"), "{metrics}");
    // A moment after its client has closed, a connection is still counted.
    program.ask_until("/metrics", "\nconnections_open 1101\n");
    drop(kept);
    program.signal("TERM");
    program.wait_for("exit");
}

#[test]
fn silent_clients_keep_no_probe_out_where_there_are_few_files() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 256 && exec \"$0\"", PROGRAM]);
    let program = Program::start(shell);
    let silent: Vec<_> = (0..600)
        .map(|_| TcpStream::connect(program.address).unwrap())
        .collect();
    let asked = Instant::now();
    let livez = text(program.ask("/livez"));
    assert!(livez.starts_with("HTTP/1.1 200"), "{livez}");
    // After a second those that are too many would have been closed because they say nothing.
    assert!(
        asked.elapsed() < Duration::from_millis(900),
        "{:?}",
        asked.elapsed()
    );
    drop(silent);
}

/// Here and not beside the server's other tests: a task that never lets others work would hold up the test's
/// own threads, too.
#[test]
fn a_client_that_breaks_off_in_the_preface_of_http2_holds_nobody_up() {
    let program = Program::start(oneapi(&["--worker-threads", "1"]));
    for part in ["P", "PRI * HTTP/2.0\r"] {
        for gap in [Duration::ZERO, Duration::from_millis(20)] {
            let mut client = TcpStream::connect(program.address).unwrap();
            client.write_all(part.as_bytes()).unwrap();
            std::thread::sleep(gap);
            client.shutdown(Shutdown::Write).unwrap();
            let in_time = Some(Duration::from_secs(5)); // half the timeout of headers
            client.set_read_timeout(in_time).unwrap();
            client.read_to_end(&mut Vec::new()).expect("it is closed");
            let other = program.ask("/livez");
            other.set_read_timeout(in_time).unwrap();
            assert!(text(other).starts_with("HTTP/1.1 200"), "{part:?}");
        }
    }
}

#[test]
fn more_connections_than_files_are_refused_at_the_start() {
    let mut shell = Command::new("sh");
    let script = "ulimit -n 300 && exec \"$0\" --max-connections 200";
    let output = shell.args(["-c", script, PROGRAM]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = "MAX_CONNECTIONS (or --max-connections) can't be 200: the process may have 300 files \
                    open, of which 150 are for other things, so set it to 150 at most";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn a_burn_whose_client_has_left_ends_at_once() {
    let mut program = Program::start(oneapi(&[]));
    let client = program.ask("/test/highcpu?minutes=1&millicores=1");
    program.wait_for("burn started");
    let left = Instant::now();
    drop(client);
    program.wait_for("burn ended");
    let took = left.elapsed();
    assert!(took < Duration::from_millis(500), "{took:?}");
}

#[test]
fn each_line_of_the_log_says_which_service_wrote_it() {
    let program = Program::start(oneapi(&["--log-format", "json"]));
    program.signal("TERM");
    let (_, events) = program.events();
    assert!(!events.is_empty());
    for event in events {
        assert_eq!(event["service"], "oneapi", "{event}");
    }
    let mut text = oneapi(&["--log-format", "text", "--listen", "256.0.0.1:0"]);
    ends_with(&mut text, 2); // not an address: nothing is logged
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let output = ends_with(
        &mut oneapi(&["--log-format", "text", "--listen", &listen]),
        1,
    );
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("oneapi "), "{said}");
}

#[test]
fn each_line_of_a_traced_request_has_the_ids_and_no_other_line_has() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let program = Program::start(oneapi(&["--rust-log", "debug"]));
    let ask = |request: &str, flags: &str| {
        let mut stream = TcpStream::connect(program.address).unwrap();
        let trace = format!("traceparent: 00-{TRACE}-b7ad6b7169203331-{flags}");
        write!(
            stream,
            "{request} HTTP/1.1\r\nhost: x\r\n{trace}\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        text(stream)
    };
    ask("GET /test", "01");
    ask("GET /test/highcpu?minutes=0.001&millicores=1", "00");
    ask("POST /burns?minutes=0.001&millicores=1", "00");
    ask("GET /nothing", "01");
    for not_traced in ["GET /livez", "GET /info", "GET /burns"] {
        ask(not_traced, "01");
    }
    ask("GET /test?invalid", "1");
    program.signal("TERM");
    let (_, events) = program.events();
    let mut spans = std::collections::BTreeSet::new();
    let mut traced = Vec::new();
    for event in events {
        if let Some(trace) = event.get("trace_id") {
            assert_eq!(trace, TRACE, "{event}");
            assert_eq!(event.to_string().matches(TRACE).count(), 1, "{event}");
            let span = event["span_id"].as_str().unwrap();
            assert_eq!(span.len(), 16, "{event}");
            spans.insert(span.to_owned());
            traced.push(event["message"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(spans.len(), 4, "each request has its own: {traced:?}");
    traced.sort();
    let expected = [
        &["burn ended"; 2][..],
        &["burn started"; 2],
        &["request"; 4],
        &["request over"; 4],
    ];
    assert_eq!(traced, expected.concat());
}

#[cfg(not(feature = "otlp"))]
#[test]
fn a_program_that_exports_no_spans_says_so_once_if_it_is_asked_to() {
    for (variable, value, expected) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318", 1),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "nonsense", 1),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "", 0),
        ("OTEL_TRACES_EXPORTER", "none", 0),
    ] {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = taken.local_addr().unwrap().to_string();
        let mut command = oneapi(&["--listen", &listen, "--log-format", "json"]);
        let output = ends_with(command.env(variable, value), 1);
        let said = String::from_utf8(output.stdout).unwrap();
        let lines = said.matches("exports no spans").count();
        assert_eq!(lines, expected, "{variable}={value}: {said}");
    }
}

#[test]
fn a_burn_that_would_be_over_in_time_goes_on_and_one_that_would_not_ends_at_once() {
    let program = Program::start(oneapi(&["--drain-delay", "100ms", "--stop-timeout", "3s"]));
    let short = program.ask("/test/highcpu?minutes=0.02&millicores=10"); // 1.2 s
    let long = program.ask("/test/highcpu?minutes=5&millicores=10");
    program.ask_until("/metrics", "burns_running 2");
    program.signal("TERM");
    let told = Instant::now();
    let long = text(long);
    assert!(
        told.elapsed() < Duration::from_millis(500),
        "took {:?}",
        told.elapsed()
    );
    assert!(
        long.starts_with("HTTP/1.1 503") && long.contains("\r\n\r\nstopping after "),
        "{long}"
    );
    assert!(
        text(short).ends_with("\r\n\r\nok"),
        "and the short one is finished"
    );
    assert_eq!(program.events().0, Some(0));
}

#[test]
fn a_stop_waits_for_posted_burns_that_would_be_over_in_time_and_ends_the_others_at_once() {
    let program = Program::start(oneapi(&["--stop-timeout", "20s"]));
    let begun = Instant::now();
    let short = text(program.send("POST", "/burns?minutes=0.02&millicores=10")); // 1.2 s
    assert!(short.starts_with("HTTP/1.1 201"), "{short}");
    let long = text(program.send("POST", "/burns?minutes=5&millicores=10"));
    assert!(long.contains("location: /burns/2"), "{long}");
    program.signal("TERM");
    let (code, events) = program.events();
    assert!(begun.elapsed() > Duration::from_millis(1200), "it finished");
    assert_eq!(code, Some(0));
    let named = |message: &'static str| events.iter().filter(move |e| e["message"] == message);
    let told = named("signal received").next().unwrap();
    assert_eq!(told["in_flight"], 2, "{told}");
    let ended: Vec<_> = named("burn ended").map(|event| &event["id"]).collect();
    assert_eq!(ended, [2, 1], "{events:?}");
    let zero = named("in flight at zero").next().unwrap();
    assert!(zero["ms"].as_u64().unwrap() > 500, "{zero}");
}

#[test]
fn a_burn_ends_when_its_client_goes_away() {
    let program = Program::start(oneapi(&[]));
    let client = program.ask("/test/highcpu?minutes=5&millicores=100");
    program.ask_until("/metrics", "burns_running 1");
    drop(client);
    program.ask_until("/metrics", "burns_running 0"); // long before its five minutes are over
}

#[test]
fn kill_names_the_signals_that_it_can_send() {
    // No more than that here: it would find the programs of the other tests. A story kills.
    let output = ends_with(&mut oneapi(&["kill", "WINCH"]), 2);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("TERM, INT, QUIT, HUP, USR1, USR2, KILL, STOP, CONT"),
        "{said}"
    );
}

/// With `shareProcessNamespace: true` it sees the processes of other containers, whose files are others.
#[cfg(target_os = "linux")]
#[test]
fn kill_leaves_the_service_of_another_container_alone() {
    let _other = Program::start(oneapi(&[]));
    let mut elsewhere = Command::new("unshare");
    elsewhere.args(["--mount", PROGRAM, "kill", "CONT"]);
    let output = elsewhere.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    if said.starts_with("unshare: ") {
        return eprintln!("Only root may try this: {said}");
    }
    assert_eq!(said, "oneapi doesn't run here\n");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn licenses_prints_the_file_beside_the_program_and_says_where_there_is_none() {
    let folder = std::env::temp_dir().join(format!("oneapi-licenses-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let program = folder.join("oneapi");
    // By another process: while this one writes it, what another test starts keeps it open, and it is busy.
    let copied = Command::new("cp").arg(PROGRAM).arg(&program).status();
    assert!(copied.unwrap().success());
    let output = ends_with(Command::new(&program).arg("licenses"), 1);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no licenses.txt beside this"), "{said}");
    let texts = "serde: MIT\n".repeat(10_000); // more than a pipe holds
    std::fs::write(folder.join("licenses.txt"), &texts).unwrap();
    let output = ends_with(Command::new(&program).arg("licenses"), 0);
    assert!(output.stdout == texts.as_bytes(), "all of it");
    // As when a pager is left.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    ends_with(
        Command::new(&program).arg("licenses").stdout(writer),
        128 + 13,
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let program = Program::start(oneapi(&["--drain-delay", "20s"]));
    program.signal("TERM");
    program.ask_until("/readyz", "stopping");
    program.signal("TERM");
    assert_eq!(program.events().0, Some(143));
}

#[test]
fn a_taken_port_is_exit_1_and_a_sentence() {
    let taken = TcpListener::bind("[::]:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = ends_with(&mut oneapi(&["--listen", &format!("[::]:{port}")]), 1);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains(&format!("port {port} is taken by another program")),
        "{said}"
    );
}

#[test]
fn wrong_settings_are_exit_2_and_a_sentence_each() {
    let output = ends_with(
        oneapi(&[])
            .env("DRAIN_DELAY", "soon")
            .env("MAX_MINUTES", "-1")
            .env("LISTEN", "x"),
        2,
    );
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 3, "{said}");
    assert!(said.contains("oneapi: DRAIN_DELAY (or --drain-delay) can't be 'soon': a length of time is written as 1m30s or 500ms"), "{said}");
    ends_with(&mut oneapi(&["--no-such-flag"]), 2);
}

#[test]
fn a_wrong_setting_is_told_what_is_allowed() {
    let address = "an address to listen at is written as [::]:5000 or 127.0.0.1:5000";
    let ip = "an IP address is written as 10.244.36.66 or fd00::7";
    let whole = "it is a whole number from 1 to 65535";
    let log = "a level is one of error, warn, info, debug, trace, off, or target=level pairs";
    for (name, value, allowed) in [
        ("LISTEN", ":5000", address),
        ("LISTEN", "localhost:5000", address),
        ("LISTEN", "127.0.0.1:99999", address),
        ("POD_IP", "fe80::1%eth0", ip),
        ("MAX_BURNS", "0", whole),
        ("MAX_BURNS", "many", whole),
        ("WORKER_THREADS", "0", "it is a whole number from 1 to 256"),
        (
            "MAX_FAULT_MEMORY",
            "1Gi",
            "it is a whole number from 1 to 4294967295",
        ),
        (
            "MAX_FAULT_FILES",
            "99999999999",
            "it is a whole number from 1 to 4294967295",
        ),
        (
            "MAX_CONNECTIONS",
            "0",
            "it is a whole number from 1 to 1000000",
        ),
        ("IDLE_TIMEOUT", "0s", "it must be longer than 0s"),
        ("IDLE_TIMEOUT", "600", "a length of time is written as"),
        // These would be targets that nobody logs to, and so would turn the log off.
        ("RUST_LOG", "wran", log),
        ("RUST_LOG", "oneapi[burn]=debug", log),
        ("RUST_LOG", "info,oneapi=loud", log),
        ("RUST_LOG", "=", log),
        ("RUST_LOG", "=info", log),
        ("RUST_LOG", "info, =warn", log),
        ("RUST_LOG", "info,oneapi=", log),
        ("RUST_LOG", ",", log),
    ] {
        let output = ends_with(oneapi(&[]).env(name, value), 2);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(
            said.starts_with(&format!("oneapi: {name} (or --"))
                && said.contains(&format!(" can't be '{value}': {allowed}")),
            "{said}"
        );
    }
}

#[test]
fn a_setting_that_is_not_utf8_is_named() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let wrong = OsStr::from_bytes(b"one\xff");
    let mut command = oneapi(&[]);
    command.env("POD_NAME", wrong).env("MAX_MINUTES", wrong);
    let output = ends_with(command.env("LISTEN", "x"), 2);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 3, "{said}");
    for name in ["POD_NAME (or --pod-name)", "MAX_MINUTES (or --max-minutes)"] {
        assert!(
            said.contains(&format!("{name} can't be used: it is not UTF-8")),
            "{said}"
        );
    }
}

#[test]
fn help_and_version_are_exit_0() {
    let help = String::from_utf8(ends_with(&mut oneapi(&["--help"]), 0).stdout).unwrap();
    for name in [
        "LISTEN",
        "POD_IP",
        "DRAIN_DELAY",
        "STOP_TIMEOUT",
        "RUST_LOG",
        "MAX_BURNS",
    ] {
        assert!(help.contains(&format!("[env: {name}=")), "{name} in {help}");
    }
    let version = String::from_utf8(ends_with(&mut oneapi(&["--version"]), 0).stdout).unwrap();
    assert!(
        version.starts_with("oneapi ") && version.contains("(commit "),
        "{version}"
    );
}

#[test]
fn probe_is_exit_0_on_2xx_and_else_1_with_a_sentence() {
    let program = Program::start(oneapi(&["--startup-delay", "1h"]));
    let url = |path| format!("http://{}{path}", program.address);
    ends_with(&mut oneapi(&["probe", &url("/livez")]), 0);
    for (url, said) in [
        (url("/readyz"), "answered 503 Service Unavailable"),
        (url("/nothing"), "answered 404 Not Found"),
        (
            "http://127.0.0.1:1/".into(),
            "did not answer: Connection refused",
        ),
    ] {
        let output = ends_with(&mut oneapi(&["probe", &url]), 1);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.starts_with(&format!("{url} {said}")), "{stderr}");
    }
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let output = ends_with(&mut oneapi(&["probe", &url, "--timeout", "100ms"]), 1);
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("did not answer within 100ms")
    );
    ends_with(&mut oneapi(&["probe", "https://localhost/"]), 2);
    // Shorter than any timer's step: the answer comes first.
    let livez = format!("http://{}/livez", program.address);
    let output = ends_with(&mut oneapi(&["probe", &livez, "--timeout", "1ns"]), 1);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("did not answer within 1ns"), "{stderr}");
}

/// What a probe says of a server that answers these bytes.
fn probed(answer: &'static [u8]) -> (Option<i32>, String) {
    probed_with(&[], answer)
}

fn probed_with(args: &[&str], answer: &'static [u8]) -> (Option<i32>, String) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", server.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
        let _ = stream.write_all(answer);
        // With something unread it would be a reset, which might overtake the answer.
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let args = [&["probe", &url, "--timeout", "10s"], args].concat();
    let output = oneapi(&args).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let said = stderr.trim_end().strip_prefix(&url).unwrap_or(&stderr);
    (output.status.code(), said.to_owned())
}

#[test]
fn probe_waits_for_the_final_status_and_tells_no_answer_from_nonsense() {
    let final_ok = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n\
                     HTTP/1.1 200 OK\r\n\r\n";
    assert_eq!(probed(final_ok), (Some(0), String::new()));
    let endless = ["HTTP/1.1 200 OK\r\n", &"x: y\r\n".repeat(20_000)].concat();
    let endless = endless.leak().as_bytes();
    for (answer, said) in [
        (&b""[..], " did not answer: the connection was closed"),
        (b"HTTP/1.1 1", " did not answer: the connection was closed"),
        (
            b"SSH-2.0-Open\r\n",
            " did not answer: what came is not HTTP",
        ),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\n\r\n",
            " answered 503 Service Unavailable",
        ),
        (
            b"HTTP/1.1 100 Continue\r\nx: y",
            " did not answer: the connection was closed",
        ),
        (
            b"HTTP/1.1 200 OK\r\nx: y\r\n",
            " did not answer: the connection was closed",
        ),
        (
            endless,
            " did not answer: its headers don't end within 64 KiB",
        ),
    ] {
        assert_eq!(probed(answer), (Some(1), said.to_owned()));
    }
}

/// As the kubelet has it, which reads 10 KiB of a body.
#[test]
fn half_an_answer_is_none_to_a_probe() {
    let answer = |headers: &str, body: &str| -> &'static [u8] {
        format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n{body}")
            .leak()
            .as_bytes()
    };
    let (long, chunked) = ("x".repeat(10 << 10), "transfer-encoding: chunked");
    for whole in [
        answer("content-length: 2", "ok"),
        answer("content-length: 1000000", &long),
        answer(
            chunked,
            "2;x=y\r\nok\r\nA\r\n0123456789\r\n0\r\nx: y\r\n\r\n",
        ),
        answer(chunked, &format!("2\r\nok\r\nFFFFFF\r\n{long}")),
        answer(chunked, &"1\r\nx\r\n".repeat(10 << 10)),
        answer("x: y", "ok"),
        b"HTTP/1.1 204 No Content\r\ncontent-length: 9\r\n\r\n",
    ] {
        let said = probed(whole);
        assert_eq!(said, (Some(0), String::new()), "{:?}", whole.get(..80));
    }
    let (closed, other) = ("the connection was closed", "what came is not HTTP");
    for (half, why) in [
        (answer("content-length: 20", "ok"), closed),
        (answer("Content-Length:20", ""), closed),
        (answer(chunked, ""), closed),
        (answer(chunked, "2\r\no"), closed),
        (answer(chunked, "2\r\nok\r\n"), closed),
        (answer(chunked, "0\r\n"), closed),
        (answer(chunked, "ok\r\n"), other),
        (answer(chunked, "1\r\nok\r\n"), other),
        (answer("content-length: +2", "ok"), other),
    ] {
        let said = probed(half);
        let expected = format!(" did not answer: {why}");
        assert_eq!(said, (Some(1), expected), "{}", half.escape_ascii());
    }

    // The same over HTTP/2: settings, headers without the stream's end, and data.
    let begun = b"\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\x04\0\0\0\x01\x88";
    let two = |last| [&b"\0\0\x02\0"[..], &[last], b"\0\0\0\x01ok"].concat();
    let trailers = b"\0\0\0\x01\x05\0\0\0\x01";
    let much = [b"\0\x28\0\0\0\0\0\0\x01", long.as_bytes()].concat();
    let reset = b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x02";
    for (rest, why) in [
        (two(1), None),
        ([two(0), two(1)].concat(), None),
        ([&two(0)[..], trailers].concat(), None),
        (much, None),
        (vec![], Some(closed)),
        (two(0), Some(closed)),
        (
            [&two(0)[..], reset].concat(),
            Some("it was refused with INTERNAL_ERROR"),
        ),
    ] {
        let answer = [&begun[..], &rest].concat().leak();
        let expected = match why {
            None => (Some(0), String::new()),
            Some(why) => (Some(1), format!(" did not answer: {why}")),
        };
        let shown = answer[..answer.len().min(80)].escape_ascii();
        assert_eq!(probed_with(&["--http2"], answer), expected, "{shown}");
    }
}

#[test]
fn probe_asks_over_http_2_and_says_if_what_it_asks_does_not_speak_it() {
    let program = Program::start(oneapi(&["--startup-delay", "1h"]));
    let url = |path| format!("http://{}{path}", program.address);
    ends_with(&mut oneapi(&["probe", "--http2", &url("/livez")]), 0);
    let output = ends_with(&mut oneapi(&["probe", "--http2", &url("/readyz")]), 1);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("/readyz answered 503 Service Unavailable"),
        "{stderr}"
    );
    let probes = text(program.ask("/probes"));
    for kind in ["liveness", "readiness"] {
        let (_, rows) = probes.split_once(kind).expect(&probes);
        assert!(
            rows.lines().nth(2).unwrap().contains("  HTTP/2"),
            "{probes}"
        );
    }

    // Settings, and headers: `:status` is 103, of which there is another one in the end, 204.
    let interim = b"\0\0\0\x04\0\0\0\0\0\
        \0\0\x05\x01\x04\0\0\0\x01\x08\x03103\
        \0\0\x01\x01\x05\0\0\0\x01\x89";
    assert_eq!(probed_with(&["--http2"], interim), (Some(0), String::new()));
    // The same in three frames: the first has nothing but padding, the second half of the status.
    let split = b"\0\0\0\x04\0\0\0\0\0\
        \0\0\x03\x01\x09\0\0\0\x01\x02\0\0\
        \0\0\x04\x09\0\0\0\0\x01\x48\x0320\
        \0\0\x01\x09\x04\0\0\0\x011";
    assert_eq!(probed_with(&["--http2"], split), (Some(0), String::new()));
    let refused = b"\0\0\0\x04\0\0\0\0\0\0\0\x04\x03\0\0\0\0\x01\0\0\0\x07";
    // A connection that takes no more than this request, and one that doesn't take it.
    let last = b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0\
        \0\0\x01\x01\x05\0\0\0\x01\x88";
    assert_eq!(probed_with(&["--http2"], last), (Some(0), String::new()));
    let going = b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0b";
    let too_padded = b"\0\0\0\x04\0\0\0\0\0\0\0\x02\x01\x0d\0\0\0\x01\x02\x88";
    let half_a_code = b"\0\0\0\x04\0\0\0\0\0\0\0\x02\x03\0\0\0\0\x01\0\0";
    let headers_first = b"\0\0\x01\x01\x05\0\0\0\x01\x88";
    for (answer, said) in [
        (&b""[..], "the connection was closed"),
        (b"\0\0\0\x04\0\0\0\0\0", "the connection was closed"),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "what came is not HTTP/2",
        ),
        (b"SSH-2.0-Open\r\n", "what came is not HTTP/2"),
        (refused, "it was refused with REFUSED_STREAM"),
        (going, "it was refused with ENHANCE_YOUR_CALM"),
        (headers_first, "what came is not HTTP/2"),
        (too_padded, "what came is not HTTP/2"),
        (half_a_code, "what came is not HTTP/2"),
    ] {
        let said = format!(" did not answer: {said}");
        assert_eq!(probed_with(&["--http2"], answer), (Some(1), said));
    }
}

#[test]
fn probe_finds_localhost_by_both_of_its_addresses() {
    let Ok(v6) = TcpListener::bind("[::1]:0") else {
        return;
    };
    let port = v6.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = v6.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    });
    let url = format!("http://localhost:{port}/livez");
    ends_with(&mut oneapi(&["probe", &url]), 0);
}

#[test]
fn an_exit_code_is_the_same_when_nobody_reads_stderr() {
    let wrong_setting = {
        let mut command = oneapi(&[]);
        command.env("DRAIN_DELAY", "soon");
        command
    };
    let failed_probe = oneapi(&["probe", "http://127.0.0.1:1/"]);
    for (mut command, code) in [(wrong_setting, 2), (failed_probe, 1)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        ends_with(command.stderr(writer), code);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn threads_that_cannot_be_started_are_exit_1_and_a_sentence() {
    let mut command = Command::new("sh");
    // There are addresses for three stacks, and enough of them are left for all else: those threads
    // that run need memory too. A program that waits for ever is killed, and ends with another code.
    let line = "ulimit -v 1000000; exec timeout -s KILL 10 \"$0\"";
    command.args(["-c", line, PROGRAM]);
    command.env("RUST_MIN_STACK", "300000000");
    let output = ends_with(command.env("WORKER_THREADS", "256"), 1);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("cannot start: "), "{said}");
}

#[test]
fn running_out_of_file_descriptors_is_survived() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 40; exec \"$0\"", PROGRAM]);
    let program = Program::start(command);
    let held: Vec<_> = (0..80)
        .map(|_| TcpStream::connect(program.address).unwrap())
        .collect();
    drop(held);
    program.ask_until("/test", "ip is "); // once their places are free
    program.signal("TERM");
    let (code, events) = program.events();
    assert_eq!(code, Some(0));
    let warned = "cannot accept connections, waiting for resources";
    let warnings = events.iter().filter(|event| event["message"] == warned);
    assert_eq!(warnings.count(), 1, "it said so, once: {events:?}");
}

#[test]
fn what_waits_in_the_backlog_is_served_though_file_descriptors_run_out_in_the_last_sweep() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 40; exec \"$0\"", PROGRAM]);
    let mut program = Program::start(command);
    // Those that say nothing take all descriptors, some of them beyond MAX_CONNECTIONS. The others wait in
    // the backlog, each with its request sent.
    let connect = |_| TcpStream::connect(program.address).unwrap();
    let silent: Vec<_> = (0..40).map(connect).collect();
    let waiting: Vec<_> = (0..20).map(|_| program.ask_and_keep("/test")).collect();
    program.wait_for("cannot accept connections, waiting for resources");
    program.signal("TERM");
    program.wait_for("signal received");
    drop(silent); // descriptors are free again
    for client in waiting {
        let text = text(client);
        let is_answer = text.contains("ip is ") || text.contains("as MAX_CONNECTIONS allows");
        assert!(is_answer, "{text}");
    }
}

/// Whether an answer comes soon.
fn has_answer(client: &mut TcpStream) -> bool {
    client
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let answered = client.peek(&mut [0]).is_ok_and(|n| n == 1);
    client.set_read_timeout(None).unwrap();
    answered
}

/// By this figure `MAX_CONNECTIONS` is by default 1024 under a limit of 64 MiB: with the 128 beyond it, these
/// then take 54 MiB at most, and large answers 8 MiB.
#[cfg(target_os = "linux")]
#[test]
fn a_client_that_asks_and_reads_no_answer_takes_no_more_memory_than_there_is_for_it() {
    const CLIENTS: u64 = 100;
    let program = Program::start(oneapi(&[]));
    assert!(text(program.ask("/test")).starts_with("HTTP/1.1 200"));
    let before = program.resident_kib();
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(250));
    let asked = long.repeat(2000);
    let held: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut client = TcpStream::connect(program.address).unwrap();
            client.set_nonblocking(true).unwrap();
            let taken = client.write(asked.as_bytes()).unwrap();
            assert!(taken > 64 << 10, "{taken} bytes");
            client
        })
        .collect();
    let mut loaded = 0;
    while loaded < program.resident_kib() {
        loaded = program.resident_kib();
        std::thread::sleep(Duration::from_secs(1)); // until each of them has all that it gets
    }
    let each = (loaded - before) / CLIENTS;
    assert!((16..48).contains(&each), "{each} KiB each");
    drop(held);
}

#[cfg(target_os = "linux")]
#[test]
fn memory_that_thousands_of_connections_took_is_given_back() {
    let program = Program::start(oneapi(&[]));
    for _ in 0..20 {
        drop(program.ask("/test"));
    }
    let before = program.resident_kib();
    // Half of what the other side of a test may have open by default.
    let held: Vec<_> = (0..480).map(|_| program.ask_and_keep("/test")).collect();
    for mut client in held {
        assert!(has_answer(&mut client));
    }
    for _ in 0..5 {
        let held: Vec<_> = (0..480).map(|_| program.ask_and_keep("/test")).collect();
        drop(held);
    }
    let loaded = program.resident_kib();
    assert!(
        loaded > before,
        "{loaded} KiB with connections, {before} KiB before"
    );
    let begun = Instant::now();
    while program.resident_kib() > before * 3 / 2 {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{} KiB at rest, {before} KiB before, {loaded} KiB with connections",
            program.resident_kib()
        );
        std::thread::sleep(Duration::from_millis(200)); // it is the passing of time that is tested
    }
}
