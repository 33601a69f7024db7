//! What a connection may and may not do while the service runs.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use chassis::{
    Chassis,
    config::{Build, defaults},
    http::Routes,
    lifecycle::Signals,
    server,
};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Bytes,
    client::conn::http2::{SendRequest, handshake},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::{sleep, timeout},
};

/// Much longer than anything here takes when all is well.
const LONG: Duration = Duration::from_secs(20);

async fn start() -> SocketAddr {
    start_with(|_| ()).await
}

async fn start_with(set: impl FnOnce(&mut chassis::Settings)) -> SocketAddr {
    let mut settings: chassis::Settings = defaults();
    set(&mut settings);
    settings.identity.pod_name = Some("pod-1".into());
    let chassis = Chassis::new(Build::new("service", "1.0", Some("7.8"), None), settings);
    let listener = server::bind("[::]:0".parse().unwrap()).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (keep, signals) = Signals::manual();
    tokio::spawn(async move {
        let _keep = keep;
        chassis.serve(Routes::new(), listener, signals).await
    });
    ([127, 0, 0, 1], port).into()
}

async fn say(stream: &mut TcpStream, text: &[u8]) -> String {
    stream.write_all(text).await.unwrap();
    let mut answer = vec![0; 4096];
    let n = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..n]).into_owned()
}

#[tokio::test]
async fn ipv4_and_ipv6_are_both_served() {
    let v4 = start().await;
    for host in ["127.0.0.1", "::1"] {
        let Ok(mut stream) = TcpStream::connect((host, v4.port())).await else {
            assert_eq!(host, "::1", "only IPv6 may be missing from a machine");
            continue;
        };
        let text = say(&mut stream, b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(text.starts_with("HTTP/1.1 200"), "{host}: {text}");
    }
}

#[tokio::test]
async fn every_answer_says_which_pod_and_version_gave_it() {
    let mut stream = TcpStream::connect(start().await).await.unwrap();
    for path in ["/livez", "/nothing"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        let text = say(&mut stream, request.as_bytes()).await;
        assert!(
            text.contains("\r\npod: pod-1\r\n") && text.contains("\r\nversion: 7.8\r\n"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn headers_that_do_not_arrive_in_ten_seconds_close_the_connection() {
    let address = start().await;
    let first = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
        stream.read(&mut [0; 1]).await
    };
    let halting = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        say(&mut stream, b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
        stream.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
        stream.read(&mut [0; 1]).await
    };
    let begun = Instant::now();
    let (first, halting) = tokio::join!(first, halting);
    let took = begun.elapsed();
    assert!((9..12).contains(&took.as_secs()), "took {took:?}");
    for (name, read) in [("first", first), ("halting", halting)] {
        assert!(
            matches!(read, Ok(0)) || read.is_err(),
            "{name} is closed, not answered: {read:?}"
        );
    }
}

/// A proxy's pool has connections in reserve, which it has never sent anything on, and expects to use them.
#[tokio::test]
async fn a_connection_may_be_idle_before_a_request_and_between_two_for_longer_than_that() {
    let address = start().await;
    let mut fresh = TcpStream::connect(address).await.unwrap();
    let mut kept = TcpStream::connect(address).await.unwrap();
    let request = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    say(&mut kept, request).await;
    tokio::time::sleep(Duration::from_secs(12)).await; // over the ten seconds for headers
    for stream in [&mut fresh, &mut kept] {
        assert!(say(stream, request).await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn headers_and_urls_are_bounded() {
    let address = start().await;
    let long = "x".repeat(32 << 10);
    for (request, statuses) in [
        (
            format!("GET /livez HTTP/1.1\r\nhost: x\r\nlong: {long}\r\n\r\n"),
            ["431", "431"],
        ),
        (
            format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n"),
            ["414", "431"],
        ),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let text = say(&mut stream, request.as_bytes()).await;
        let status = text.split(' ').nth(1).unwrap_or_default();
        assert!(statuses.contains(&status), "{text}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = start().await;
    let error = server::bind(format!("[::]:{}", taken.port()).parse().unwrap()).unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains(&format!(
            "port {} is taken by another program",
            taken.port()
        )),
        "{said}"
    );
}

/// What comes until the service closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let read = timeout(LONG, stream.read_to_end(&mut text)).await;
    read.expect("it closes").unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn a_request_of_http_1_1_says_its_host_once() {
    let address = start().await;
    for (request, status) in [
        ("GET /livez HTTP/1.1\r\n\r\n", 400),
        ("GET /nothing HTTP/1.1\r\naccept: */*\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n", 400),
        (
            "GET /livez HTTP/1.1\r\nhost: x\r\na: b\r\nHost: y\r\n\r\n",
            400,
        ),
        ("HEAD /livez HTTP/1.1\r\n\r\n", 400),
        ("POST /nothing HTTP/1.1\r\ncontent-length: 9\r\n\r\n", 400),
        ("GET http://x/livez HTTP/1.1\r\n\r\n", 400),
        (
            "GET /livez HTTP/1.1\r\na: b\r\na: c\r\nhost: x\r\n\r\n",
            200,
        ),
        ("GET /livez HTTP/1.1\r\nhost:\r\n\r\n", 200),
        ("GET /livez HTTP/1.1\r\nhost: x:\r\n\r\n", 200),
        ("GET /livez HTTP/1.1\r\nhost: x:65535\r\n\r\n", 200),
        ("GET /livez HTTP/1.1\r\nhost: x:65536\r\n\r\n", 400),
        (
            "GET /livez HTTP/1.1\r\nhost: x:18446744073709551697\r\n\r\n",
            400,
        ),
        ("GET /livez HTTP/1.1\r\nhost: x:abc\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nhost: x:+80\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nhost: :80\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nhost: x,y\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nhost: ::1\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nhost: [::1]\r\n\r\n", 200),
        ("GET /livez HTTP/1.1\r\nhost: [::1]x\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nhost: [::1\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nhost: [x]\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nhost: x[]\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nhost: a b\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\na: b\r\nhost: a/b\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nhost: user@x\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nhost: x\u{e9}\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nhost: [fd00::7]:5000\r\n\r\n", 200),
        ("GET /livez HTTP/1.1\r\nhost: my_pod.x-1:80\r\n\r\n", 200),
        ("GET /livez HTTP/1.0\r\n\r\n", 200),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let text = say(&mut stream, request.as_bytes()).await;
        let answered = text.split(' ').nth(1).unwrap();
        assert_eq!(answered, status.to_string(), "{request}: {text}");
        let sentence =
            "\r\n\r\na request of HTTP/1.1 has one header Host, with a host and perhaps a port";
        let is_refused = status == 400 && !request.starts_with("HEAD");
        assert_eq!(text.ends_with(sentence), is_refused, "{request}: {text}");
    }
}

/// What proxies, browsers and old clients send beside the ordinary: each is answered, and nothing is waited for.
#[tokio::test]
async fn what_a_proxy_may_send_is_answered_at_once() {
    let address = start().await;
    let of_proxy = "GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let with = |headers: &str| format!("GET /livez HTTP/1.1\r\nhost: x\r\n{headers}\r\n\r\n");
    let h2c = "upgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\nconnection: close, upgrade, http2-settings";
    let websocket = "upgrade: websocket\r\nsec-websocket-version: 13\r\n\
                     sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nconnection: close, upgrade";
    let absolute = "http://lab.example.com/livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    for (request, line) in [
        (format!("GET {absolute}"), "HTTP/1.1 200 OK"),
        (format!("HEAD {absolute}"), "HTTP/1.1 200 OK"),
        (
            "GET http://lab.example.com/livez HTTP/1.0\r\n\r\n".to_owned(),
            "HTTP/1.0 200 OK",
        ),
        (
            "OPTIONS http://lab.example.com HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
                .to_owned(),
            "HTTP/1.1 204 No Content",
        ),
        (with(h2c), "HTTP/1.1 200 OK"),
        (with(websocket), "HTTP/1.1 200 OK"),
        (
            with("expect: 100-continue\r\nconnection: close"),
            "HTTP/1.1 200 OK",
        ),
        (
            with("te: trailers\r\nconnection: te, close"),
            "HTTP/1.1 200 OK",
        ),
        (
            "GET /livez HTTP/1.0\r\nproxy-connection: keep-alive\r\n\r\n".to_owned(),
            "HTTP/1.0 200 OK",
        ),
        (format!("\r\n{of_proxy}"), "HTTP/1.1 200 OK"),
        // The PROXY protocol, which the services don't speak: version 1, and version 2 with an address and without.
        (
            format!("PROXY TCP4 192.0.2.1 192.0.2.2 56324 5000\r\n{of_proxy}"),
            "HTTP/1.1 400 Bad Request",
        ),
        (
            format!("PROXY UNKNOWN\r\n{of_proxy}"),
            "HTTP/1.1 400 Bad Request",
        ),
        (
            format!(
                "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\x10\0\x20\0{of_proxy}"
            ),
            "HTTP/1.1 400 Bad Request",
        ),
        (
            "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_owned(),
            "HTTP/1.1 400 Bad Request",
        ),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let begun = Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        let text = rest(&mut stream).await;
        assert_eq!(text.lines().next(), Some(line), "{request:?}: {text}");
        assert!(!text.to_lowercase().contains("upgrade"), "{text}");
        assert!(begun.elapsed() < LONG / 10, "{request:?}");
    }
}

#[tokio::test]
async fn a_connection_is_idle_for_as_long_as_the_setting_says() {
    let address = start_with(|settings| {
        settings.server.idle_timeout = Duration::from_millis(300);
    })
    .await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let begun = Instant::now();
    say(&mut stream, b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(rest(&mut stream).await, "");
    let took = begun.elapsed();
    assert!(
        (Duration::from_millis(300)..Duration::from_secs(5)).contains(&took),
        "{took:?}"
    );
}

#[tokio::test]
async fn beyond_the_most_connections_only_probes_are_answered() {
    let address = start_with(|settings| settings.server.max_connections = Some(3)).await;
    let ask = async |path: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        rest(&mut stream).await.to_lowercase()
    };
    let mut kept = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let text = say(&mut stream, b"GET /info HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        kept.push(stream);
    }
    // More than are let in besides, and they say nothing.
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    // The oldest went for the newest, long before it had said nothing for too long.
    let mut nothing = [0];
    let oldest = timeout(Duration::from_millis(500), silent[0].read(&mut nothing)).await;
    assert!(!matches!(oldest.expect("it is closed"), Ok(1)));
    for path in ["/info", "/nothing"] {
        let text = ask(path).await;
        assert!(text.starts_with("http/1.1 503"), "{text}");
        assert!(text.contains("connection: close"), "{text}");
        assert!(
            text.contains("as many connections as max_connections allows"),
            "{text}"
        );
    }
    for path in ["/livez", "/readyz", "/startupz"] {
        let text = ask(path).await;
        assert!(text.starts_with("http/1.1 200"), "{path}: {text}");
        assert!(text.contains("connection: close"), "{text}");
    }
    let health = grpc_check(address).await;
    assert_eq!(health, [0, 0, 0, 0, 2, 8, 1], "serving");
    // Those that have a place keep it.
    let metrics = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    kept[0].write_all(metrics).await.unwrap();
    let text = rest(&mut kept[0]).await;
    assert!(text.contains("\nconnections_open 3\n"), "{text}");
    assert!(text.contains("\nconnections_surplus_total 306\n"), "{text}");
    drop(kept);
    // Now there are places again, whatever the silent ones do.
    until_there_is_a_place(address).await;
    drop(silent);
}

async fn until_there_is_a_place(address: SocketAddr) {
    let asking = async {
        while !ask_once_more(address).await.starts_with("HTTP/1.1 200") {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, asking).await.expect("a place");
}

async fn ask_once_more(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    say(&mut stream, b"GET /info HTTP/1.1\r\nhost: x\r\n\r\n").await
}

/// A connection of HTTP/2, and its end.
async fn http2(
    address: SocketAddr,
) -> (
    SendRequest<Full<Bytes>>,
    JoinHandle<Result<(), hyper::Error>>,
) {
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (sender, connection) = handshake(TokioExecutor::new(), io).await.unwrap();
    (sender, tokio::spawn(connection))
}

fn get(path: &str) -> hyper::Request<Full<Bytes>> {
    let uri = format!("http://x{path}");
    hyper::Request::get(uri).body(Full::default()).unwrap()
}

#[tokio::test]
async fn a_surplus_connection_of_http2_is_told_to_go_after_its_answer() {
    let address = start_with(|settings| settings.server.max_connections = Some(1)).await;
    let mut kept = TcpStream::connect(address).await.unwrap();
    say(&mut kept, b"GET /info HTTP/1.1\r\nhost: x\r\n\r\n").await;
    for (path, expected) in [("/info", 503), ("/livez", 200)] {
        let (mut sender, ended) = http2(address).await;
        let status = sender.send_request(get(path)).await.unwrap().status();
        assert_eq!(status, expected, "{path}");
        // Whoever goes on asking would get 503 for ever.
        let asking = async {
            while sender.send_request(get(path)).await.is_ok() {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(LONG, asking).await.expect("it is told to go");
        let ended = timeout(LONG, ended).await.expect("it ends");
        ended.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_connection_of_http2_takes_as_many_places_as_it_may_have_requests() {
    let address = start_with(|settings| settings.server.max_connections = Some(20)).await;
    let (mut sender, _) = http2(address).await;
    let status = sender.send_request(get("/info")).await.unwrap().status();
    assert_eq!(status, 200);
    let mut kept = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let text = say(&mut stream, b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        let open = format!("\nconnections_open {}\n", kept.len() + 2);
        assert!(text.contains(&open), "{text}");
        kept.push(stream);
    }
    assert!(ask_once_more(address).await.starts_with("HTTP/1.1 503"));
    drop(sender);
    until_there_is_a_place(address).await;
    // One that finds fewer places than it takes is surplus, and answers probes.
    let (mut sender, _) = http2(address).await;
    let status = sender.send_request(get("/info")).await.unwrap().status();
    assert_eq!(status, 200);
    let (mut surplus, _) = http2(address).await;
    let status = surplus.send_request(get("/info")).await.unwrap().status();
    assert_eq!(status, 503);
    assert_eq!(grpc_check(address).await, [0, 0, 0, 0, 2, 8, 1], "serving");
    drop((sender, kept));
}

/// Each new one finds a place, but not as many as it takes.
#[tokio::test]
async fn surplus_connections_of_http2_have_a_bound() {
    let address = start_with(|settings| settings.server.max_connections = Some(20)).await;
    let (mut kept, _) = http2(address).await;
    assert_eq!(kept.send_request(get("/info")).await.unwrap().status(), 200);
    let mut surplus = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        stream.write_all(preface).await.unwrap();
        assert_ne!(stream.read(&mut [0]).await.unwrap(), 0, "it has settings");
        surplus.push(stream);
    }
    // The oldest went for the newest, long before it had said nothing for too long.
    let oldest = timeout(
        Duration::from_millis(500),
        surplus[0].read_to_end(&mut Vec::new()),
    )
    .await;
    assert!(oldest.is_ok(), "it is closed");
    assert_eq!(grpc_check(address).await, [0, 0, 0, 0, 2, 8, 1], "serving");
}

/// The message of the answer to a gRPC probe.
async fn grpc_check(address: SocketAddr) -> Vec<u8> {
    let (mut sender, _) = http2(address).await;
    let uri = format!("http://{address}/grpc.health.v1.Health/Check");
    let request = hyper::Request::post(uri)
        .header("content-type", "application/grpc")
        .body(Full::new(Bytes::from_static(&[0; 5])))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap();
    body.to_bytes().to_vec()
}
