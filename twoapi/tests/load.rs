//! `twoapi load`, the real program against servers that answer, refuse, break, hang and stall.

#![allow(missing_docs, unsafe_code)] // unsafe: to have a connection reset

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd,
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\npod: a\r\nversion: 7\r\ncontent-length: 2\r\n\r\nok";

/// A server that does with each connection what it is told to.
fn server(serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let (connection, serve) = (connection.unwrap(), serve.clone());
            thread::spawn(move || serve(connection));
        }
    });
    address
}

/// Reads up to a request's end; false when the client has closed.
fn request(connection: &mut TcpStream) -> bool {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") {
        match connection.read(&mut byte) {
            Ok(1) => seen.push(byte[0]),
            _ => return false,
        }
    }
    true
}

/// Answers each request of a connection in the same way.
fn answering(answer: &'static [u8]) -> impl Fn(TcpStream) + Send + Sync + Clone {
    move |mut connection| {
        while request(&mut connection) {
            connection.write_all(answer).unwrap();
        }
    }
}

/// Runs it to its end, which a bug mustn't put off for ever.
fn load(arguments: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_twoapi"))
        .arg("load")
        .args(arguments.split(' '))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(30) {
            child.kill().unwrap();
            panic!("it hangs");
        }
        thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// 20 requests in 200 ms.
fn short_load(address: SocketAddr, more: &str) -> (i32, Value) {
    let output = load(&format!(
        "http://{address}/ --rate 100 --for 200ms --json{more}"
    ));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let summary = text.lines().last().unwrap();
    (code(&output), serde_json::from_str(summary).unwrap())
}

#[test]
fn who_answers_is_counted_by_pod_and_version() {
    let address = server(answering(OK));
    for more in ["", " --fresh"] {
        let (code, summary) = short_load(address, more);
        assert_eq!(code, 0, "{summary}");
        assert_eq!(summary["kind"], "summary");
        assert_eq!(summary["requests"], 20, "{summary}");
        assert_eq!(summary["ok"], 20);
        assert_eq!(summary["failed"], serde_json::json!({}));
        assert_eq!(
            summary["pods"],
            serde_json::json!([{"pod": "a", "version": "7", "ok": 20}])
        );
    }
}

#[test]
fn each_failure_is_told_by_its_kind_and_none_is_tried_again() {
    // The load's first connection only looks whether somebody listens.
    let reset = |mut connection: TcpStream| {
        if request(&mut connection) {
            let linger = libc::linger {
                l_onoff: 1,
                l_linger: 0,
            };
            // SAFETY: the socket is open, and the pointer is to a linger of that size.
            let set = unsafe {
                libc::setsockopt(
                    connection.as_raw_fd(),
                    libc::SOL_SOCKET,
                    libc::SO_LINGER,
                    (&raw const linger).cast(),
                    size_of::<libc::linger>() as libc::socklen_t,
                )
            };
            assert_eq!(set, 0);
        }
    };
    let close = |mut connection: TcpStream| {
        request(&mut connection);
    };
    let half = |mut connection: TcpStream| {
        if request(&mut connection) {
            connection.write_all(&OK[..OK.len() - 1]).unwrap();
        }
    };
    let hang = |mut connection: TcpStream| while request(&mut connection) {};
    let unwell = answering(b"HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\n\r\n");
    for (address, kind) in [
        (server(reset), "reset"),
        (server(close), "closed early"),
        (server(half), "closed early"),
        (server(hang), "timed out"),
        (server(unwell), "status 503"),
    ] {
        let (code, summary) = short_load(address, " --timeout 300ms");
        assert_eq!(code, 1, "{kind}: {summary}");
        assert_eq!(
            summary["failed"],
            serde_json::json!({ kind: 20 }),
            "{summary}"
        );
    }
}

#[test]
fn a_service_that_goes_away_is_counted_as_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || drop(listener.accept()));
    let (code, summary) = short_load(address, " --fresh");
    assert_eq!(code, 1);
    let refused = summary["failed"]["refused"].as_u64().unwrap();
    assert!(refused >= 18, "{summary}");
}

#[test]
fn a_connection_that_the_service_closes_between_requests_is_no_failure() {
    // Told to, or just so: either way nothing has been sent over it yet.
    let told = |mut connection: TcpStream| {
        if request(&mut connection) {
            let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            connection.write_all(answer).unwrap();
        }
    };
    let untold = |mut connection: TcpStream| {
        if request(&mut connection) {
            connection.write_all(OK).unwrap();
        }
    };
    for address in [server(told), server(untold)] {
        // 64 connections, and 20 requests: each is used again only by the longer load.
        let (code, summary) = short_load(address, " --connections 2");
        assert_eq!((code, &summary["ok"]), (0, &20.into()), "{summary}");
    }
}

#[test]
fn a_stall_shows_in_the_latency_of_all_that_was_due_in_it() {
    let address = server(move |mut connection| {
        let mut stalled = false;
        while request(&mut connection) {
            if !stalled {
                thread::sleep(Duration::from_millis(400));
                stalled = true;
            }
            connection.write_all(OK).unwrap();
        }
    });
    // One connection, 40 requests in 400 ms, all of them due while the first one is stalled.
    let output = load(&format!(
        "http://{address}/ --rate 100 --for 400ms --connections 1 --json"
    ));
    let text = String::from_utf8(output.stdout).unwrap();
    let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let half = summary["p50_ms"].as_f64().unwrap();
    assert!(
        (150.0..350.0).contains(&half),
        "counted from when they were due: {summary}"
    );
    assert!(summary["max_ms"].as_f64().unwrap() >= 400.0, "{summary}");
}

#[test]
fn a_signal_ends_it_with_its_summary() {
    let address = server(answering(OK));
    let child = Command::new(env!("CARGO_BIN_EXE_twoapi"))
        .args(["load", &format!("http://{address}/")])
        .args(["--rate", "50", "--for", "1h"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(500));
    let id = child.id().to_string();
    assert!(Command::new("kill").arg(id).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("ok by a 7"), "{text}");
}

#[test]
fn wrong_usage_is_a_sentence_and_never_a_hang() {
    let unused = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for (arguments, exit, words) in [
        (
            "http://localhost/ --rate 0 --for 1s".to_owned(),
            2,
            "a rate is a number above 0",
        ),
        (
            "http://localhost/ --rate fast --for 1s".to_owned(),
            2,
            "a rate is a number above 0",
        ),
        (
            "http://localhost/ --rate 20000 --for 1s".to_owned(),
            2,
            "MAX_RATE",
        ),
        (
            "http://localhost/ --rate 1 --for=-1s".to_owned(),
            2,
            "a length of time is written as",
        ),
        (
            "http://localhost/ --rate 1 --for 0s".to_owned(),
            2,
            "no time at all",
        ),
        ("http://localhost/ --rate 1".to_owned(), 2, "--for"),
        (
            "localhost:5000 --rate 1 --for 1s".to_owned(),
            2,
            "a URL is written as",
        ),
        (
            "http://nowhere.invalid/ --rate 1 --for 1s".to_owned(),
            1,
            "nowhere.invalid can't be resolved",
        ),
        (
            format!("http://{unused}/ --rate 1 --for 1s"),
            1,
            "can't be reached",
        ),
    ] {
        let output = load(&arguments);
        let said = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(code(&output), exit, "{arguments}: {said}");
        assert!(said.contains(words), "{arguments}: {said}");
    }
}
