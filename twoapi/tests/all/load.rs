//! The real program's `load`, against servers that answer, refuse, stall, break off and hang, each
//! failure counted by its kind; and the arguments that it refuses.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_twoapi");

/// What a server does with request number `n`, the first being 0, on connection number `c`.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Answers, and keeps the connection.
    Answer(&'static str),
    /// Answers, and closes.
    Last(&'static str),
    /// Answers, and closes after this time.
    CloseLate(Duration, &'static str),
    /// Closes with a reset.
    Reset,
    /// Answers after this time.
    Stall(Duration, &'static str),
    Hang,
}

const YES: &str = "HTTP/1.1 200 OK\r\npod: a\r\nversion: 1.0\r\ncontent-length: 2\r\n\r\nok";
const NO: &str = "HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno";
const OOPS: &str = "HTTP/1.1 500 Oops\r\ncontent-length: 2\r\n\r\nno";
const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nok";
const BYE: &str =
    "HTTP/1.1 200 OK\r\npod: a\r\nversion: 1.0\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";

/// A server that does as it is told, and counts what it saw.
#[derive(Clone, Debug)]
struct Server {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    /// Connections over which at least one request came.
    connections: Arc<AtomicUsize>,
    /// When each of them was opened.
    opened: Arc<Mutex<Vec<Instant>>>,
    /// How many of them said `connection: close`.
    said_close: Arc<AtomicUsize>,
    /// How many of those that it closes late the client was the first to close.
    left: Arc<AtomicUsize>,
}

impl Server {
    async fn start(act: fn(usize) -> Act) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            requests: Arc::default(),
            connections: Arc::default(),
            opened: Arc::default(),
            said_close: Arc::default(),
            left: Arc::default(),
        };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = serving.clone();
                tokio::spawn(async move { server.serve(stream, act).await });
            }
        });
        server
    }

    async fn serve(&self, mut stream: TcpStream, act: fn(usize) -> Act) {
        let mut request = [0; 1024];
        for turn in 0.. {
            // Requests are small enough to come in one piece.
            let read = stream.read(&mut request).await.unwrap_or(0);
            if read == 0 {
                return;
            }
            if turn == 0 {
                self.connections.fetch_add(1, Ordering::SeqCst);
                self.opened.lock().unwrap().push(Instant::now());
            }
            if String::from_utf8_lossy(&request[..read]).contains("connection: close") {
                self.said_close.fetch_add(1, Ordering::SeqCst);
            }
            match act(self.requests.fetch_add(1, Ordering::SeqCst)) {
                Act::Answer(says) => stream.write_all(says.as_bytes()).await.unwrap(),
                Act::Last(says) => {
                    stream.write_all(says.as_bytes()).await.unwrap();
                    stream.shutdown().await.unwrap();
                    return;
                }
                Act::CloseLate(time, says) => {
                    stream.write_all(says.as_bytes()).await.unwrap();
                    let left = timeout(time, stream.read(&mut request)).await.is_ok();
                    self.left.fetch_add(usize::from(left), Ordering::SeqCst);
                    return;
                }
                Act::Reset => {
                    socket2::SockRef::from(&stream)
                        .set_linger(Some(Duration::ZERO))
                        .unwrap();
                    return;
                }
                Act::Stall(time, says) => {
                    sleep(time).await;
                    stream.write_all(says.as_bytes()).await.unwrap();
                }
                Act::Hang => std::future::pending().await,
            }
        }
    }

    /// Waits until it has read so many requests, and no more.
    async fn has_seen(&self, requests: u64) {
        let seen = async {
            while self.seen().0 as u64 != requests {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = timeout(Duration::from_secs(10), seen).await.is_ok();
        assert!(in_time, "{requests}, not {}", self.seen().0);
    }

    fn seen(&self) -> (usize, usize) {
        let seen = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        (seen(&self.requests), seen(&self.connections))
    }
}

fn twoapi(line: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(line.split_whitespace()).stdin(Stdio::null());
    command
}

async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// What a load printed with `--json`.
#[derive(Debug)]
struct LoadOutput {
    code: Option<i32>,
    seconds: Vec<Value>,
    summary: Value,
}

impl LoadOutput {
    fn of(output: &Output) -> Self {
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let line = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line} is JSON"));
        let mut seconds: Vec<Value> = text.lines().map(line).collect();
        let summary = seconds.pop().unwrap_or_else(|| panic!("{output:?}"));
        assert_eq!(summary["kind"], "summary", "the last line: {text}");
        assert!(seconds.iter().all(|it| it["kind"] == "second"), "{text}");
        Self {
            code: output.status.code(),
            seconds,
            summary,
        }
    }

    fn failed(&self) -> BTreeMap<&str, u64> {
        self.counted("failed")
    }

    fn not_sent(&self) -> BTreeMap<&str, u64> {
        self.counted("not_sent")
    }

    fn counted(&self, name: &str) -> BTreeMap<&str, u64> {
        let counts = self.summary[name].as_object().unwrap().iter();
        counts
            .map(|(k, n)| (k.as_str(), n.as_u64().unwrap()))
            .collect()
    }

    /// Exit code, requests, ok.
    fn counts(&self) -> (i32, u64, u64) {
        let count = |name: &str| self.summary[name].as_u64().unwrap();
        (self.code.unwrap(), count("requests"), count("ok"))
    }
}

async fn load(address: SocketAddr, line: &str) -> LoadOutput {
    let command = twoapi(&format!("load http://{address}/test --json {line}"));
    LoadOutput::of(&output(command).await)
}

/// The same after this `ulimit`.
async fn load_under(limit: &str, address: SocketAddr, line: &str) -> Output {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!(
        "ulimit {limit}; exec {PROGRAM} load http://{address}/test --json {line}"
    ));
    shell.stdin(Stdio::null());
    output(shell).await
}

#[tokio::test]
async fn nothing_failed_is_exit_0_and_who_answered_is_told() {
    let server = Server::start(|_| Act::Answer(YES)).await;
    let told = load(server.address, "--rate 50 --for 2s").await;
    assert_eq!(told.counts(), (0, 100, 100), "{told:#?}");
    let pods = serde_json::json!([{ "pod": "a", "version": "1.0", "ok": 100 }]);
    assert_eq!(told.summary["pods"], pods);
    let rate = told.summary["rate"].as_f64().unwrap();
    assert!((45.0..=51.0).contains(&rate), "50 a second, not {rate}");
    assert_eq!(told.seconds[0]["second"], 1);
    let sum = |seconds: &[Value]| -> u64 {
        let requests = seconds.iter().map(|it| it["requests"].as_u64().unwrap());
        requests.sum()
    };
    assert_eq!(sum(&told.seconds), 100, "the seconds' sum: {told:#?}");
    assert!(sum(&told.seconds[..1]) >= 45, "a line a second: {told:#?}");
    assert_eq!(server.seen().0, 100, "each was sent once");
}

#[tokio::test]
async fn a_slow_rate_is_told_as_it_was_and_no_second_is_left_out() {
    let server = Server::start(|_| Act::Answer(YES)).await;
    let told = load(server.address, "--rate 1 --for 3s").await;
    assert_eq!(told.counts(), (0, 3, 3), "{told:#?}");
    let rate = told.summary["rate"].as_f64().unwrap();
    assert!((0.9..=1.0).contains(&rate), "1 a second, not {rate}");
    let seconds: Vec<_> = told.seconds.iter().map(|it| &it["second"]).collect();
    assert_eq!(seconds, [1, 2, 3], "{told:#?}");
}

#[tokio::test]
async fn connections_are_kept_up_to_as_many_as_were_asked_for() {
    let server = Server::start(|_| Act::Answer(YES)).await;
    let told = load(server.address, "--rate 50 --for 1s --connections 3").await;
    assert_eq!(told.counts(), (0, 50, 50), "{told:#?}");
    assert_eq!(server.seen(), (50, 3));
}

#[tokio::test]
async fn a_kept_connection_is_renewed_after_its_life() {
    let server = Server::start(|_| Act::Answer(YES)).await;
    let line = "--rate 100 --for 2s --connections 1 --connection-life 200ms";
    let told = load(server.address, line).await;
    assert_eq!(
        told.counts(),
        (0, 200, 200),
        "no request is lost: {told:#?}"
    );
    let (requests, connections) = server.seen();
    assert_eq!(requests, 200, "each was sent once");
    // Each lives for 160 to 200 ms, and up to 10 ms more until the next request is due.
    assert!((9..=13).contains(&connections), "{connections} in 2 s");
}

#[tokio::test]
async fn connections_that_were_opened_together_are_not_renewed_together() {
    let server = Server::start(|_| Act::Answer(YES)).await;
    let line = "--rate 500 --for 2700ms --connections 50 --connection-life 2s";
    let told = load(server.address, line).await;
    assert_eq!(told.counts().0, 0, "{told:#?}");
    let opened = server.opened.lock().unwrap();
    assert_eq!(opened.len(), 100, "each was renewed once");
    // The first 50 within 100 ms; the others, with lives of 1.6 to 2 s, within some 500 ms.
    let renewed = opened[99] - opened[50];
    assert!(renewed > Duration::from_millis(280), "within {renewed:?}");
}

#[tokio::test]
async fn fresh_connections_are_the_services_to_close() {
    let server = Server::start(|_| Act::CloseLate(Duration::from_millis(200), BYE)).await;
    let told = load(server.address, "--rate 100 --for 1s --fresh").await;
    assert_eq!(told.counts(), (0, 100, 100), "{told:#?}");
    assert_eq!(server.seen(), (100, 100));
    let seen = |count: &AtomicUsize| count.load(Ordering::SeqCst);
    assert_eq!(seen(&server.said_close), 100, "each was asked to be closed");
    let early = seen(&server.left);
    // Those of the last 200 ms, when the program has ended.
    assert!(early <= 25, "the client was the first to close {early}");
    let p50 = told.summary["p50_ms"].as_f64().unwrap();
    assert!(
        p50 < 100.0,
        "the closing is no part of the latency: {p50} ms"
    );
}

#[tokio::test]
async fn each_failure_is_counted_by_its_kind() {
    for (act, kind) in [
        ((|_| Act::Answer(NO)) as fn(usize) -> Act, "status 503"),
        (|_| Act::Answer(OOPS), "status 500"),
        (|_| Act::Reset, "reset"),
        (|_| Act::Last(""), "closed early"),
        (|_| Act::Last(HALF), "closed early"),
        (|_| Act::Last("SSH-2.0-hello\r\n\r\n"), "malformed"),
        (|_| Act::Hang, "timed out"),
    ] {
        for fresh in ["", "--fresh"] {
            let server = Server::start(act).await;
            let line = format!("--rate 20 --for 500ms --timeout 1s {fresh}");
            let told = load(server.address, &line).await;
            assert_eq!(told.counts(), (1, 10, 0), "{kind} {fresh}: {told:#?}");
            assert_eq!(told.failed(), [(kind, 10)].into(), "{fresh}: {told:#?}");
            assert_eq!(server.seen().0, 10, "{kind} {fresh}: none is tried twice");
        }
    }
}

#[tokio::test]
async fn each_kind_is_counted_by_itself() {
    let server = Server::start(|n| match n % 10 {
        0 | 1 => Act::Answer(NO),
        2 => Act::Reset,
        3 => Act::Last(HALF),
        _ => Act::Answer(YES),
    })
    .await;
    let told = load(server.address, "--rate 100 --for 1s").await;
    assert_eq!(told.counts(), (1, 100, 60), "{told:#?}");
    assert_eq!(
        told.failed(),
        [("status 503", 20), ("reset", 10), ("closed early", 10)].into()
    );
}

#[tokio::test]
async fn a_service_that_goes_away_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        // The look at the start, and ten requests.
        for _ in 0..11 {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                if stream.read(&mut [0; 1024]).await.unwrap_or(0) > 0 {
                    stream.write_all(BYE.as_bytes()).await.unwrap();
                }
            });
        }
    });
    let told = load(address, "--rate 20 --for 1s --fresh").await;
    assert_eq!(told.counts(), (1, 20, 10), "{told:#?}");
    assert_eq!(told.failed(), [("refused", 10)].into());
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_not_used_again() {
    // By announcement, and silently between two requests.
    for act in [(|_| Act::Last(BYE)) as fn(usize) -> Act, |_| Act::Last(YES)] {
        let server = Server::start(act).await;
        // Far enough apart that the closing has always arrived before the next request is due.
        let told = load(server.address, "--rate 20 --for 2s --connections 1").await;
        assert_eq!(told.counts(), (0, 40, 40), "{told:#?}");
        assert_eq!(server.seen(), (40, 40), "each on a connection of its own");
    }
}

#[tokio::test]
async fn a_stall_is_seen_by_all_who_would_have_asked_meanwhile() {
    // One connection, stalled once for half a second: 100 requests a second were due, 50 waited.
    let stalls = |n| match n {
        20 => Act::Stall(Duration::from_millis(500), YES),
        _ => Act::Answer(YES),
    };
    let server = Server::start(stalls).await;
    let told = load(server.address, "--rate 100 --for 1s --connections 1").await;
    assert_eq!(told.counts(), (0, 100, 100), "{told:#?}");
    let millis = |name: &str| told.summary[name].as_f64().unwrap();
    assert!(millis("max_ms") >= 500.0, "{told:#?}");
    assert!(
        millis("p90_ms") >= 390.0,
        "a tenth was due in the first 100 ms: {told:#?}"
    );
    // 51 of 100 were due in that time: the median is one of the last.
    assert!(millis("p50_ms") < 200.0, "{told:#?}");
}

#[tokio::test]
async fn requests_that_no_connection_was_free_for_are_told_apart() {
    let server = Server::start(|_| Act::Hang).await;
    let started = Instant::now();
    let told = load(
        server.address,
        "--rate 2000 --for 1s --connections 1 --timeout 500ms",
    )
    .await;
    let (code, sent, ok) = told.counts();
    assert_eq!((code, ok), (1, 0), "{told:#?}");
    server.has_seen(sent).await;
    assert_eq!(told.failed(), [("timed out", sent)].into(), "{told:#?}");
    let not_sent = [("connections busy", 2000 - sent)].into();
    assert_eq!(told.not_sent(), not_sent, "{told:#?}");
    let by_second = told.seconds.iter().map(|it| &it["not_sent"]);
    let by_second: u64 = by_second
        .filter_map(|it| it["connections busy"].as_u64())
        .sum();
    assert_eq!(by_second, 2000 - sent, "{told:#?}");
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "all is over a timeout after the last was due"
    );
}

#[tokio::test]
async fn what_is_said_per_second_is_what_was_sent_beside_what_was_asked_for() {
    let server = Server::start(|_| Act::Stall(Duration::from_millis(250), YES)).await;
    // Four a second can be answered, and what is sent has a second left to be.
    let line = "--rate 1000 --for 2s --connections 1 --timeout 2s";
    let told = load(server.address, line).await;
    let number = |name: &str| told.summary[name].as_f64().unwrap();
    let (_, sent, _) = told.counts();
    assert_eq!(
        told.counts(),
        (1, sent, sent),
        "all are answered: {told:#?}"
    );
    assert!((4..=12).contains(&sent), "{told:#?}");
    server.has_seen(sent).await;
    assert_eq!(told.not_sent()["connections busy"], 2000 - sent);
    let off = number("rate") - sent as f64 / number("seconds");
    assert!(off.abs() < 0.01, "{told:#?}");
    assert_eq!(number("asked_rate"), 1000.0, "{told:#?}");

    let command = twoapi(&format!("load http://{}/test {line}", server.address));
    let text = String::from_utf8(output(command).await.stdout).unwrap();
    let row = text
        .lines()
        .find(|it| it.starts_with("per second, of 1000.0 asked for "));
    let said: f64 = row.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(said < 5.0, "{text}");
}

#[tokio::test]
async fn a_second_without_an_answer_has_no_latency() {
    let server = Server::start(|_| Act::Stall(Duration::from_millis(1500), YES)).await;
    let told = load(server.address, "--rate 1 --for 1s").await;
    assert_eq!(told.seconds[0]["p99_ms"], Value::Null, "{told:#?}");
    assert!(told.seconds[1]["p99_ms"].as_f64().unwrap() > 1400.0);
}

#[tokio::test]
async fn a_connection_takes_one_descriptor() {
    for life in ["", "--connection-life 300ms"] {
        let server = Server::start(|_| Act::Answer(YES)).await;
        let line = format!("--rate 1000 --for 1s --connections 128 {life} --timeout 1m");
        let told = LoadOutput::of(&load_under("-n 160", server.address, &line).await);
        assert_eq!(told.counts(), (0, 1000, 1000), "{life}: {told:#?}");
        assert!(server.seen().1 >= 128, "{life}: all of them were used");
    }
    // Each request that is given up leaves a connection behind, and all are given up together.
    let server = Server::start(|_| Act::Hang).await;
    let line = "--rate 1000 --for 1s --connections 128 --timeout 300ms";
    let told = LoadOutput::of(&load_under("-n 160", server.address, line).await);
    let kinds: Vec<_> = told.failed().into_keys().collect();
    assert_eq!(kinds, ["timed out"], "{told:#?}");
    let kinds: Vec<_> = told.not_sent().into_keys().collect();
    assert_eq!(kinds, ["connections busy"], "{told:#?}");
}

#[tokio::test]
async fn the_limit_of_descriptors_is_raised_as_far_as_it_may_be() {
    let server = Server::start(|_| Act::Answer(YES)).await;
    let line = "--rate 500 --for 1s --connections 100 --timeout 1m";
    let told = LoadOutput::of(&load_under("-Sn 64", server.address, line).await);
    assert_eq!(told.counts(), (0, 500, 500), "{told:#?}");
}

#[tokio::test]
async fn connections_that_can_not_be_had_are_refused_with_the_number_that_can() {
    let server = Server::start(|_| Act::Answer(YES)).await;
    let refused = load_under("-n 64", server.address, "--rate 500 --for 1s").await;
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    let expected =
        "--connections 64 can't be had: with at most 64 open files (ulimit -n) there can be ";
    let number: usize = said.trim().strip_prefix(expected).unwrap().parse().unwrap();
    assert!((30..64).contains(&number), "{said}");
    assert_eq!(server.seen(), (0, 0), "before anything was sent");

    let line = format!("--rate 500 --for 1s --connections {number} --timeout 1m");
    let told = LoadOutput::of(&load_under("-n 64", server.address, &line).await);
    assert_eq!(told.counts(), (0, 500, 500), "{told:#?}");
    assert_eq!(server.seen(), (500, number), "so many there were");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_this_side_lacked_descriptors_for_is_no_failure_of_the_service() {
    use rustix::process::{Resource, Rlimit, prlimit};

    let server = Server::start(|_| Act::Last(BYE)).await;
    let line = "--json --rate 100 --for 2s --fresh --timeout 1m";
    let mut command = twoapi(&format!("load http://{}/test {line}", server.address));
    command.stdout(Stdio::piped());
    let child = command.spawn().unwrap();
    let begun = async {
        while server.seen().0 < 10 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(60), begun)
        .await
        .expect("it sends");
    let none_left = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    prlimit(Some(Pid::from_child(&child)), Resource::Nofile, none_left).unwrap();
    let ended = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap());
    let told = LoadOutput::of(&ended.await.unwrap());
    let sent = server.seen().0 as u64;
    assert_eq!(told.counts(), (1, sent, sent), "{told:#?}");
    assert!(told.failed().is_empty(), "{told:#?}");
    let not_sent = [("no descriptors left", 200 - sent)].into();
    assert_eq!(told.not_sent(), not_sent, "{told:#?}");
}

#[tokio::test]
async fn host_changes_the_header_and_nothing_else() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heads = tokio::spawn(async move {
        let mut heads = Vec::new();
        while heads.len() < 2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 1024];
            let read = stream.read(&mut head).await.unwrap();
            if read > 0 {
                heads.push(String::from_utf8(head[..read].to_vec()).unwrap());
                stream.write_all(BYE.as_bytes()).await.unwrap();
            }
        }
        heads
    });
    for host in ["", "--host shop.example.com:8080"] {
        let line = format!("--rate 1 --for 100ms {host}");
        assert_eq!(load(address, &line).await.counts(), (0, 1, 1), "{host}");
    }
    let heads = heads.await.unwrap();
    assert!(heads[0].contains(&format!("\r\nhost: {address}\r\n")));
    let other = heads[0].replace(&address.to_string(), "shop.example.com:8080");
    assert_eq!(heads[1], other);
}

#[tokio::test]
async fn it_ends_when_nobody_reads_any_more() {
    let server = Server::start(|_| Act::Answer(YES)).await;
    let line = format!("load http://{}/ --rate 10 --for 9s --json", server.address);
    let mut command = twoapi(&line);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let ended = tokio::task::spawn_blocking(move || {
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.next().unwrap().unwrap().contains("second"));
        drop(lines);
        child.wait_with_output().unwrap()
    });
    let ended = timeout(Duration::from_secs(5), ended).await;
    let ended = ended.expect("with the next line").unwrap();
    assert_eq!(ended.status.code(), Some(141), "128 and SIGPIPE's number");
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "");
}

#[tokio::test]
async fn help_that_can_not_be_written_is_no_success() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = twoapi("load --help");
    command.stdout(writer);
    let Output { status, stderr, .. } = output(command).await;
    assert_eq!((status.code(), stderr), (Some(141), Vec::new()));
    #[cfg(target_os = "linux")]
    {
        let mut command = twoapi("--help");
        command.stdout(
            std::fs::File::options()
                .write(true)
                .open("/dev/full")
                .unwrap(),
        );
        let Output { status, stderr, .. } = output(command).await;
        let said = String::from_utf8(stderr).unwrap();
        assert!(
            said.starts_with("cannot write to standard output: "),
            "{said}"
        );
        assert_eq!(status.code(), Some(1));
    }
}

#[tokio::test]
async fn a_signal_ends_it_with_its_summary() {
    for signal in [Signal::TERM, Signal::INT] {
        let server = Server::start(|_| Act::Stall(Duration::from_millis(200), YES)).await;
        let address = server.address;
        let mut command = twoapi(&format!("load http://{address}/ --rate 50 --for 1h --json"));
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        while server.seen().0 < 20 {
            sleep(Duration::from_millis(5)).await;
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
        let told = LoadOutput::of(&output.await.unwrap());
        let sent = server.seen().0 as u64;
        assert_eq!(told.counts(), (0, sent, sent), "{signal:?}: also in flight");
    }
}

#[tokio::test]
async fn a_second_signal_does_not_wait_and_is_no_success() {
    let server = Server::start(|_| Act::Hang).await;
    let address = server.address;
    let line = format!("load http://{address}/ --rate 5 --for 1h --timeout 1h --json");
    let child = twoapi(&line).stdout(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    let interrupt = || kill_process(pid, Signal::INT);
    while server.seen().0 < 2 {
        sleep(Duration::from_millis(5)).await;
    }
    interrupt().unwrap();
    // Both arrive, however close together: the first one ends the pace, which takes a moment.
    sleep(Duration::from_millis(200)).await;
    interrupt().unwrap();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let told = LoadOutput::of(&output.await.unwrap());
    let sent = server.seen().0 as u64;
    assert_eq!(told.counts(), (130, sent, 0), "none has been answered");
    assert_eq!(told.failed(), [("cut off", sent)].into());
    assert_eq!(told.not_sent(), [].into());
}

#[tokio::test]
async fn at_a_second_signal_each_request_that_was_due_is_counted() {
    let server = Server::start(|_| Act::Hang).await;
    let address = server.address;
    let line =
        format!("load http://{address}/ --rate 50 --for 1h --timeout 1h --connections 2 --json");
    let child = twoapi(&line).stdout(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    let began = Instant::now();
    while server.seen().0 < 2 {
        sleep(Duration::from_millis(5)).await;
    }
    sleep(Duration::from_secs(1)).await;
    kill_process(pid, Signal::INT).unwrap();
    let due = 50 * (began.elapsed().as_secs() + 1);
    sleep(Duration::from_millis(200)).await;
    kill_process(pid, Signal::INT).unwrap();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let told = LoadOutput::of(&output.await.unwrap());
    assert_eq!(
        told.failed(),
        [("cut off", 2)].into(),
        "as many as there are connections"
    );
    let busy = told.not_sent()["connections busy"];
    assert!((48..=due).contains(&busy), "{busy} of {due}");
}

#[tokio::test]
async fn without_json_it_is_for_people() {
    let server = Server::start(|n| Act::Answer(if n == 0 { NO } else { YES })).await;
    let address = server.address;
    let output = output(twoapi(&format!(
        "load http://{address}/ --rate 10 --for 1s"
    )))
    .await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("   1 s "), "{text}");
    let words: Vec<&str> = text.split_whitespace().collect();
    for row in [
        &["ok", "9"][..],
        &["a", "1.0", "9", "ok"],
        &["failed", "1"],
        &["status", "503", "1", "failed"],
    ] {
        assert!(
            words.windows(row.len()).any(|it| it == row),
            "{row:?}: {text}"
        );
    }
    assert_eq!(output.status.code(), Some(1));
}

#[tokio::test]
async fn invalid_arguments_are_refused_with_a_sentence() {
    // A port that is known to be free, since it was ours a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    let nobody = format!("http://{nobody}/ --rate 1 --for 1s");
    for (line, code, sentence) in [
        ("http://x/ --rate 0 --for 1s", 2, "--rate can't be '0'"),
        ("http://x/ --rate -1 --for 1s", 2, "--rate can't be '-1'"),
        (
            "http://x/ --rate x --for 1s",
            2,
            "it must be a number of requests per second from 0.001 to 1000000",
        ),
        (
            "http://x/ --rate inf --for 1s",
            2,
            "it must be a number of requests per second from 0.001 to 1000000",
        ),
        ("http://x/ --rate 1 --for -5s", 2, "--for can't be '-5s'"),
        (
            "http://x/ --rate 1 --for 0s",
            2,
            "it must be longer than 0s",
        ),
        ("http://x/ --rate 1 --for 5", 2, "is written as 1m30s"),
        ("http://x/ --rate 1", 2, "--for <TIME>"),
        ("--rate 1 --for 1s", 2, "<URL>"),
        ("https://x/ --rate 1 --for 1s", 2, "http://host:port/path"),
        ("x --rate 1 --for 1s", 2, "http://host:port/path"),
        ("http://x/ --rate 10001 --for 1s", 2, "more than MAX_RATE"),
        (
            "http://x/ --rate 1 --for 1s --connections 0",
            2,
            "--connections can't be '0': it is a whole number from 1 to 4096",
        ),
        (
            "http://x/ --rate 1e-300 --for 1s",
            2,
            "it must be a number of requests per second from 0.001 to 1000000",
        ),
        (
            "http://x/ --rate 0.0001 --for 1000000h",
            2,
            "--for can't be '1000000h': it must be at most a year",
        ),
        (
            "http://x/ --rate 1 --for 18446744073709551615s",
            2,
            "it must be at most a year",
        ),
        (
            "http://x/ --rate 1 --for 1s --timeout 18446744073709551615s",
            2,
            "--timeout can't be '18446744073709551615s': it must be at most a year",
        ),
        (
            "http://x/ --rate 1 --for 1s --timeout 0s",
            2,
            "--timeout can't be '0s': it must be from 1ms to 24h",
        ),
        (
            "http://x/ --rate 1 --for 1s --connection-life 0s",
            2,
            "it must be longer than 0s",
        ),
        (
            "http://x/ --rate 1 --for 1s --connection-life 1s --fresh",
            2,
            "cannot be used with '--fresh'",
        ),
        (
            "http://x/ --rate 1 --for 1s --max-rate 1e300",
            2,
            "MAX_RATE (or --max-rate) can't be '1e300'",
        ),
        (
            "http://x/ --rate 1 --for 1s --host http://y/",
            2,
            "--host can't be 'http://y/': it is a name, such as shop.example.com",
        ),
        ("http://x/ --rate 1 --for 1s --loud", 2, "--loud"),
        (
            "http://nobody.invalid/ --rate 1 --for 1s",
            1,
            "the name nobody.invalid can't be resolved",
        ),
        (&nobody, 1, "can't be reached"),
    ] {
        let output = output(twoapi(&format!("load {line}"))).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}: {said}");
        assert!(said.contains(sentence), "{line}: {said}");
        assert!(output.stdout.is_empty(), "{line}");
    }
}

#[tokio::test]
async fn the_exit_code_is_the_same_when_nobody_reads_stderr() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = twoapi("load http://nobody.invalid/ --rate 1 --for 1s");
    command.stderr(writer);
    assert_eq!(output(command).await.status.code(), Some(1));
}

#[tokio::test]
async fn the_highest_rate_is_a_setting() {
    let server = Server::start(|_| Act::Answer(YES)).await;
    let mut command = twoapi(&format!(
        "load http://{}/ --rate 11 --for 100ms",
        server.address
    ));
    command.env("MAX_RATE", "10");
    assert_eq!(output(command).await.status.code(), Some(2));
}
