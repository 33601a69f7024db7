//! What the server leaves to nobody else: timeouts, clients that leave or half-close, and the end
//! of a connection. The timeouts are short here, so that the tests are.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use chassis::{
    lifecycle::{Life, Settings, Signal, Signals, stop_in_order},
    server::{Gate, Peer, Server, Timeouts, bind},
};
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    service::service_fn,
};
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::{
        Notify,
        mpsc::{self, UnboundedReceiver, UnboundedSender},
    },
    task::JoinHandle,
    time::{sleep, timeout},
};

const TIMEOUTS: Timeouts = Timeouts {
    header: Duration::from_millis(400),
    idle: Duration::from_millis(1200),
    stalled: Duration::from_millis(1000),
    latecomer: Duration::from_millis(50),
    half_closed: Duration::from_millis(100),
    linger: Duration::from_millis(500),
};

/// Much longer than anything here takes when all is well.
const LONG: Duration = Duration::from_secs(20);

/// More than the sockets' buffers hold, so that it can't be written in one go.
const BIG: usize = 16 << 20;

/// Longer than anything that has a timeout may take.
const SLOW: Duration = Duration::from_millis(1500);

/// A server that answers `/fast` at once, `/big` with much, `/late` after 50 ms, `/slow` after longer than
/// any timeout, and `/never` never.
struct Fixture {
    address: SocketAddr,
    signal: UnboundedSender<Signal>,
    life: Life,
    ended: JoinHandle<std::process::ExitCode>,
    /// `/never` or `/when-asked` was asked for.
    asked: Arc<Notify>,
    /// Lets `/when-asked` answer.
    go: Arc<Notify>,
    /// `/never` has been given up.
    dropped: UnboundedReceiver<Instant>,
}

struct TellsWhenDropped(UnboundedSender<Instant>);

impl Drop for TellsWhenDropped {
    fn drop(&mut self) {
        let _ = self.0.send(Instant::now());
    }
}

async fn start() -> Fixture {
    start_with_drain(Duration::from_millis(100)).await
}

async fn start_with_drain(drain_delay: Duration) -> Fixture {
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, dropped) = mpsc::unbounded_channel();
    let (asked, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let service_for = {
        let (asked, go) = (Arc::clone(&asked), Arc::clone(&go));
        move |peer: Peer| {
            let (tell, asked, go) = (tell.clone(), Arc::clone(&asked), Arc::clone(&go));
            let peer = Arc::new(peer);
            service_fn(move |request: Request<Incoming>| {
                let (tell, asked, peer) = (tell.clone(), Arc::clone(&asked), Arc::clone(&peer));
                let go = Arc::clone(&go);
                async move {
                    let body = match request.uri().path() {
                        "/reset" => {
                            peer.reset();
                            Bytes::from_static(b"goes nowhere")
                        }
                        "/peer" => peer.ip().to_string().into(),
                        "/big" => Bytes::from(vec![b'x'; BIG]),
                        "/late" => {
                            sleep(Duration::from_millis(50)).await;
                            Bytes::from_static(b"late")
                        }
                        "/when-asked" => {
                            asked.notify_one();
                            go.notified().await;
                            Bytes::from_static(b"late")
                        }
                        "/slow" => {
                            sleep(SLOW).await;
                            Bytes::from_static(b"slow")
                        }
                        "/never" => {
                            let _tells = TellsWhenDropped(tell);
                            asked.notify_one();
                            std::future::pending().await
                        }
                        _ => Bytes::from_static(b"fast"),
                    };
                    Ok::<_, Infallible>(Response::new(Full::new(body)))
                }
            })
        }
    };
    let life = Life::new(Duration::ZERO);
    let server = Server::start(
        listener,
        Gate::default(),
        service_for,
        life.clone(),
        TIMEOUTS,
        usize::MAX,
    );
    let settings = Settings {
        drain_delay,
        stop_timeout: LONG,
        startup_delay: Duration::ZERO,
    };
    let (signal, signals) = Signals::manual();
    let ended = tokio::spawn({
        let life = life.clone();
        async move { stop_in_order(&life, &settings, signals, server, || 0, async {}).await }
    });
    Fixture {
        address,
        signal,
        life,
        ended,
        asked,
        go,
        dropped,
    }
}

impl Fixture {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stop(&self) -> Instant {
        self.signal.send(Signal::Terminate).unwrap();
        self.life.stop_requested().await.at
    }

    /// When `/never` was given up.
    async fn dropped(&mut self) -> Instant {
        let dropped = timeout(LONG, self.dropped.recv()).await;
        dropped.expect("the request is given up").unwrap()
    }
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")
}

async fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// What comes until the server closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let read = timeout(LONG, stream.read_to_end(&mut text)).await;
    read.expect("the server closes")
        .expect("and does not reset");
    String::from_utf8(text).unwrap()
}

/// One small answer on a connection that stays open.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = vec![0; 1024];
    let n = timeout(LONG, stream.read(&mut text))
        .await
        .unwrap()
        .unwrap();
    String::from_utf8(text[..n].to_vec()).unwrap()
}

fn assert_took(from: Instant, expected: Duration, what: &str) {
    let took = from.elapsed();
    let latest = expected + Duration::from_millis(300);
    assert!(
        (expected..latest).contains(&(took + Duration::from_millis(5))),
        "{what}: {took:?}, not {expected:?}"
    );
}

#[tokio::test]
async fn the_header_time_out_begins_with_the_first_byte_of_each_request() {
    let server = start().await;
    let mut idle = server.connect().await;
    send(&mut idle, &request("/fast")).await;
    assert!(answer(&mut idle).await.ends_with("fast"));
    sleep(TIMEOUTS.header * 2).await; // idle for longer than headers may take
    let begun = Instant::now();
    send(&mut idle, "GET /fast HTTP/1.1\r\n").await;
    assert_eq!(rest(&mut idle).await, "");
    assert_took(begun, TIMEOUTS.header, "half a header");
}

#[tokio::test]
async fn half_a_header_holds_up_a_stop_for_no_longer_than_headers_may_take() {
    let server = start().await;
    let mut idle = server.connect().await;
    send(&mut idle, &request("/fast")).await;
    answer(&mut idle).await;
    sleep(TIMEOUTS.header * 2).await;
    let begun = Instant::now();
    send(&mut idle, "GET /fast HTTP/1.1\r\n").await;
    server.stop().await;
    timeout(LONG, server.ended).await.unwrap().unwrap();
    assert_took(begun, TIMEOUTS.header, "the stop");
}

#[tokio::test]
async fn a_connection_that_stays_silent_is_closed() {
    let server = start().await;
    let begun = Instant::now();
    let mut silent = server.connect().await;
    assert_eq!(rest(&mut silent).await, "");
    assert_took(begun, TIMEOUTS.idle, "silence from the start");

    // Whether it is of HTTP/2 isn't known before the next byte.
    let mut halting = server.connect().await;
    send(&mut halting, "PRI").await;
    let begun = Instant::now();
    let ended = timeout(LONG, halting.read(&mut [0])).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    assert_took(begun, TIMEOUTS.header, "silence after a few bytes");

    let mut idle = server.connect().await;
    send(&mut idle, &request("/fast")).await;
    answer(&mut idle).await;
    let begun = Instant::now();
    assert_eq!(rest(&mut idle).await, "");
    assert_took(begun, TIMEOUTS.idle, "silence after an answer");
}

#[tokio::test]
async fn a_client_that_closes_its_sending_side_gets_its_answers_and_then_the_end() {
    let server = start().await;
    for paths in [
        &["/fast"][..],
        &["/late"],
        &["/fast", "/late"],
        &["/late", "/fast"],
        &["/fast"; 1000], // more than come in, and are answered, in one go
        &["/slow", "/fast", "/slow"],
    ] {
        let mut client = server.connect().await;
        let requests: String = paths.iter().map(|path| request(path)).collect();
        send(&mut client, &requests).await;
        client.shutdown().await.unwrap();
        let begun = Instant::now();
        let text = rest(&mut client).await;
        let slow = paths.iter().filter(|path| **path == "/slow").count();
        let took = begun.elapsed() - SLOW * slow as u32;
        let bodies: Vec<_> = paths.iter().map(|path| &path[1..]).collect();
        let answers = text.split("HTTP/1.1 200").skip(1);
        let answered: Vec<_> = answers.map(|one| &one[one.len() - 4..]).collect();
        assert_eq!(answered, bodies, "{text}");
        assert!(
            took < TIMEOUTS.idle / 2,
            "{paths:?}: the end comes after the last answer, and not after {took:?}"
        );
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_request_whatever_it_has_sent_besides() {
    let body = |sent: &str| {
        let head = "POST /never HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";
        format!("{head}{sent}")
    };
    for (what, sent) in [
        ("nothing", request("/never")),
        ("another request", request("/never") + &request("/fast")),
        ("many", request("/never") + &request("/fast").repeat(2000)),
        ("a part of a body", body("some of it")),
        ("much of a body", body(&"x".repeat(50_000))),
    ] {
        let mut server = start().await;
        let mut client = server.connect().await;
        send(&mut client, &sent).await;
        timeout(LONG, server.asked.notified()).await.unwrap();
        let left = Instant::now();
        drop(client);
        let dropped = server.dropped().await;
        let took = dropped.saturating_duration_since(left);
        assert!(
            took < Duration::from_millis(200),
            "besides {what}: {took:?}"
        );
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_behind_more_than_the_kernel_takes() {
    // Early, and after the server has looked for the first times.
    for stays in [Duration::ZERO, TIMEOUTS.header * 5] {
        let mut server = start().await;
        let mut client = server.connect().await;
        send(&mut client, &request("/never")).await;
        timeout(LONG, server.asked.notified()).await.unwrap();
        let more = vec![b'x'; 64 << 20];
        let all = timeout(stays + Duration::from_millis(200), client.write_all(&more));
        assert!(all.await.is_err(), "the kernel takes all of it");
        let left = Instant::now();
        drop(client);
        let dropped = server.dropped().await;
        let took = dropped.saturating_duration_since(left);
        // It looks after one, two, four times and so on.
        assert!(took < TIMEOUTS.header * 5, "after {stays:?}: {took:?}");
    }
}

/// By its first byte, which is sent early, a client that has left is told from one that waits.
#[tokio::test]
async fn an_answer_of_which_a_part_was_sent_early_is_whole() {
    let server = start().await;
    for (head, more) in [
        ("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n", 0),
        ("GET /slow HTTP/1.0\r\n\r\n", 0),
        (
            "GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            30_000,
        ),
    ] {
        let mut client = server.connect().await;
        send(&mut client, &format!("{head}{}", "x".repeat(more))).await;
        if more == 0 {
            client.shutdown().await.unwrap();
        }
        let mut first = [0];
        let begun = Instant::now();
        client.read_exact(&mut first).await.unwrap();
        assert!(begun.elapsed() < SLOW / 2, "it comes early");
        let text = format!("{}{}", first[0] as char, rest(&mut client).await);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.") && head[8..].starts_with(" 200 OK\r\n"),
            "{head}"
        );
        assert_eq!(body, "slow");
    }
}

#[tokio::test]
async fn an_answer_that_is_read_slowly_is_not_idle() {
    let server = start().await;
    let mut slow = server.connect().await;
    send(&mut slow, &request("/big")).await;
    let (mut read, mut part, begun) = (0, vec![0; 256 << 10], Instant::now());
    while begun.elapsed() < TIMEOUTS.idle * 2 {
        sleep(Duration::from_millis(100)).await;
        read += slow.read(&mut part).await.expect("it is not cut");
    }
    assert!(read < BIG, "it was read slowly");
    while read < BIG {
        match slow.read(&mut part).await.expect("it is not cut") {
            0 => break,
            n => read += n,
        }
    }
    assert!(read > BIG, "the head and all of the body: {read}");
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_given_up() {
    let server = start().await;
    let mut stalled = server.connect().await;
    send(&mut stalled, &request("/big")).await;
    sleep(TIMEOUTS.idle + Duration::from_millis(400)).await;
    let mut text = Vec::new();
    let _ = timeout(LONG, stalled.read_to_end(&mut text))
        .await
        .expect("it is closed");
    assert!(text.len() < BIG, "and not written to its end");
}

#[tokio::test]
async fn an_answer_reaches_a_client_that_has_sent_more_than_was_wanted() {
    // A socket that is closed over unread input resets, and takes along what it has not sent yet.
    let server = start().await;
    let client = TcpSocket::new_v4().unwrap();
    client.set_recv_buffer_size(8 << 10).unwrap(); // the rest stays with the server
    let mut client = client.connect(server.address).await.unwrap();
    let head = "GET /big HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    send(&mut client, &format!("{head}{}", "x".repeat(30_000))).await;
    let mut most = vec![0; BIG - (256 << 10)];
    client.read_exact(&mut most).await.unwrap();
    // By now the server has handed the rest to its socket, and has nothing more to do.
    sleep(TIMEOUTS.linger / 5).await;
    let text = rest(&mut client).await;
    assert!(
        most.len() + text.len() > BIG,
        "the head and all of the body"
    );
}

#[tokio::test]
async fn http2_that_has_asked_for_nothing_is_told_to_go_away_when_the_listener_has_closed() {
    let server = start().await;
    let mut client = server.connect().await;
    client.write_all(PREFACE_AND_SETTINGS).await.unwrap();
    sleep(TIMEOUTS.header * 2).await; // idle is not unfinished headers
    server.stop().await;
    let frames = frames_until_pong(&mut client).await;
    assert!(!has_goaway(&frames), "not by the signal: {frames:?}");
    let frames = frames_until_the_end(&mut client).await;
    assert!(has_goaway(&frames), "{frames:?}");
    timeout(LONG, server.ended)
        .await
        .expect("and it holds nothing up")
        .unwrap();
}

#[tokio::test]
async fn http2_that_asks_late_in_a_stop_is_answered_and_then_told_to_go_away() {
    let server = start_with_drain(Duration::from_secs(1)).await;
    let mut early = server.connect().await;
    early.write_all(PREFACE_AND_SETTINGS).await.unwrap();
    frames_until_pong(&mut early).await;
    server.stop().await;
    let mut late = server.connect().await;
    late.write_all(PREFACE_AND_SETTINGS).await.unwrap();
    // The connections are there, and have asked for nothing when the server has seen the stop.
    for mut client in [early, late] {
        let frames = frames_until_pong(&mut client).await;
        assert!(!has_goaway(&frames), "before it has asked: {frames:?}");
        let asked = Instant::now();
        client.write_all(&http2_get("/fast")).await.unwrap();
        let mut frames = Vec::new();
        while !has_goaway(&frames) {
            let read = timeout(LONG, client.read_buf(&mut frames)).await;
            assert_ne!(read.unwrap().unwrap(), 0, "it is told: {frames:?}");
        }
        assert!(has_bytes(&frames, b"fast"), "it is answered: {frames:?}");
        // Python's h2 loses an answer that comes together with a GOAWAY and a PING.
        let took = asked.elapsed();
        assert!(
            took >= Duration::from_millis(50),
            "it has read that: {took:?}"
        );
    }
    timeout(LONG, server.ended).await.unwrap().unwrap();
}

/// Some clients, Python's httpx among them, give up what they have asked for when they are told to go.
#[tokio::test]
async fn http2_is_not_told_to_go_away_in_the_middle_of_its_answer() {
    let server = start().await;
    let mut client = server.connect().await;
    client.write_all(PREFACE_AND_SETTINGS).await.unwrap();
    client.write_all(&http2_get("/when-asked")).await.unwrap();
    timeout(LONG, server.asked.notified()).await.unwrap();
    server.stop().await;
    let frames = frames_until_pong(&mut client).await;
    assert!(!has_goaway(&frames), "not by the signal: {frames:?}");
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let frames = frames_until_pong(&mut client).await;
    assert!(!has_goaway(&frames), "nor by the close: {frames:?}");
    server.go.notify_one();
    let frames = frames_until_the_end(&mut client).await;
    assert!(has_bytes(&frames, b"late"), "{frames:?}");
    assert!(has_goaway(&frames), "and then it is told: {frames:?}");
    timeout(LONG, server.ended).await.unwrap().unwrap();
}

/// With empty settings.
const PREFACE_AND_SETTINGS: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A `GET` from http://x in HPACK's literals, on the first stream.
fn http2_get(path: &str) -> Vec<u8> {
    let block = [
        b"\x82\x86\x04",
        &[path.len() as u8][..],
        path.as_bytes(),
        b"\x01\x01x",
    ]
    .concat();
    [&[0, 0, block.len() as u8, 1, 5, 0, 0, 0, 1], &block[..]].concat()
}

/// What comes before the answer to a PING: by then the server has seen all that was sent before.
async fn frames_until_pong(client: &mut TcpStream) -> Vec<u8> {
    const PONG: &[u8] = b"\0\0\x08\x06\x01\0\0\0\0pingpong";
    client
        .write_all(b"\0\0\x08\x06\0\0\0\0\0pingpong")
        .await
        .unwrap();
    let mut frames = Vec::new();
    while !has_bytes(&frames, PONG) {
        let read = timeout(LONG, client.read_buf(&mut frames)).await;
        assert_ne!(read.unwrap().unwrap(), 0, "it is closed: {frames:?}");
    }
    frames
}

/// What comes until the server closes. PINGs are answered: by that the server learns that the client
/// knows of its GOAWAY.
async fn frames_until_the_end(client: &mut TcpStream) -> Vec<u8> {
    const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0";
    let (mut frames, mut answered) = (Vec::new(), false);
    loop {
        let read = timeout(LONG, client.read_buf(&mut frames)).await;
        if read.unwrap().expect("an end, not a reset") == 0 {
            return frames;
        }
        let ping = frames.windows(PING.len()).position(|at| at == PING);
        let content = ping.and_then(|at| frames.get(at + PING.len()..at + PING.len() + 8));
        if let (false, Some(content)) = (answered, content) {
            let pong = [b"\0\0\x08\x06\x01\0\0\0\0", content].concat();
            client.write_all(&pong).await.unwrap();
            answered = true;
        }
    }
}

fn has_bytes(frames: &[u8], bytes: &[u8]) -> bool {
    frames.windows(bytes.len()).any(|part| part == bytes)
}

#[tokio::test]
async fn http2_that_is_idle_is_told_to_go_away() {
    let server = start().await;
    let begun = Instant::now();
    let mut client = server.connect().await;
    // Byte by byte: a client may be slow.
    for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" {
        client.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut frames = Vec::new();
    timeout(LONG, client.read_to_end(&mut frames))
        .await
        .unwrap()
        .unwrap();
    assert!(has_goaway(&frames), "{frames:?}");
    assert!(begun.elapsed() >= TIMEOUTS.idle, "{:?}", begun.elapsed());
}

/// A client that sends PINGs and answers none.
#[tokio::test]
async fn pings_keep_no_connection_open_and_hold_up_no_stop() {
    for stops in [false, true] {
        let server = start().await;
        let mut client = server.connect().await;
        let begun = Instant::now();
        client.write_all(PREFACE_AND_SETTINGS).await.unwrap();
        client.write_all(&http2_get("/fast")).await.unwrap();
        if stops {
            server.stop().await;
        }
        let pinging = async {
            while client
                .write_all(b"\0\0\x08\x06\0\0\0\0\0pingpong")
                .await
                .is_ok()
            {
                sleep(TIMEOUTS.idle / 20).await;
            }
        };
        timeout(LONG, pinging).await.expect("it is closed");
        let took = begun.elapsed();
        let latest = TIMEOUTS.idle + TIMEOUTS.linger * 2;
        assert!(took < latest, "{took:?}");
        if stops {
            let ended = timeout(LONG, server.ended).await;
            ended.expect("it stops").unwrap();
            assert!(begun.elapsed() < latest, "{:?}", begun.elapsed());
        }
    }
}

#[tokio::test]
async fn a_method_that_begins_as_http2_does_is_one_of_http1() {
    let server = start().await;
    for method in ["P", "PR", "PRI", "PRINT", "PRI*"] {
        let mut client = server.connect().await;
        send(&mut client, &format!("{method} /fast HTTP/1.1\r\n")).await;
        send(&mut client, "host: x\r\n\r\n").await;
        let text = answer(&mut client).await;
        assert!(text.starts_with("HTTP/1.1 200"), "{method}: {text}");
    }
}

#[tokio::test]
async fn http2_that_lets_no_answer_come_is_given_up() {
    let server = start().await;
    let begun = Instant::now();
    let mut client = server.connect().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    // SETTINGS with INITIAL_WINDOW_SIZE 0.
    let settings = b"\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";
    client
        .write_all(&[&preface[..], settings].concat())
        .await
        .unwrap();
    client.write_all(&http2_get("/fast")).await.unwrap();
    let mut frames = Vec::new();
    timeout(LONG, client.read_to_end(&mut frames))
        .await
        .expect("it is closed")
        .unwrap();
    // `:status: 200` in HPACK, and none of the body.
    assert!(frames.contains(&0x88), "it was answered: {frames:?}");
    let took = begun.elapsed();
    assert!(
        (TIMEOUTS.stalled..TIMEOUTS.stalled * 2).contains(&took),
        "{took:?}"
    );
}

#[tokio::test]
async fn http2_that_leaves_without_its_answer_is_noticed_at_once() {
    let server = start().await;
    let mut client = server.connect().await;
    // SETTINGS with INITIAL_WINDOW_SIZE 0.
    let settings = b"\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    client
        .write_all(&[&preface[..], settings].concat())
        .await
        .unwrap();
    client.write_all(&http2_get("/fast")).await.unwrap();
    frames_until_pong(&mut client).await; // its headers have come
    let left = Instant::now();
    client.shutdown().await.unwrap();
    let mut frames = Vec::new();
    let read = timeout(LONG, client.read_to_end(&mut frames)).await;
    let _ = read.expect("it is closed");
    assert!(
        left.elapsed() < TIMEOUTS.stalled / 2,
        "{:?}",
        left.elapsed()
    );
}

#[tokio::test]
async fn http2_that_lets_one_of_its_answers_not_come_is_given_up() {
    let server = start().await;
    let begun = Instant::now();
    let mut client = server.connect().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = b"\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0"; // INITIAL_WINDOW_SIZE 0
    let mut bytes = [&preface[..], settings].concat();
    // One that is answered late, as a Watch, and one whose answer can't come.
    for (stream, block) in [
        (1, &b"\x82\x86\x04\x06/never\x01\x01x"[..]),
        (3, b"\x82\x86\x04\x05/fast\x01\x01x"),
    ] {
        bytes.extend([0, 0, block.len() as u8, 1, 5, 0, 0, 0, stream]);
        bytes.extend(block);
    }
    client.write_all(&bytes).await.unwrap();
    let mut frames = Vec::new();
    let read = timeout(LONG, client.read_to_end(&mut frames)).await;
    let _ = read.expect("it is closed");
    let took = begun.elapsed();
    let latest = TIMEOUTS.stalled * 2 + TIMEOUTS.header * 2;
    assert!((TIMEOUTS.stalled..latest).contains(&took), "{took:?}");
}

/// Walks the frames: length in three bytes, type, flags, stream.
/// <https://www.rfc-editor.org/rfc/rfc9113#section-4.1>
fn has_goaway(mut frames: &[u8]) -> bool {
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = frames {
        if *kind == 7 {
            return true;
        }
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        frames = rest.get(length..).unwrap_or_default();
    }
    false
}

#[tokio::test]
async fn accepted_sockets_find_out_when_a_client_has_vanished() {
    let listener = bind("[::]:0".parse().unwrap()).unwrap();
    let port = listener.local_addr().unwrap().port();
    let _client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    let socket = SockRef::from(&accepted);
    assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
    assert_eq!(
        socket.tcp_keepalive_time().unwrap(),
        Duration::from_secs(15)
    );
}

/// Otherwise a client that reads nothing has the kernel keep megabytes for it, which count as the
/// pod's memory.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn of_what_a_client_does_not_read_little_waits_in_the_kernel() {
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let client = TcpSocket::new_v4().unwrap();
    client.set_recv_buffer_size(4096).unwrap();
    let _client = client.connect(listener.local_addr().unwrap()).await;
    let (accepted, _) = listener.accept().await.unwrap();
    let (part, mut waiting) = ([b'x'; 4096], 0);
    accepted.writable().await.unwrap();
    while let Ok(written) = accepted.try_write(&part) {
        waiting += written;
    }
    assert!(waiting < 256 << 10, "{waiting} bytes wait");
}

#[tokio::test]
async fn a_service_learns_who_asks() {
    let server = start().await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.ends_with("\r\n\r\n127.0.0.1"), "{text}");
}

#[tokio::test]
async fn a_service_can_reset_a_connection_and_nothing_is_answered() {
    let server = start().await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /reset HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let error = timeout(LONG, stream.read_to_end(&mut answer))
        .await
        .unwrap()
        .expect_err("not an orderly end");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert!(answer.is_empty(), "{answer:?}");

    // With HTTP/2 all that is in flight on the connection ends with it.
    let io = hyper_util::rt::TokioIo::new(server.connect().await);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut client, connection) = hyper::client::conn::http2::handshake(executor, io)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let request = |path: &str| {
        let uri = format!("http://x{path}");
        Request::get(uri).body(Full::<Bytes>::default()).unwrap()
    };
    let never = tokio::spawn(client.send_request(request("/never")));
    server.asked.notified().await;
    let reset = client.send_request(request("/reset"));
    assert!(timeout(LONG, reset).await.unwrap().is_err());
    assert!(timeout(LONG, never).await.unwrap().unwrap().is_err());
    let error = timeout(LONG, connection)
        .await
        .unwrap()
        .unwrap()
        .unwrap_err();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = format!("{cause:?}");
    assert!(text.contains("ConnectionReset"), "{text}");
    let other = server.connect().await;
    drop(other); // the server goes on
}
