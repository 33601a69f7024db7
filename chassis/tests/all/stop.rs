//! The stop sequence over real sockets: what each kind of client sees of it, and how long it takes.

use std::{
    io::{ErrorKind, Read, Write},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{body::Body, response::Response, routing::get};
use chassis::{
    Chassis,
    config::{Build, defaults},
    http::Routes,
    lifecycle::{Life, Signal, Signals},
    server,
};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, mpsc::UnboundedSender},
    task::JoinHandle,
    time::timeout,
};

/// Long enough to never be waited for when all is well.
const LONG: Duration = Duration::from_secs(20);
/// What nobody should have to wait for: well below any delay set here, well above scheduling.
const SOON: Duration = Duration::from_millis(300);
const DRAIN: Duration = Duration::from_millis(400);

const BUILD: Build = Build::new("service", "1.0", None, None);

/// A real server on a port of its own.
struct Server {
    address: std::net::SocketAddr,
    signal: UnboundedSender<Signal>,
    life: Life,
    ended: JoinHandle<ExitCode>,
    /// Lets `/slow` answer.
    go: Arc<Notify>,
    /// `/slow` has begun.
    begun: Arc<Notify>,
}

async fn start(drain_delay: Duration, stop_timeout: Duration) -> Server {
    let mut settings: chassis::Settings = defaults();
    settings.lifecycle.drain_delay = drain_delay;
    settings.lifecycle.stop_timeout = stop_timeout;
    let chassis = Chassis::new(BUILD, settings);
    let (go, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (go, begun) = (go.clone(), begun.clone());
        async move || {
            begun.notify_one();
            go.notified().await;
            "done"
        }
    };
    let big = async || Response::new(Body::from(vec![b'x'; BIG]));
    let routes = Routes::new()
        .add("/slow", get(slow))
        .add("/fast", get(async || "fast"))
        .add("/big", get(big));
    let listener = server::bind("[::]:0".parse().unwrap()).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (signal, signals) = Signals::manual();
    let life = chassis.life.clone();
    let ended = tokio::spawn(chassis.serve(routes, listener, signals));
    Server {
        address: ([127, 0, 0, 1], port).into(),
        signal,
        life,
        ended,
        go,
        begun,
    }
}

/// More than the sockets' buffers hold, so that it is not written at one go.
const BIG: usize = 16 << 20;

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address)
            .await
            .expect("the listener is open")
    }

    /// Signals, and waits until the service knows.
    async fn terminate(&self) -> Instant {
        self.signal.send(Signal::Terminate).unwrap();
        self.life.stop_requested().await.at
    }

    async fn ended(self) -> ExitCode {
        timeout(LONG, self.ended)
            .await
            .expect("it ends")
            .expect("it does not panic")
    }
}

async fn send(stream: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
}

/// One answer: its head and body, as text.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    loop {
        let mut byte = [0];
        assert_eq!(
            stream.read(&mut byte).await.unwrap(),
            1,
            "cut off after {text:?}"
        );
        text.push(byte[0]);
        if text.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let head = String::from_utf8(text).unwrap().to_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap();
    let length = length.split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    head + &String::from_utf8(body).unwrap()
}

async fn ask(stream: &mut TcpStream, path: &str) -> String {
    send(stream, path).await;
    answer(stream).await
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(
        timeout(LONG, stream.read(&mut [0; 1]))
            .await
            .expect("closed in time"),
        Ok(0)
    )
}

fn assert_exit(code: ExitCode, expected: u8) {
    // `ExitCode` can't be compared, but shows itself.
    assert_eq!(
        format!("{code:?}"),
        format!("{:?}", ExitCode::from(expected))
    );
}

#[tokio::test]
async fn answers_after_the_signal_tell_how_long_ago_it_was() {
    let server = start(DRAIN, LONG).await;
    let mut stream = server.connect().await;
    let before = ask(&mut stream, "/fast").await;
    assert!(!before.contains("\r\nstopping:"), "{before}");
    let info = ask(&mut stream, "/info").await;
    assert!(info.contains(r#""stop":null"#), "{info}");

    server.terminate().await;
    let after = ask(&mut server.connect().await, "/fast").await;
    let (_, since) = after
        .split_once("\r\nstopping: ")
        .expect("the header is there");
    let (millis, _) = since.split_once("ms\r\n").expect("in milliseconds");
    assert!(millis.parse::<u64>().is_ok(), "{after}");
    let info = ask(&mut server.connect().await, "/info").await;
    for field in ["since_signal_seconds", "drain_seconds", "deadline_seconds"] {
        assert!(info.contains(field), "{info}");
    }
    drop(stream);
    assert_exit(server.ended().await, 0);
}

#[tokio::test]
async fn with_nothing_in_flight_it_ends_at_once() {
    let server = start(Duration::ZERO, LONG).await;
    let at = server.terminate().await;
    assert_exit(server.ended().await, 0);
    assert!(at.elapsed() < SOON, "took {:?}", at.elapsed());
}

#[tokio::test]
async fn while_draining_it_is_alive_but_not_ready_and_accepts_and_then_refuses() {
    let server = start(DRAIN, LONG).await;
    let address = server.address;
    let at = server.terminate().await;
    let ready = ask(&mut server.connect().await, "/readyz").await;
    assert!(
        ready.starts_with("http/1.1 503") && ready.ends_with("stopping"),
        "{ready}"
    );
    assert!(
        ask(&mut server.connect().await, "/livez")
            .await
            .starts_with("http/1.1 200")
    );
    let fast = ask(&mut server.connect().await, "/fast").await;
    assert!(
        fast.ends_with("fast"),
        "new connections are served while endpoints lag: {fast}"
    );
    assert_exit(server.ended().await, 0);
    let took = at.elapsed();
    assert!(
        (DRAIN..DRAIN + SOON).contains(&took),
        "drain delay and no more: {took:?}"
    );
    let refused = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_kept_connection_is_told_to_close_with_its_next_answer() {
    let server = start(DRAIN, LONG).await;
    let mut kept = server.connect().await;
    assert!(!ask(&mut kept, "/fast").await.contains("connection: close"));
    server.terminate().await;
    let last = ask(&mut kept, "/fast").await;
    assert!(
        last.starts_with("http/1.1 200") && last.contains("connection: close"),
        "{last}"
    );
    assert!(is_closed(&mut kept).await, "and then it is closed");
    assert_exit(server.ended().await, 0);
}

#[tokio::test]
async fn a_kept_connection_of_http_1_0_is_told_to_close_and_not_to_be_kept() {
    const REQUEST: &[u8] = b"GET /fast HTTP/1.0\r\nconnection: keep-alive\r\n\r\n";
    let server = start(DRAIN, LONG).await;
    let mut kept = server.connect().await;
    for _ in 0..2 {
        kept.write_all(REQUEST).await.unwrap();
        let text = answer(&mut kept).await;
        assert!(text.starts_with("http/1.0 200"), "{text}");
        assert!(text.contains("connection: keep-alive"), "{text}");
    }
    server.terminate().await;
    for mut stream in [kept, server.connect().await] {
        stream.write_all(REQUEST).await.unwrap();
        let last = answer(&mut stream).await;
        assert!(last.starts_with("http/1.0 200"), "{last}");
        assert!(last.contains("connection: close"), "{last}");
        assert!(!last.contains("keep-alive"), "it believes that: {last}");
        assert!(is_closed(&mut stream).await, "and then it is closed");
    }
    assert_exit(server.ended().await, 0);
}

#[tokio::test]
async fn a_client_that_holds_a_connection_and_says_nothing_delays_nobody() {
    let server = start(Duration::ZERO, LONG).await;
    let silent = server.connect().await;
    let mut idle = server.connect().await;
    ask(&mut idle, "/fast").await;
    // An answer of long ago has been read for sure, and there is nothing to linger for.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let at = server.terminate().await;
    assert_exit(server.ended().await, 0);
    assert!(at.elapsed() < SOON, "took {:?}", at.elapsed());
    drop((silent, idle));
}

/// As a proxy does whose container has used up its CPU limit: it stands still for a tenth of a second.
#[tokio::test]
async fn a_client_that_has_just_connected_when_the_listener_closes_may_be_slow_to_ask() {
    let server = start(Duration::ZERO, LONG).await;
    let mut slow = server.connect().await;
    // The connection is accepted, and not found by the close.
    ask(&mut server.connect().await, "/fast").await;
    server.terminate().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let text = ask(&mut slow, "/fast").await;
    assert!(text.ends_with("fast"), "{text}");
    drop(slow);
    assert_exit(server.ended().await, 0);
}

#[tokio::test]
async fn a_request_in_flight_is_finished_though_the_listener_is_closed() {
    let server = start(Duration::ZERO, LONG).await;
    let mut slow = server.connect().await;
    send(&mut slow, "/slow").await;
    server.begun.notified().await;
    server.terminate().await;
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    server.go.notify_one();
    let done = answer(&mut slow).await;
    assert!(
        done.contains("connection: close") && done.ends_with("done"),
        "{done}"
    );
    drop(slow);
    assert_exit(server.ended().await, 0);
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_off_at_the_deadline_counted_from_the_signal() {
    let limit = Duration::from_millis(600);
    let server = start(DRAIN, limit).await;
    let mut slow = server.connect().await;
    send(&mut slow, "/slow").await;
    server.begun.notified().await;
    let at = server.terminate().await;
    assert_exit(server.ended().await, 0);
    let took = at.elapsed();
    assert!(
        (limit..limit + SOON).contains(&took),
        "the drain delay counts in: {took:?}"
    );
}

/// The two changes of the phase come right after one another, and a connection may still be waking up of
/// the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_idle_connection_learns_that_the_listener_closes() {
    for _ in 0..10 {
        let server = start(Duration::ZERO, LONG).await;
        let mut idle = Vec::new();
        for _ in 0..20 {
            let mut stream = server.connect().await;
            ask(&mut stream, "/fast").await;
            idle.push(stream);
        }
        let at = server.terminate().await;
        for mut stream in idle {
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "it is closed");
        }
        assert_exit(server.ended().await, 0);
        assert!(at.elapsed() < LONG / 10, "took {:?}", at.elapsed());
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once_with_its_own_code() {
    for (second, code) in [(Signal::Terminate, 143), (Signal::Interrupt, 130)] {
        let server = start(LONG, LONG).await;
        let at = server.terminate().await;
        server.signal.send(second).unwrap();
        assert_exit(server.ended().await, code);
        assert!(at.elapsed() < SOON, "took {:?}", at.elapsed());
    }
}

#[tokio::test]
async fn a_request_that_comes_in_slowly_over_the_whole_drain_is_answered() {
    let server = start(DRAIN, LONG).await;
    let address = server.address;
    let mut slow = server.connect().await;
    ask(&mut slow, "/fast").await;
    slow.write_all(b"GET /fast HTTP/1.1\r\nho").await.unwrap();
    server.terminate().await;
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    slow.write_all(b"st: test\r\n\r\n").await.unwrap();
    let last = answer(&mut slow).await;
    assert!(
        last.contains("connection: close") && last.ends_with("fast"),
        "{last}"
    );
    drop(slow);
    assert_exit(server.ended().await, 0);
}

#[tokio::test]
async fn an_answer_that_is_read_slowly_is_read_whole() {
    let server = start(Duration::ZERO, LONG).await;
    let mut slow = server.connect().await;
    send(&mut slow, "/big").await;
    let mut first = [0; 1000];
    slow.read_exact(&mut first).await.unwrap();
    server.terminate().await;
    let mut rest = Vec::new();
    let mut part = vec![0; 1 << 20];
    loop {
        match slow.read(&mut part).await.expect("no reset") {
            0 => break,
            n => rest.extend_from_slice(&part[..n]),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let head = first.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(first.len() - head + rest.len(), BIG, "nothing is missing");
    drop(slow);
    assert_exit(server.ended().await, 0);
}

#[tokio::test]
async fn what_waits_in_the_backlog_when_the_listener_closes_is_served() {
    let server = start(DRAIN, LONG).await;
    server.terminate().await;
    // Many clients connect all through the drain and beyond: each connection is refused, or else
    // its request is answered.
    let address = server.address;
    let clients: Vec<_> = (0..32)
        .map(|_| {
            tokio::spawn(async move {
                let mut answered = 0;
                while let Ok(mut stream) = TcpStream::connect(address).await {
                    let text = ask(&mut stream, "/fast").await;
                    assert!(text.ends_with("fast"), "{text}");
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    let mut answered = 0;
    for client in clients {
        answered += client.await.expect("each connection is answered");
    }
    assert!(answered > 0, "no connection in {DRAIN:?}");
    assert_exit(server.ended().await, 0);
}

/// Each client connects for each request, as fast as it can: a connection is refused, or its request is
/// answered. Returns how many were answered.
#[cfg(target_os = "linux")]
async fn stop_under_fresh_connections(clients: usize) -> usize {
    let server = start(Duration::from_millis(20), LONG).await;
    let address = server.address;
    let clients: Vec<_> = (0..clients)
        .map(|_| {
            tokio::task::spawn_blocking(move || {
                let mut answered = 0;
                loop {
                    let mut stream = match std::net::TcpStream::connect(address) {
                        Ok(stream) => stream,
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
                            return answered;
                        }
                    };
                    let request = b"GET /fast HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
                    let mut text = String::new();
                    stream.write_all(request).expect("no reset");
                    stream.read_to_string(&mut text).expect("no reset");
                    assert!(text.ends_with("fast"), "{text}");
                    answered += 1;
                }
            })
        })
        .collect();
    server.terminate().await;
    let mut answered = 0;
    for client in clients {
        answered += client.await.expect("refused, or answered");
    }
    assert_exit(server.ended().await, 0);
    answered
}

/// `STOPS=1000` takes minutes.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_reset_by_the_close_of_the_listener() {
    let stops = std::env::var("STOPS").map_or(20, |stops| stops.parse().unwrap());
    let mut answered = 0;
    for _ in 0..stops / 10 {
        let side_by_side = (0..10).map(|_| tokio::spawn(stop_under_fresh_connections(4)));
        for stop in side_by_side.collect::<Vec<_>>() {
            answered += stop.await.unwrap();
        }
    }
    assert!(answered > stops, "{answered} over {stops} stops");
}

#[tokio::test]
async fn http2_clients_are_told_to_go_away_and_their_streams_finish() {
    let server = start(DRAIN, LONG).await;
    let io = TokioIo::new(server.connect().await);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let request = hyper::Request::get(format!("http://{}/slow", server.address))
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = tokio::spawn(sender.send_request(request.clone()));
    server.begun.notified().await;
    server.terminate().await;
    server.go.notify_one();
    let response = response
        .await
        .unwrap()
        .expect("a stream that was begun is finished");
    assert!(
        !response.headers().contains_key("connection"),
        "HTTP/2 has no such header"
    );
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "done"
    );
    // The client still holds its sender: it is the GOAWAY that ends the connection, and early.
    let closed = timeout(DRAIN, connection)
        .await
        .expect("before the drain delay is over");
    closed.unwrap().expect("without an error");
    drop(sender);
    assert_exit(server.ended().await, 0);
}
