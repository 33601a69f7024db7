//! What a connection may and may not do while the service runs.

#![allow(clippy::unwrap_used)] // a test may

use std::time::{Duration, Instant};

use chassis::{
    Chassis,
    config::{Build, defaults},
    http::Routes,
    lifecycle::Signals,
    server,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn start() -> std::net::SocketAddr {
    let mut settings: chassis::Settings = defaults();
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
    let silent = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.read(&mut [0; 1]).await
    };
    let halting = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        say(&mut stream, b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
        stream.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
        stream.read(&mut [0; 1]).await
    };
    let begun = Instant::now();
    let (silent, halting) = tokio::join!(silent, halting);
    let took = begun.elapsed();
    assert!((9..12).contains(&took.as_secs()), "took {took:?}");
    for (name, read) in [("silent", silent), ("halting", halting)] {
        assert!(
            matches!(read, Ok(0)) || read.is_err(),
            "{name} is closed, not answered: {read:?}"
        );
    }
}

#[tokio::test]
async fn a_connection_may_be_idle_between_requests_for_longer_than_that() {
    let mut stream = TcpStream::connect(start().await).await.unwrap();
    let request = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    say(&mut stream, request).await;
    tokio::time::sleep(Duration::from_secs(12)).await; // over the ten seconds for headers
    assert!(say(&mut stream, request).await.starts_with("HTTP/1.1 200"));
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
