//! `grpc.health.v1.Health`, asked with hyper's client for HTTP/2.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::body::Bytes;
use chassis::{
    Chassis,
    config::{Build, defaults},
    http::{Routes, streamed},
    lifecycle::{Signal, Signals},
    server,
};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::{Frame, Incoming},
    client::conn::http2::{SendRequest, handshake},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc::{self, UnboundedSender},
    task::JoinHandle,
    time::{sleep, timeout},
};

/// Much longer than anything here takes when all is well.
const LONG: Duration = Duration::from_secs(20);

const SERVING: &[u8] = b"\0\0\0\0\x02\x08\x01";
const NOT_SERVING: &[u8] = b"\0\0\0\0\x02\x08\x02";
const SERVICE_UNKNOWN: &[u8] = b"\0\0\0\0\x02\x08\x03";

struct Fixture {
    address: SocketAddr,
    chassis: Chassis,
    signal: UnboundedSender<Signal>,
    ended: JoinHandle<std::process::ExitCode>,
    client: SendRequest<Full<Bytes>>,
}

async fn start(startup_delay: Duration) -> Fixture {
    let mut settings: chassis::Settings = defaults();
    settings.faults.faults = true;
    settings.lifecycle.startup_delay = startup_delay;
    let chassis = Chassis::new(Build::new("service", "1.0", None, None), settings);
    let listener = server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (signal, signals) = Signals::manual();
    let serving = chassis.clone();
    let ended = tokio::spawn(async move { serving.serve(Routes::new(), listener, signals).await });
    Fixture {
        address,
        chassis,
        signal,
        ended,
        client: connect(address).await,
    }
}

async fn connect(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

/// A message that names a service.
fn naming(service: &str) -> Vec<u8> {
    let length = u8::try_from(service.len()).unwrap();
    let mut message = vec![0, 0, 0, 0, length + 2, 0x0a, length];
    message.extend(service.as_bytes());
    message
}

/// The code, whether it came in the headers or the trailers, and the message.
struct Answer {
    code: String,
    message: Vec<u8>,
    headers: HeaderMap,
}

impl Fixture {
    async fn call(&self, method: &str, body: Vec<u8>) -> hyper::Result<Response<Incoming>> {
        let uri = format!("http://x/grpc.health.v1.Health/{method}");
        let request = Request::post(uri)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("user-agent", "kube-probe/1.35 grpc-go/1.72.2")
            .body(Full::from(body))
            .unwrap();
        let answer = self.client.clone().send_request(request);
        timeout(LONG, answer).await.expect("an answer")
    }

    async fn check_raw(&self, body: Vec<u8>) -> Answer {
        let (head, body) = self.call("Check", body).await.unwrap().into_parts();
        assert_eq!(head.status, StatusCode::OK);
        assert_eq!(head.headers["content-type"], "application/grpc");
        let body = body.collect().await.unwrap();
        let trailers = body.trailers().cloned().unwrap_or_default();
        let code = trailers
            .get("grpc-status")
            .or(head.headers.get("grpc-status"));
        Answer {
            code: code.unwrap().to_str().unwrap().to_owned(),
            message: body.to_bytes().to_vec(),
            headers: head.headers,
        }
    }

    async fn check(&self, service: &str) -> Answer {
        self.check_raw(naming(service)).await
    }

    async fn http(&self, method: &str, path: &str) -> (StatusCode, String) {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://x{path}"))
            .header("accept", "application/json")
            .body(Full::default())
            .unwrap();
        let answer = connect(self.address)
            .await
            .send_request(request)
            .await
            .unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn set(&self, switch: &str) {
        let (status, text) = self.http("PUT", &format!("/faults/{switch}")).await;
        assert_eq!(status, StatusCode::OK, "{text}");
    }

    async fn mirror(&self) -> Value {
        let (_, text) = self.http("GET", "/probes").await;
        serde_json::from_str::<Value>(&text).unwrap()["grpc"].take()
    }
}

/// The next message of a stream; none when it has ended, with its code.
async fn next(stream: &mut Incoming) -> Result<Bytes, String> {
    let frame = timeout(LONG, stream.frame())
        .await
        .expect("news")
        .unwrap()
        .unwrap();
    match frame.into_data() {
        Ok(data) => Ok(data),
        Err(frame) => {
            let trailers = frame.into_trailers().unwrap();
            Err(trailers["grpc-status"].to_str().unwrap().to_owned())
        }
    }
}

/// A stream of questions to the reflection service of that version, and its answers.
async fn reflect(server: &Fixture, version: &str) -> (UnboundedSender<Vec<u8>>, Incoming) {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let uri = format!("http://x/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
    let (questions, parts) = mpsc::unbounded_channel::<Vec<u8>>();
    let request = Request::post(uri).header("content-type", "application/grpc");
    let body = streamed(parts, |mut parts| async {
        let part = parts.recv().await?;
        Some((Frame::data(part.into()), parts))
    });
    let request = request.body(body).unwrap();
    let answer = timeout(LONG, client.send_request(request)).await;
    let answer = answer.expect("an answer before any question").unwrap();
    assert_eq!(answer.headers()["content-type"], "application/grpc");
    (questions, answer.into_body())
}

fn contains(message: &[u8], part: &str) -> bool {
    String::from_utf8_lossy(message).contains(part)
}

#[tokio::test]
async fn reflection_answers_each_question_of_a_stream() {
    let server = start(Duration::ZERO).await;
    for version in ["v1", "v1alpha"] {
        let (questions, mut answers) = reflect(&server, version).await;
        let question = |field: u8, name: &str| {
            let mut question = naming(name);
            question[5] = field << 3 | 2;
            question
        };
        for (field, name, part) in [
            (7, "", "grpc.health.v1.Health"),
            (4, "grpc.health.v1.Health", "HealthCheckRequest"),
            (4, "grpc.health.v1.Health.Watch", "HealthCheckRequest"),
            (3, "grpc/health/v1/health.proto", "SERVICE_UNKNOWN"),
            (4, "grpc.health.v1.Nothing", "there is no such thing"),
            (3, "grpc.health.v1.Health", "there is no such thing"),
            (5, "grpc.health.v1.Health", "there is no such thing"),
            (1, "a host alone", "there is no such thing"),
        ] {
            questions.send(question(field, name)).unwrap();
            let answer = next(&mut answers).await.unwrap();
            let length = u32::from_be_bytes(answer[1..5].try_into().unwrap());
            assert_eq!(
                (answer[0], length as usize),
                (0, answer.len() - 5),
                "{name}"
            );
            assert!(contains(&answer, part), "{field} {name}: {answer:?}");
            assert!(
                contains(&answer, name),
                "{field} {name} is repeated: {answer:?}"
            );
        }
        // In two parts, and two at once.
        let list = question(7, "*");
        let (beginning, end) = list.split_at(4);
        questions.send(beginning.to_vec()).unwrap();
        questions.send([end, &list[..]].concat()).unwrap();
        for _ in 0..2 {
            assert!(contains(
                &next(&mut answers).await.unwrap(),
                "grpc.health.v1.Health"
            ));
        }
        drop(questions);
        assert_eq!(next(&mut answers).await, Err("0".to_owned()), "{version}");
    }
    assert_eq!(server.mirror().await, serde_json::json!([]), "no probe");
}

#[tokio::test]
async fn reflection_takes_no_message_that_is_long_compressed_or_broken_off() {
    let server = start(Duration::ZERO).await;
    for (bytes, code) in [
        (&[0, 0, 0, 4, 1][..], "8"),
        (&[0, 255, 255, 255, 255], "8"),
        (&[1, 0, 0, 0, 0], "12"),
        (&[0, 0, 0, 0, 9, 1], "13"),
    ] {
        let (questions, mut answers) = reflect(&server, "v1").await;
        questions.send(bytes.to_vec()).unwrap();
        drop(questions);
        assert_eq!(next(&mut answers).await, Err(code.to_owned()), "{bytes:?}");
    }
    // A message that isn't one of reflection is a question that has no answer.
    let (questions, mut answers) = reflect(&server, "v1").await;
    questions.send(vec![0, 0, 0, 0, 1, 0xff]).unwrap();
    assert!(contains(
        &next(&mut answers).await.unwrap(),
        "there is no such thing"
    ));
}

#[tokio::test]
async fn reflection_waits_ten_seconds_for_a_message_however_many_parts_it_has() {
    let server = start(Duration::ZERO).await;
    let begun = Instant::now();
    let (questions, mut answers) = reflect(&server, "v1").await;
    let trickle = async {
        while questions.send(vec![0]).is_ok() && begun.elapsed() < LONG {
            sleep(Duration::from_secs(3)).await;
        }
    };
    let ended = tokio::select! {
        ended = next(&mut answers) => ended,
        () = trickle => panic!("it is not given up"),
    };
    assert_eq!(ended, Err("4".to_owned()), "DEADLINE_EXCEEDED");
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn reflection_does_not_hold_up_a_stop() {
    let server = start(Duration::ZERO).await;
    let (_questions, mut answers) = reflect(&server, "v1").await;
    server.signal.send(Signal::Terminate).unwrap();
    assert_eq!(next(&mut answers).await, Err("14".to_owned()));
    timeout(LONG, server.ended)
        .await
        .expect("it stops")
        .unwrap();
}

#[tokio::test]
async fn each_service_answers_as_its_probe_does() {
    let server = start(Duration::ZERO).await;
    for service in ["", "readiness", "liveness", "startup"] {
        let answer = server.check(service).await;
        assert_eq!(
            (answer.code.as_str(), &answer.message[..]),
            ("0", SERVING),
            "{service}"
        );
        assert!(answer.headers.contains_key("pod"), "as any answer");
    }
    let unknown = server.check("oneapi").await;
    assert_eq!(
        (unknown.code.as_str(), &unknown.message[..]),
        ("5", &b""[..])
    );

    let slow = start(Duration::from_secs(3600)).await;
    for (service, expected) in [
        ("", NOT_SERVING),
        ("readiness", NOT_SERVING),
        ("liveness", SERVING),
        ("startup", NOT_SERVING),
    ] {
        assert_eq!(slow.check(service).await.message, expected, "{service}");
    }
}

#[tokio::test]
async fn the_mirror_shows_them_by_the_status_that_http_would_have() {
    let server = start(Duration::ZERO).await;
    server.check("").await;
    server.check("nothing").await;
    server.set("liveness?mode=fail&for=ever").await;
    server.check("liveness").await;
    let mirror = server.mirror().await;
    let entries = mirror.as_array().unwrap();
    let statuses: Vec<_> = entries
        .iter()
        .map(|entry| entry["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [200, 404, 503]);
    assert_eq!(
        entries[0]["service"], "readiness",
        "which the one without a name is"
    );
    assert_eq!(entries[1]["service"], Value::Null, "there is no such");
    assert_eq!(entries[2]["service"], "liveness");

    server.set("liveness?hang=9m&for=ever").await;
    let hanging = timeout(Duration::from_millis(200), server.check("liveness")).await;
    assert!(hanging.is_err(), "it hangs");
    let given_up = async {
        while server.mirror().await[3].is_null() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, given_up).await.expect("it is shown");
    let given_up = &server.mirror().await[3];
    assert_eq!(
        (&given_up["status"], &given_up["service"]),
        (&499.into(), &"liveness".into())
    );
    assert_eq!(entries[0]["agent"], "kube-probe/1.35 grpc-go/1.72.2");
    assert_eq!(entries[0]["from"], "127.0.0.1");
}

/// What one port answers to each protocol, and what the mirror says of it.
#[tokio::test]
async fn the_mirror_says_which_protocol_each_probe_spoke() {
    let server = start(Duration::ZERO).await;
    for version in ["HTTP/1.1", "HTTP/1.0"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let request = format!("GET /livez {version}\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(" 200 OK\r\n"), "{version}: {answer}");
    }
    let (status, _) = server.http("GET", "/livez").await;
    assert_eq!(status, StatusCode::OK, "over HTTP/2");
    assert_eq!(server.check("liveness").await.message, SERVING);
    assert_eq!(server.check("nothing").await.code, "5");
    // Of the path of gRPC alone, a request isn't of gRPC.
    let (status, _) = server.http("POST", "/grpc.health.v1.Health/Check").await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    server.set("liveness?reset&count=1").await;
    assert!(server.call("Check", naming("liveness")).await.is_err());

    let (_, probes) = server.http("GET", "/probes").await;
    let probes: Value = serde_json::from_str(&probes).unwrap();
    let spoken = |kind: &str| -> Vec<(u64, String)> {
        let entries = probes[kind].as_array().unwrap().iter();
        let shown = entries.map(|entry| {
            let protocol = entry["protocol"].as_str().unwrap_or("nothing");
            (entry["status"].as_u64().unwrap(), protocol.to_owned())
        });
        shown.collect()
    };
    let entry = |status: u64, protocol: &str| (status, protocol.to_owned());
    assert_eq!(
        spoken("liveness"),
        [
            entry(200, "HTTP/1.1"),
            entry(200, "HTTP/1.0"),
            entry(200, "HTTP/2")
        ]
    );
    assert_eq!(
        spoken("grpc"),
        [
            entry(200, "gRPC"),
            entry(404, "gRPC"),
            entry(415, "HTTP/2"),
            entry(444, "gRPC")
        ]
    );
}

#[tokio::test]
async fn the_switches_of_the_probes_act_on_them_too() {
    let server = start(Duration::ZERO).await;
    server.set("readiness?mode=fail&count=2").await;
    for service in ["", "readiness"] {
        let failed = server.check(service).await;
        assert_eq!(
            (failed.code.as_str(), &failed.message[..]),
            ("0", NOT_SERVING),
            "{service}"
        );
        assert_eq!(failed.headers["fault"], "readiness");
    }
    let recovered = server.check("").await;
    assert_eq!(recovered.message, SERVING, "twice was all");
    assert!(!recovered.headers.contains_key("fault"));

    server.set("startup?hang=200ms&count=1").await;
    let late = server.check("startup").await;
    assert_eq!(
        (late.message.as_slice(), &late.headers["fault"]),
        (SERVING, &"startup".parse().unwrap())
    );
    let mirror = server.mirror().await;
    let took = mirror[3]["took_seconds"].as_f64().unwrap();
    assert!(took >= 0.2, "{mirror}");

    server.set("liveness?reset&count=1").await;
    let reset = server.call("Check", naming("liveness")).await;
    assert!(reset.is_err(), "{reset:?}");
    assert_eq!(server.mirror().await[4]["status"], 444);
}

#[tokio::test]
async fn whatever_is_no_such_call_is_refused_in_the_way_of_the_protocol() {
    let server = start(Duration::ZERO).await;
    let mut long = naming("x");
    long[3] = 8; // 2 kB and more
    long.resize(3000, b'x');
    for (body, code) in [
        (b"".to_vec(), "13"),
        (b"\0\0\0".to_vec(), "13"),
        (b"\0\0\0\0\x05\x0a".to_vec(), "13"),     // half of it
        (b"\0\0\0\0\0\0\0\0\0\0".to_vec(), "13"), // two
        (b"\0\0\0\0\x02\x0a\x05".to_vec(), "13"), // not what it says
        (b"\0\0\0\0\x03\x0a\x01\xff".to_vec(), "13"), // not UTF-8
        (b"\x01\0\0\0\x02\x0a\0".to_vec(), "12"), // compressed
        (b"\0\xff\xff\xff\xff".to_vec(), "8"),    // 4 GiB are announced
        (long, "8"),
    ] {
        let shown: Vec<u8> = body.iter().copied().take(12).collect();
        let answer = server.check_raw(body).await;
        assert_eq!(answer.code, code, "{shown:?}");
        assert!(answer.headers.contains_key("grpc-message"), "{shown:?}");
    }
    for (content_type, expected) in [
        ("application/json", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/grpc-web", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/grpc+json", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/grpc+proto", StatusCode::OK),
        ("application/grpc; charset=x", StatusCode::OK),
    ] {
        let request = Request::post("http://x/grpc.health.v1.Health/Check")
            .header("content-type", content_type)
            .body(Full::from(naming("")))
            .unwrap();
        let answer = server.client.clone().send_request(request).await.unwrap();
        assert_eq!(answer.status(), expected, "{content_type}");
    }
    let (status, _) = server.http("GET", "/grpc.health.v1.Health/Check").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);

    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut old, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::post("/grpc.health.v1.Health/Check")
        .header("host", "x")
        .header("content-type", "application/grpc")
        .body(Full::<Bytes>::from(naming("")))
        .unwrap();
    let answer = old.send_request(request).await.unwrap();
    assert_eq!(
        answer.status(),
        StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        "over HTTP/1.1"
    );
}

#[tokio::test]
async fn a_watch_tells_what_changes_and_ends_when_the_stop_begins() {
    let server = start(Duration::ZERO).await;
    let mut readiness = server.call("Watch", naming("")).await.unwrap().into_body();
    let mut liveness = server
        .call("Watch", naming("liveness"))
        .await
        .unwrap()
        .into_body();
    let mut unknown = server
        .call("Watch", naming("oneapi"))
        .await
        .unwrap()
        .into_body();
    assert_eq!(next(&mut readiness).await.unwrap(), SERVING);
    assert_eq!(next(&mut liveness).await.unwrap(), SERVING);
    assert_eq!(next(&mut unknown).await.unwrap(), SERVICE_UNKNOWN);

    server.set("readiness?mode=fail&for=ever").await;
    assert_eq!(next(&mut readiness).await.unwrap(), NOT_SERVING);
    server.http("DELETE", "/faults/readiness").await;
    assert_eq!(next(&mut readiness).await.unwrap(), SERVING);
    server.set("readiness?mode=fail&for=50ms").await;
    assert_eq!(next(&mut readiness).await.unwrap(), NOT_SERVING);
    assert_eq!(
        next(&mut readiness).await.unwrap(),
        SERVING,
        "it has ended by itself"
    );

    server.signal.send(Signal::Terminate).unwrap();
    assert_eq!(next(&mut readiness).await.unwrap(), NOT_SERVING);
    assert_eq!(next(&mut readiness).await.unwrap_err(), "14");
    assert_eq!(
        next(&mut liveness).await.unwrap_err(),
        "14",
        "it lives, and tells no other"
    );
    assert_eq!(next(&mut unknown).await.unwrap_err(), "14");
    timeout(LONG, server.ended)
        .await
        .expect("no stream holds up the stop")
        .unwrap();
}

#[tokio::test]
async fn a_watch_sees_the_end_of_a_slow_start() {
    let server = start(Duration::from_millis(300)).await;
    let mut startup = server
        .call("Watch", naming("startup"))
        .await
        .unwrap()
        .into_body();
    assert_eq!(next(&mut startup).await.unwrap(), NOT_SERVING);
    assert_eq!(next(&mut startup).await.unwrap(), SERVING);
    assert!(server.chassis.life.startup().is_ok());
}

#[tokio::test]
async fn a_watch_whose_client_leaves_is_over() {
    let server = start(Duration::ZERO).await;
    let client = connect(server.address).await;
    let watcher = Fixture { client, ..server };
    let mut stream = watcher.call("Watch", naming("")).await.unwrap().into_body();
    next(&mut stream).await.unwrap();
    assert_eq!(watcher.chassis.metrics.in_flight(), 1);
    drop(stream);
    let over = async {
        while watcher.chassis.metrics.in_flight() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, over)
        .await
        .expect("nobody is written to any more");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_never_comes_is_given_up() {
    struct Never;
    impl futures_core::Stream for Never {
        type Item = Result<Bytes, std::io::Error>;
        fn poll_next(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            std::task::Poll::Pending
        }
    }
    let chassis = Chassis::new(Build::new("service", "1.0", None, None), defaults());
    let request = Request::post("http://x/grpc.health.v1.Health/Check")
        .version(hyper::Version::HTTP_2)
        .header("content-type", "application/grpc")
        .body(axum::body::Body::from_stream(Never))
        .unwrap();
    let begin = tokio::time::Instant::now();
    let answer = chassis.app(Routes::new()).answer(request).await;
    assert_eq!(answer.headers()["grpc-status"], "4");
    assert_eq!(begin.elapsed().as_secs(), 10);
}
