//! What serving costs: `make bench-serve`. `/test` per second beside a bare hyper server, both in
//! turn on the same core in the same run; resident memory, idle and after load; and the time from
//! exec to the first answer. It needs `wrk`, which makes the load from another core.
//!
//! `ONEAPI` names another oneapi to measure, such as one from an image; `SECONDS` how long the
//! load before the second look at the memory takes (30).

#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

use std::{
    convert::Infallible,
    env, fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use http_body_util::Full;
use hyper::{Response, body::Bytes, service::service_fn};
use hyper_util::rt::TokioIo;

const CONNECTIONS: &str = "64";
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    if let Some(at) = arguments.iter().position(|word| word == "--bare") {
        return bare(arguments[at + 1].parse().unwrap());
    }
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    if !Path::new("/proc/self/status").exists() || cpus < 2 {
        eprintln!("bench-serve needs Linux, and two CPUs: one for the server, one for the load.");
        return ExitCode::FAILURE;
    }
    if Command::new("wrk").arg("--version").output().is_err() {
        eprintln!(
            "bench-serve needs wrk: https://github.com/wg/wrk has it, and most systems' packages."
        );
        return ExitCode::FAILURE;
    }
    let oneapi = env::var_os("ONEAPI").map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_oneapi")),
        PathBuf::from,
    );
    let size = fs::metadata(&oneapi).unwrap().len() as f64 / 1e6;
    println!("{} ({size:.2} MB)\n", oneapi.display());

    let mut first = starts(&oneapi);
    println!(
        "exec to the first 200: median {:.2} ms, slowest {:.2} ms of {}",
        median(&mut first),
        first[first.len() - 1],
        first.len()
    );

    let itself = env::current_exe().unwrap();
    let (mut ours, mut bares, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let bare = load(&Server::start(&itself, true), 4);
        let our = load(&Server::start(&oneapi, false), 4);
        ours.push(our);
        bares.push(bare);
        ratios.push(our / bare);
    }
    println!(
        "/test per second on one core, {CONNECTIONS} connections, median of {ROUNDS} rounds in turn:\n  \
         oneapi {:.0}, bare hyper {:.0}, ratio {:.2}",
        median(&mut ours),
        median(&mut bares),
        median(&mut ratios)
    );

    let seconds = env::var("SECONDS").map_or(30, |seconds| seconds.parse().unwrap());
    let server = Server::start(&oneapi, false);
    thread::sleep(Duration::from_millis(500));
    let idle = server.resident();
    load(&server, seconds);
    println!(
        "resident: {idle:.1} MB idle, {:.1} MB after {seconds} s of load",
        server.resident()
    );
    ExitCode::SUCCESS
}

/// As little as a hyper server can be, on the runtime that oneapi has: every answer is the same.
fn bare(port: u16) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
            .await
            .unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(async move {
                let answer = async |_| {
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(
                        b"ip is 192.0.2.2",
                    ))))
                };
                let http = hyper::server::conn::http1::Builder::new();
                http.serve_connection(TokioIo::new(stream), service_fn(answer))
                    .await
            });
        }
    })
}

/// From exec to the first 200, in milliseconds.
fn starts(program: &Path) -> Vec<f64> {
    (0..20)
        .map(|_| {
            let start = Instant::now();
            let server = Server::spawn(Command::new(program), false);
            while !server.answers() {}
            start.elapsed().as_secs_f64() * 1000.0
        })
        .collect()
}

/// Requests per second.
fn load(server: &Server, seconds: u32) -> f64 {
    let output = Command::new("taskset")
        .args([
            "-c",
            "1",
            "wrk",
            "-t1",
            "-c",
            CONNECTIONS,
            "-d",
            &seconds.to_string(),
        ])
        .arg(format!("http://127.0.0.1:{}/test", server.port))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        !text.contains("Non-2xx") && !text.contains("Socket errors"),
        "{text}"
    );
    let line = text
        .lines()
        .find(|line| line.starts_with("Requests/sec:"))
        .unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    fn start(program: &Path, bare: bool) -> Self {
        // On core 0: the load has the other one.
        let mut pinned = Command::new("taskset");
        pinned.args(["-c", "0"]).arg(program);
        let server = Self::spawn(pinned, bare);
        while !server.answers() {
            thread::sleep(Duration::from_millis(5));
        }
        server
    }

    fn spawn(mut command: Command, bare: bool) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        if bare {
            command.args(["--bare", &port.to_string()]);
        } else {
            command.args(["--listen", &format!("127.0.0.1:{port}")]);
        }
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        Self { child, port }
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        stream
            .write_all(b"GET /test HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        drop(stream.read_to_string(&mut answer));
        answer.starts_with("HTTP/1.1 200")
    }

    /// In megabytes.
    fn resident(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<f64>()
            .unwrap()
            / 1000.0
    }
}

fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
