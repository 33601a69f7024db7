//! Requests that no well-meaning client sends: what each is answered with, and that nothing behind it is taken for a
//! request of its own where two readers could take it apart in two ways.

use std::{net::SocketAddr, time::Duration};

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
    task::JoinSet,
    time::timeout,
};

/// Much longer than anything here takes when all is well.
const LONG: Duration = Duration::from_secs(20);

/// Sent behind each request. Its answer is 404, if it is one.
const NEXT: &str = "GET /next HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// More than headers may have.
const TOO_LONG: usize = 70_000;

async fn start() -> SocketAddr {
    let chassis = Chassis::new(Build::new("service", "1.0", None, None), defaults());
    let listener = server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (keep, signals) = Signals::manual();
    tokio::spawn(async move {
        let _keep = keep;
        chassis.serve(Routes::new(), listener, signals).await
    });
    address
}

/// The statuses that come until the service closes.
async fn statuses(address: SocketAddr, sent: &[u8]) -> Vec<u16> {
    let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
    let mut answers = Vec::new();
    let reading = timeout(LONG, read.read_to_end(&mut answers));
    // What isn't taken any more can't be sent.
    let (_, read) = tokio::join!(write.write_all(sent), reading);
    let _ = read.expect("the service closes"); // or resets, over what it doesn't take
    let answers = String::from_utf8_lossy(&answers);
    let status = |answer: &str| answer[..3].parse().unwrap();
    answers.split("HTTP/1.1 ").skip(1).map(status).collect()
}

#[tokio::test]
async fn what_is_malformed_is_refused_and_what_is_behind_it_is_no_request() {
    let long = "x".repeat(TOO_LONG);
    let many = |count| "a: b\r\n".repeat(count);
    let chunked = "transfer-encoding: chunked\r\n";
    let get = |headers: &str, body: &str| {
        format!("GET /livez HTTP/1.1\r\nhost: x\r\n{headers}\r\n{body}")
    };
    let with_length = |header: &str| get(header, "12345");
    let with_chunks = |body: &str| get(chunked, body);
    let encoded = |encoding: &str| get(&format!("transfer-encoding: {encoding}\r\n"), "0\r\n\r\n");
    let raw = str::to_owned;
    let address = start().await;
    let mut asked = JoinSet::new();
    for (name, sent, expected) in [
        // What is too long.
        (
            "path",
            raw(&format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n")),
            &[431][..],
        ),
        (
            "query",
            raw(&format!("GET /livez?{long} HTTP/1.1\r\nhost: x\r\n\r\n")),
            &[431],
        ),
        (
            "method",
            raw(&format!("{long} /livez HTTP/1.1\r\nhost: x\r\n\r\n")),
            &[431],
        ),
        ("header", get(&format!("a: {long}\r\n"), ""), &[431]),
        ("101 headers", get(&many(101), ""), &[431]),
        ("100,000 headers", get(&many(100_000), ""), &[431]),
        // What is closed after its answer, since where it ends can be read in two ways, or isn't waited for.
        (
            "a length and chunks",
            get(&format!("content-length: 5\r\n{chunked}"), "0\r\n\r\n"),
            &[200],
        ),
        (
            "chunks and a length",
            get(&format!("{chunked}content-length: 5\r\n"), "0\r\n\r\n"),
            &[200],
        ),
        (
            "Expect",
            get("expect: 100-continue\r\ncontent-length: 500\r\n", ""),
            &[200],
        ),
        ("no number", with_chunks("zz\r\n"), &[200]),
        ("2^64", with_chunks("10000000000000000\r\n"), &[200]),
        ("a chunk of -1", with_chunks("-1\r\n"), &[200]),
        ("chunks with line feeds", with_chunks("1\nx\n0\n\n"), &[200]),
        (
            "a chunk that is longer",
            with_chunks("1\r\nxyz\r\n0\r\n\r\n"),
            &[200],
        ),
        (
            "a body that is long",
            get("content-length: 99999999\r\n", &"x".repeat(9_999_999)),
            &[200],
        ),
        (
            "many chunks",
            with_chunks(&"1\r\nx\r\n".repeat(1_000_000)),
            &[200],
        ),
        (
            "many trailers",
            with_chunks(&format!("0\r\n{}", many(100_000))),
            &[200],
        ),
        (
            "an extension",
            with_chunks(&format!("1;{long}\r\nx\r\n")),
            &[200],
        ),
        // Lengths.
        (
            "two",
            with_length("content-length: 5\r\ncontent-length: 0\r\n"),
            &[400],
        ),
        (
            "two in one",
            with_length("content-length: 5, 5\r\n"),
            &[400],
        ),
        ("+5", with_length("content-length: +5\r\n"), &[400]),
        ("-1", with_length("content-length: -1\r\n"), &[400]),
        ("0x5", with_length("content-length: 0x5\r\n"), &[400]),
        ("folded", with_length("content-length:\r\n 5\r\n"), &[400]),
        (
            "a blank before the colon",
            with_length("content-length : 5\r\n"),
            &[400],
        ),
        // hyper says 431 of a length that it can't count to, and takes no byte of it.
        (
            "2^64-1",
            with_length("content-length: 18446744073709551615\r\n"),
            &[431],
        ),
        (
            "2^64",
            with_length("content-length: 18446744073709551616\r\n"),
            &[400],
        ),
        // Encodings.
        ("identity", encoded("chunked, identity"), &[400]),
        ("xchunked", encoded("xchunked"), &[400]),
        ("a vertical tab", encoded("\x0bchunked"), &[400]),
        (
            "HTTP/1.0",
            raw(&format!("GET /livez HTTP/1.0\r\n{chunked}\r\n0\r\n\r\n")),
            &[400],
        ),
        // Lines.
        ("obs-fold", get("a: b\r\n c\r\n", ""), &[400]),
        ("a CR in a value", get("a: b\rc: d\r\n", ""), &[400]),
        (
            "a CR for a line",
            get("a: b\rcontent-length: 5\r\n", "12345"),
            &[400],
        ),
        ("a NUL in a value", get("a: b\0c\r\n", ""), &[400]),
        (
            "a NUL in a path",
            raw("GET /livez\0 HTTP/1.1\r\nhost: x\r\n\r\n"),
            &[400],
        ),
        ("no name", get(": b\r\n", ""), &[400]),
        ("no colon", get("ab\r\n", ""), &[400]),
        ("HTTP/0.9", raw("GET /livez\r\n\r\n"), &[400]),
        (
            "HTTP/3.7",
            raw("GET /livez HTTP/3.7\r\nhost: x\r\n\r\n"),
            &[400],
        ),
        ("SSH", raw("SSH-2.0-OpenSSH_10.0\r\n"), &[400]),
        (
            "TLS",
            raw(&format!(
                "\x16\x03\x01\0\x65\x01\0\0\x61\x03\x03{}",
                "\0".repeat(96)
            )),
            &[400],
        ),
        // What is a request, and so is what is behind it.
        (
            "line feeds alone",
            raw("GET /livez HTTP/1.1\nhost: x\n\n"),
            &[200, 404],
        ),
        (
            "CONNECT",
            raw("CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n"),
            &[404, 404],
        ),
        (
            "WebSocket",
            get("connection: upgrade\r\nupgrade: websocket\r\n", ""),
            &[200, 404],
        ),
        (
            "h2c",
            get(
                "connection: upgrade, http2-settings\r\nupgrade: h2c\r\n",
                "",
            ),
            &[200, 404],
        ),
    ] {
        asked.spawn(async move {
            let answered = statuses(address, [&sent, NEXT].concat().as_bytes()).await;
            assert_eq!(answered, expected, "{name}");
        });
    }
    asked.join_all().await;
}

#[tokio::test]
async fn a_part_of_a_request_is_not_answered() {
    let address = start().await;
    let mut asked = JoinSet::new();
    for length in 0..NEXT.len() {
        asked.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&NEXT.as_bytes()[..length]).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answered = String::new();
            let read = timeout(LONG, stream.read_to_string(&mut answered)).await;
            read.expect("the service closes").unwrap();
            assert_eq!(answered, "", "{length} bytes");
        });
    }
    asked.join_all().await;
}
