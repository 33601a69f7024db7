//! The bodies of requests: how long they may be, how long they may take, and that one that nobody
//! wants holds nothing up.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    process::ExitCode,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    http::{Request, header},
    routing::post,
};
use chassis::{
    Chassis,
    config::{Build, defaults},
    http::{RequestBody, Routes},
    lifecycle::{Signal, Signals},
    server,
};
use http_body_util::BodyExt;
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc::UnboundedSender,
    task::{JoinHandle, JoinSet},
    time::timeout,
};

/// Much longer than anything here takes when all is well.
const LONG: Duration = Duration::from_secs(20);

/// How long a body may take: a request is given up between these two.
const TIMES_OUT: std::ops::Range<Duration> = Duration::from_secs(9)..Duration::from_secs(12);

const MOST: usize = 4096;

struct Fixture {
    address: SocketAddr,
    signal: UnboundedSender<Signal>,
    ended: JoinHandle<ExitCode>,
}

/// A service whose `/read` takes a body of `MOST` bytes.
async fn start() -> Fixture {
    let mut settings: chassis::Settings = defaults();
    settings.faults.faults = true;
    let chassis = Chassis::new(Build::new("service", "1.0", None, None), settings);
    let read = async |body: RequestBody| body.read(MOST).await;
    let routes = Routes::new().add("/read", post(read));
    let listener = server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (signal, signals) = Signals::manual();
    Fixture {
        address,
        signal,
        ended: tokio::spawn(chassis.serve(routes, listener, signals)),
    }
}

/// Sends this, and takes what comes until the service closes.
async fn say(address: SocketAddr, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent).await.unwrap();
    rest(&mut stream).await
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let read = timeout(LONG, stream.read_to_end(&mut text)).await;
    read.expect("the service closes").expect("and resets not");
    String::from_utf8_lossy(&text).to_lowercase()
}

/// A request that says this length, with a body of another one.
fn request(line: &str, length: usize, sent: usize) -> Vec<u8> {
    let head = format!("{line} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), &vec![b'x'; sent]].concat()
}

#[tokio::test]
async fn a_body_is_as_long_as_its_route_needs() {
    let server = start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for length in [0, MOST] {
        stream
            .write_all(&request("POST /read", length, length))
            .await
            .unwrap();
        let mut answer = vec![0; 2 * MOST];
        let mut n = 0;
        while !answer[..n].ends_with(&vec![b'x'; length]) || n == 0 {
            n += stream.read(&mut answer[n..]).await.unwrap();
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{length} bytes");
    }
    // Nothing of it need be sent.
    let long = say(server.address, &request("POST /read", MOST + 1, 0)).await;
    assert!(long.starts_with("http/1.1 413"), "{long}");
    assert!(long.contains("connection: close"), "{long}");
    assert!(
        long.ends_with("the body can't be longer than 4096 bytes"),
        "{long}"
    );
    // Of one that doesn't say its length, no more than that is taken.
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    let head = "POST /read HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    let long = say(
        server.address,
        format!("{head}{chunk}1\r\nx\r\n").as_bytes(),
    )
    .await;
    assert!(long.starts_with("http/1.1 413"), "{long}");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up_and_holds_a_stop_up_no_longer() {
    let server = start().await;
    let begun = Instant::now();
    let chunked = b"POST /read HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n64\r\nx";
    let mut streams = Vec::new();
    for n in 0..40 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let sent = match n {
            0 => chunked.to_vec(),
            _ => request("POST /read", MOST, MOST - 1),
        };
        stream.write_all(&sent).await.unwrap();
        streams.push(stream);
    }
    let by_bytes = tokio::spawn({
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        async move {
            stream
                .write_all(&request("POST /read", 100, 0))
                .await
                .unwrap();
            let (mut read, mut write) = stream.into_split();
            let drip = async {
                while write.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            };
            let mut text = String::new();
            tokio::select! {
                () = drip => panic!("nothing is answered"),
                read = read.read_to_string(&mut text) => read.unwrap(),
            };
            text.to_lowercase()
        }
    });
    server.signal.send(Signal::Terminate).unwrap();
    for mut stream in streams {
        let text = rest(&mut stream).await;
        assert!(text.starts_with("http/1.1 408"), "{text}");
        assert!(text.contains("connection: close"), "{text}");
        assert!(text.ends_with("the body did not come in 10 s"), "{text}");
    }
    assert!(
        TIMES_OUT.contains(&begun.elapsed()),
        "{:?}",
        begun.elapsed()
    );
    let text = timeout(LONG, by_bytes).await.unwrap().unwrap();
    assert!(text.starts_with("http/1.1 408"), "{text}");
    timeout(LONG, server.ended).await.unwrap().unwrap();
    let took = begun.elapsed();
    assert!(TIMES_OUT.contains(&took), "the stop: {took:?}");
}

/// A part of a body, and never its end.
struct Unended(Option<Bytes>);

impl hyper::body::Body for Unended {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(part) => Poll::Ready(Some(Ok(Frame::data(part)))),
            None => Poll::Pending,
        }
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up_over_http2_too() {
    let server = start().await;
    let io = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let begun = Instant::now();
    let grpc = "application/grpc";
    let mut asked = JoinSet::new();
    for (path, length, status, at_once) in [
        ("/read", 1, 408, false),
        ("/read", MOST + 1, 413, true),
        ("/nothing", 1, 404, true),
        ("/grpc.health.v1.Health/Check", 1, 200, false),
        ("/grpc.health.v1.Health/Watch", 2000, 200, true),
    ] {
        let request = Request::post(format!("http://{}{path}", server.address))
            .header(header::CONTENT_TYPE, grpc)
            .body(Unended(Some(vec![0; length].into())))
            .unwrap();
        let mut sender = sender.clone();
        asked.spawn(async move {
            let response = timeout(LONG, sender.send_request(request)).await;
            let response = response.expect(path).unwrap();
            assert_eq!(response.status(), status, "{path}");
            let code = response.headers().get("grpc-status").cloned();
            response.into_body().collect().await.unwrap();
            let took = begun.elapsed();
            match at_once {
                true => assert!(took < Duration::from_secs(2), "{path}: {took:?}"),
                false => assert!(TIMES_OUT.contains(&took), "{path}: {took:?}"),
            }
            // Deadline exceeded, resource exhausted.
            let expected = (status == 200).then_some(if at_once { "8" } else { "4" });
            assert_eq!(code.as_ref().map(|code| code.to_str().unwrap()), expected);
        });
    }
    asked.join_all().await;
    assert!(!connection.is_finished(), "the connection goes on");
    drop(sender);
}

#[tokio::test]
async fn a_body_that_nobody_wants_is_not_waited_for() {
    let server = start().await;
    let begun = Instant::now();
    let mut asked = JoinSet::new();
    for (line, status) in [
        ("GET /livez", 200),
        ("GET /metrics", 200),
        ("POST /nothing", 404),
        ("POST /livez", 405),
        ("PUT /faults/readiness?mode=fail&for=1ms", 400),
        ("DELETE /faults", 400),
        ("POST /grpc.health.v1.Health/Check", 505),
    ] {
        for (length, sent) in [(100, 99), (1 << 30, 0), (10_000_000, 100_000)] {
            let address = server.address;
            asked.spawn(async move {
                let text = say(address, &request(line, length, sent)).await;
                let expected = format!("http/1.1 {status}");
                assert!(text.starts_with(&expected), "{line}, {length}: {text}");
            });
        }
    }
    asked.join_all().await;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_bad_input_at_once() {
    let server = start().await;
    let begun = Instant::now();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(&request("POST /read", 100, 99))
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    let text = rest(&mut stream).await;
    assert!(text.starts_with("http/1.1 400"), "{text}");
    assert!(text.ends_with("the body broke off"), "{text}");
    assert!(begun.elapsed() < Duration::from_secs(2));
}
