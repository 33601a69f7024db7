//! The fault switches, as a client sees them.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
    routing::get,
};
use chassis::{
    Chassis,
    config::{Build, defaults},
    faults,
    http::{App, Routes},
    lifecycle::{Signal, Signals},
    server,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc::UnboundedSender,
    time::timeout,
};

/// Much longer than anything here takes when all is well.
const LONG: Duration = Duration::from_secs(20);

fn chassis(edit: impl FnOnce(&mut faults::Settings)) -> Chassis {
    let mut settings: chassis::Settings = defaults();
    settings.faults.faults = true;
    edit(&mut settings.faults);
    Chassis::new(Build::new("service", "1.0", None, None), settings)
}

fn routes() -> Routes {
    Routes::new().add("/test", get(async || "test"))
}

/// The app alone: no sockets.
fn app() -> App {
    let chassis = chassis(|_| ());
    chassis.app(routes())
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e} in {}", self.body))
    }

    /// The header `fault`.
    fn fault(&self) -> Option<&str> {
        Some(self.headers.get("fault")?.to_str().unwrap())
    }
}

async fn ask(app: &App, method: Method, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path);
    let response = app.answer(request.body(Body::empty()).unwrap()).await;
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: head.status,
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

async fn status(app: &App, path: &str) -> StatusCode {
    ask(app, Method::GET, path).await.status
}

async fn put(app: &App, switch: &str) -> Value {
    let answer = ask(app, Method::PUT, &format!("/faults/{switch}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{switch}: {}", answer.body);
    answer.json()
}

async fn list(app: &App) -> Value {
    ask(app, Method::GET, "/faults").await.json()
}

#[tokio::test]
async fn switches_that_are_not_allowed_are_refused_with_how_to_allow_them() {
    let app = chassis(|settings| settings.faults = false).app(routes());
    for (method, path) in [
        (Method::PUT, "/faults/errors?for=1s"),
        (Method::PUT, "/faults/nothing"),
        (Method::DELETE, "/faults/errors"),
        (Method::DELETE, "/faults"),
    ] {
        let answer = ask(&app, method.clone(), path).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
        assert!(
            answer.body.contains("FAULTS=true (or --faults)"),
            "{}",
            answer.body
        );
    }
    assert_eq!(list(&app).await, json!([]));
    assert_eq!(status(&app, "/test").await, StatusCode::OK);
    let metrics = ask(&app, Method::GET, "/metrics").await.body;
    assert!(
        !metrics.contains("faults_injected"),
        "and there are no metrics of them: {metrics}"
    );
}

#[tokio::test]
async fn only_put_and_delete_change_anything() {
    let app = app();
    for method in [Method::GET, Method::HEAD, Method::POST, Method::PATCH] {
        let answer = ask(&app, method.clone(), "/faults/errors?for=ever").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    assert_eq!(list(&app).await, json!([]));
    let refused = ask(&app, Method::PUT, "/faults/errors?percent=101&for=ever").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        refused.body,
        "percent can't be '101': it is a number from 0 to 100"
    );
    assert_eq!(list(&app).await, json!([]));
}

/// Its page may be another site's, whose name leads here: it is of the same origin then.
#[tokio::test]
async fn a_browser_changes_no_switch() {
    let app = app();
    put(&app, "errors?for=ever").await;
    for (method, path) in [
        (Method::PUT, "/faults/latency?delay=1s&for=ever"),
        (Method::DELETE, "/faults/errors"),
        (Method::DELETE, "/faults"),
    ] {
        let request = Request::builder().method(method.clone()).uri(path);
        let request = request.header("origin", "http://evil.example:5000");
        let response = app.answer(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{method} {path}");
    }
    let set = list(&app).await;
    assert_eq!(set.as_array().map(Vec::len), Some(1), "{set}");
    assert_eq!(set[0]["name"], "errors", "{set}");
}

#[tokio::test]
async fn a_switch_is_listed_with_what_is_left_of_it() {
    let app = app();
    let set = put(&app, "errors?percent=50&status=502&count=7").await;
    let errors = json!({
        "name": "errors",
        "parameters": {"percent": 50, "status": 502},
        "left": {"seconds": null, "count": 7},
    });
    assert_eq!(set, errors);
    put(&app, "readiness?mode=fail&for=1h").await;
    put(&app, "latency?delay=1ms&for=ever").await;
    assert_eq!(status(&app, "/test").await, StatusCode::BAD_GATEWAY);
    let listed = list(&app).await;
    assert_eq!(listed[0]["name"], "readiness");
    let left = listed[0]["left"]["seconds"].as_f64().unwrap();
    assert!((3590.0..=3600.0).contains(&left), "{listed}");
    assert_eq!(
        listed[1]["parameters"],
        json!({"delay": "1ms", "jitter": "0s"})
    );
    assert_eq!(listed[1]["left"], json!({"seconds": null, "count": null}));
    assert_eq!(listed[2]["left"]["count"], 6, "{listed}");

    let cleared = ask(&app, Method::DELETE, "/faults/errors").await;
    assert_eq!(cleared.json()["left"]["count"], 6, "as it was listed");
    let again = ask(&app, Method::DELETE, "/faults/errors").await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    assert_eq!(again.body, "the fault switch errors isn't set");
    let rest = ask(&app, Method::DELETE, "/faults").await.json();
    assert_eq!(rest.as_array().unwrap().len(), 2, "{rest}");
    assert_eq!(list(&app).await, json!([]));
    assert_eq!(ask(&app, Method::GET, "/test").await.fault(), None);
}

#[tokio::test]
async fn a_probe_fails_alone_and_so_often_as_was_said() {
    let app = app();
    for (name, path) in [
        ("liveness", "/livez"),
        ("readiness", "/readyz"),
        ("startup", "/startupz"),
    ] {
        put(&app, &format!("{name}?mode=fail&count=2")).await;
        for other in ["/livez", "/readyz", "/startupz", "/test"] {
            if other != path {
                assert_eq!(
                    status(&app, other).await,
                    StatusCode::OK,
                    "{name} and {other}"
                );
            }
        }
        for _ in 0..2 {
            let failed = ask(&app, Method::GET, path).await;
            assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE, "{name}");
            assert_eq!(failed.fault(), Some(name));
            assert_eq!(
                failed.body,
                format!("failing, as the fault switch {name} says")
            );
        }
        let recovered = ask(&app, Method::GET, path).await;
        assert_eq!(
            (recovered.status, recovered.fault()),
            (StatusCode::OK, None),
            "{name}"
        );
        assert_eq!(list(&app).await, json!([]));
    }
}

#[tokio::test]
async fn errors_come_as_often_as_was_said() {
    let app = app();
    let mut errors = 0;
    for percent in [0.25, 1.0, 7.5, 33.3, 50.0, 92.5, 99.9] {
        for (switch, status) in [("reset", 444), ("errors", 503)] {
            let more = if switch == "errors" {
                "&status=503"
            } else {
                ""
            };
            put(&app, &format!("{switch}?percent={percent}{more}&for=ever")).await;
            let mut met = 0;
            for _ in 0..2000 {
                let answer = ask(&app, Method::GET, "/test").await;
                let is_met = answer.status == status;
                assert_eq!(answer.fault(), is_met.then_some(switch));
                met += u32::from(is_met);
            }
            let off = f64::from(met) - 2000.0 * percent / 100.0;
            assert!(off.abs() <= 1.0, "{met} of 2000 are not {percent} %");
            if switch == "errors" {
                errors += met;
            } else {
                ask(&app, Method::DELETE, "/faults/reset").await;
            }
        }
        if percent < 99.0 {
            ask(&app, Method::DELETE, "/faults/errors").await;
        }
    }
    let metrics = ask(&app, Method::GET, "/metrics").await.body;
    let line = format!(r#"faults_injected_total{{fault="errors"}} {errors}"#);
    assert!(metrics.contains(&line), "{line} is not in {metrics}");
    assert!(
        metrics.contains(r#"fault_set{fault="errors"} 1"#),
        "{metrics}"
    );
    assert!(
        metrics.contains(r#"fault_set{fault="deaf"} 0"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn what_shows_a_fault_is_touched_by_none() {
    let app = app();
    for switch in [
        "errors?for=ever",
        "reset?for=ever",
        "latency?delay=9m&for=ever",
        "liveness?mode=fail&for=ever",
        "readiness?mode=fail&for=ever",
        "startup?mode=fail&for=ever",
    ] {
        put(&app, switch).await;
    }
    for path in ["/probes", "/metrics", "/info", "/faults"] {
        let answer = timeout(LONG, ask(&app, Method::GET, path)).await.unwrap();
        assert_eq!(
            (answer.status, answer.fault()),
            (StatusCode::OK, None),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_request_that_says_more_than_is_read_changes_nothing() {
    let app = app();
    ask(&app, Method::PUT, "/faults/errors?for=1m").await;
    for (method, path, body) in [
        (Method::GET, "/faults?name=errors", ""),
        (Method::DELETE, "/faults?name=latency", ""),
        (Method::DELETE, "/faults", "name=latency"),
        (Method::DELETE, "/faults/errors?for=1m", ""),
        (Method::PUT, "/faults/errors?for=2s", "percent=5"),
    ] {
        let request = Request::builder().method(&method).uri(path);
        let answer = app.answer(request.body(Body::from(body)).unwrap()).await;
        let status = answer.status();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{method} {path}");
    }
    let left = ask(&app, Method::GET, "/faults").await.json();
    assert_eq!(left[0]["parameters"]["percent"], json!(100), "{left}");
    assert_eq!(left.as_array().map(Vec::len), Some(1));
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_late_by_the_delay_give_or_take_the_jitter() {
    let app = app();
    put(&app, "latency?delay=200ms&jitter=100ms&for=ever").await;
    let mut sum = Duration::ZERO;
    for _ in 0..100 {
        let begin = tokio::time::Instant::now();
        let answer = ask(&app, Method::GET, "/test").await;
        assert_eq!(
            (answer.body.as_str(), answer.fault()),
            ("test", Some("latency"))
        );
        let took = begin.elapsed();
        assert!((100..=302).contains(&took.as_millis()), "{took:?}");
        sum += took;
    }
    let mean = sum / 100;
    assert!((190..=212).contains(&mean.as_millis()), "{mean:?}");
    put(&app, "errors?for=ever").await;
    let both = ask(&app, Method::GET, "/test").await;
    assert_eq!(both.fault(), Some("latency, errors"));
}

/// Whatever its end is, and however it comes.
#[tokio::test]
async fn what_a_switch_holds_back_goes_on_when_it_ends() {
    let delay = "delay=9m&jitter=1m";
    for (name, parameters, path) in [
        ("liveness", "hang=9m", "/livez"),
        ("readiness", "hang=9m", "/readyz"),
        ("startup", "hang=9m", "/startupz"),
        ("latency", delay, "/test"),
    ] {
        for (end, by) in [
            ("for=ever", "clear"),
            ("for=1h", "clear"),
            ("count=1", "clear"),
            ("count=2", "clear"),
            ("count=1", "clear all"),
            ("count=1", "set anew"),
            ("for=ever", "set anew"),
            ("for=200ms", "time"),
        ] {
            let what = format!("{name}?{parameters}&{end}, by {by}");
            let app = Arc::new(app());
            put(&app, &format!("{name}?{parameters}&{end}")).await;
            let hanging = tokio::spawn({
                let app = Arc::clone(&app);
                async move { ask(&app, Method::GET, path).await }
            });
            let acted = format!(r#"faults_injected_total{{fault="{name}"}} 1"#);
            has_line(&app, &acted).await;
            if by != "time" {
                assert!(!hanging.is_finished(), "{what}: it hangs");
                assert_eq!(list(&app).await[0]["name"], name, "{what}: it is listed");
            }
            if end == "count=1" {
                let next = timeout(LONG, ask(&app, Method::GET, path)).await;
                assert_eq!(
                    next.unwrap().fault(),
                    None,
                    "{what}: one was to be held back"
                );
                assert_eq!(list(&app).await[0]["left"]["count"], 0, "{what}");
            }
            match by {
                "clear" => {
                    let cleared = ask(&app, Method::DELETE, &format!("/faults/{name}")).await;
                    assert_eq!(cleared.status, StatusCode::OK, "{what}: {}", cleared.body);
                }
                "clear all" => {
                    let cleared = ask(&app, Method::DELETE, "/faults").await.json();
                    assert_eq!(
                        cleared.as_array().map(Vec::len),
                        Some(1),
                        "{what}: {cleared}"
                    );
                }
                "set anew" => drop(put(&app, &format!("{name}?{parameters}&count=9")).await),
                _ => {}
            }
            let answer = timeout(LONG, hanging).await;
            let answer = answer
                .unwrap_or_else(|_| panic!("{what}: it goes on"))
                .unwrap();
            assert_eq!(
                (answer.status, answer.fault()),
                (StatusCode::OK, Some(name)),
                "{what}"
            );
            let left = list(&app).await;
            let expected = if by == "set anew" {
                json!(9)
            } else {
                Value::Null
            };
            assert_eq!(left[0]["left"]["count"], expected, "{what}: {left}");
        }
    }
}

/// One whose client has left is not held back any more.
#[tokio::test]
async fn a_switch_that_is_used_up_is_gone_when_the_last_client_has_left() {
    let app = Arc::new(app());
    put(&app, "latency?delay=9m&count=1").await;
    let hanging = tokio::spawn({
        let app = Arc::clone(&app);
        async move { ask(&app, Method::GET, "/test").await }
    });
    has_line(&app, r#"faults_injected_total{fault="latency"} 1"#).await;
    assert_eq!(list(&app).await[0]["left"]["count"], 0);
    hanging.abort();
    assert!(hanging.await.unwrap_err().is_cancelled());
    assert_eq!(list(&app).await, json!([]));
}

#[tokio::test]
async fn an_answer_is_held_back_no_longer_than_is_allowed() {
    let app = app();
    for (parameters, expected) in [
        ("delay=10m", StatusCode::OK),
        ("delay=10m&jitter=1ms", StatusCode::BAD_REQUEST),
        ("delay=5m&jitter=5m", StatusCode::OK),
        ("delay=6m&jitter=5m", StatusCode::BAD_REQUEST),
        ("delay=10m&jitter=10m", StatusCode::BAD_REQUEST),
        ("delay=365days&jitter=365days", StatusCode::BAD_REQUEST),
    ] {
        let path = format!("/faults/latency?{parameters}&for=1s");
        let answer = ask(&app, Method::PUT, &path).await;
        assert_eq!(answer.status, expected, "{parameters}: {}", answer.body);
        if expected == StatusCode::BAD_REQUEST {
            assert!(
                answer.body.contains("MAX_FAULT_DELAY allows up to 10m"),
                "{}",
                answer.body
            );
        }
    }
    let both = ask(
        &app,
        Method::PUT,
        "/faults/latency?delay=300d&jitter=65d&for=1s",
    )
    .await;
    assert_eq!(
        both.body,
        "delay plus jitter can't be 365d: MAX_FAULT_DELAY allows up to 10m"
    );
}

async fn has_line(app: &App, line: &str) {
    let wait = async {
        while !ask(app, Method::GET, "/metrics").await.body.contains(line) {
            tokio::task::yield_now().await;
        }
    };
    let metrics = ask(app, Method::GET, "/metrics").await.body;
    assert!(
        timeout(LONG, wait).await.is_ok(),
        "{line} is not in\n{metrics}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_last_of_a_count_hangs_as_long_as_the_others() {
    let app = app();
    put(&app, "readiness?hang=5s&count=1").await;
    let begin = tokio::time::Instant::now();
    ask(&app, Method::GET, "/readyz").await;
    assert!(
        begin.elapsed() >= Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test]
async fn a_switch_that_is_set_again_begins_anew() {
    let app = app();
    put(&app, "errors?status=500&for=50ms").await;
    put(&app, "errors?status=502&for=ever").await;
    tokio::time::sleep(Duration::from_millis(150)).await; // the end of the first
    assert_eq!(status(&app, "/test").await, StatusCode::BAD_GATEWAY);
    assert_eq!(list(&app).await.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_leave_one() {
    let app = Arc::new(app());
    let all: Vec<_> = (1..=1000)
        .map(|n| {
            let app = Arc::clone(&app);
            let switch = match n % 3 {
                0 => format!("files?count={}&for=1m", n % 50 + 1),
                1 => format!("memory?mib={}&for=1m", n % 8 + 1),
                _ => format!("errors?percent={}&count={n}", n % 100),
            };
            tokio::spawn(async move { put(&app, &switch).await })
        })
        .collect();
    for one in all {
        timeout(LONG, one).await.unwrap().unwrap();
    }
    let listed = list(&app).await;
    assert_eq!(listed.as_array().unwrap().len(), 3, "{listed}");
    ask(&app, Method::DELETE, "/faults").await;
    assert_eq!(list(&app).await, json!([]));
    assert_eq!(status(&app, "/test").await, StatusCode::OK);
}

/// The whole service.
struct Fixture {
    address: SocketAddr,
    chassis: Chassis,
    signal: UnboundedSender<Signal>,
    ended: tokio::task::JoinHandle<std::process::ExitCode>,
}

fn serve(chassis: Chassis) -> Fixture {
    let listener = server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (signal, signals) = Signals::manual();
    let serving = chassis.clone();
    let ended = tokio::spawn(async move { serving.serve(routes(), listener, signals).await });
    Fixture {
        address,
        chassis,
        signal,
        ended,
    }
}

impl Fixture {
    async fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn ask(&self, request: &str) -> std::io::Result<String> {
        let mut text = String::new();
        let mut stream = self.send(request).await;
        timeout(LONG, stream.read_to_string(&mut text))
            .await
            .expect("an answer")?;
        Ok(text)
    }

    async fn metrics_have(&self, line: &str) {
        let wait = async {
            while !self.chassis.metrics.openmetrics_text().contains(line) {
                tokio::task::yield_now().await;
            }
        };
        let text = || self.chassis.metrics.openmetrics_text();
        assert!(
            timeout(LONG, wait).await.is_ok(),
            "{line} is not in\n{}",
            text()
        );
    }
}

#[tokio::test]
async fn a_reset_is_one_and_is_counted() {
    let server = serve(chassis(|_| ()));
    server.ask("PUT /faults/reset?count=1").await.unwrap();
    server
        .ask("PUT /faults/liveness?reset&count=1")
        .await
        .unwrap();
    for (path, fault) in [("/test", "reset"), ("/livez", "liveness")] {
        let request = format!("GET {path}");
        let error = server.ask(&request).await.expect_err("no answer");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{path}");
        let text = server.ask(&request).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "the next: {text}");
        let injected = format!(r#"faults_injected_total{{fault="{fault}"}} 1"#);
        server.metrics_have(&injected).await;
        let route = format!(r#"{{method="GET",route="{path}",status="444"}} 1"#);
        server.metrics_have(&route).await;
    }
    let probes = server.ask("GET /probes").await.unwrap();
    assert!(probes.contains("  444  "), "{probes}");
}

#[tokio::test]
async fn a_hanging_probe_whose_client_gives_up_is_seen_in_the_mirror() {
    let server = serve(chassis(|_| ()));
    server
        .ask("PUT /faults/liveness?hang=9m&for=ever")
        .await
        .unwrap();
    let kubelet = server.send("GET /livez").await;
    server
        .metrics_have(r#"faults_injected_total{fault="liveness"} 1"#)
        .await;
    drop(kubelet);
    server
        .metrics_have(r#"http_requests_total{method="GET",route="/livez",status="499"} 1"#)
        .await;
    let probes = server.ask("GET /probes").await.unwrap();
    assert!(probes.contains("  499  "), "{probes}");
}

#[tokio::test]
async fn a_deaf_service_accepts_nothing_and_goes_on_with_who_was_there() {
    let server = serve(chassis(|_| ()));
    let mut before = TcpStream::connect(server.address).await.unwrap();
    let mut say = async |request: &str| {
        let request = format!("{request} HTTP/1.1\r\nhost: x\r\n\r\n");
        before.write_all(request.as_bytes()).await.unwrap();
        let mut buffer = vec![0; 4096];
        let n = timeout(LONG, before.read(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        String::from_utf8_lossy(&buffer[..n]).into_owned()
    };
    let set = say("PUT /faults/deaf?for=ever").await;
    assert!(set.starts_with("HTTP/1.1 200"), "{set}");
    let mut connected = server.send("GET /test").await; // by the kernel
    let mut byte = [0];
    let answer = timeout(Duration::from_millis(300), connected.read(&mut byte)).await;
    assert!(answer.is_err(), "nobody answers: {answer:?}");
    assert!(
        say("GET /test").await.ends_with("test"),
        "whoever was there is served"
    );
    let cleared = say("DELETE /faults/deaf").await;
    assert!(cleared.starts_with("HTTP/1.1 200"), "{cleared}");
    let mut text = String::new();
    timeout(LONG, connected.read_to_string(&mut text))
        .await
        .unwrap()
        .unwrap();
    assert!(text.ends_with("test"), "it is answered then: {text}");

    // It ends by itself too, and a stop isn't kept up by it.
    server.ask("PUT /faults/deaf?for=200ms").await.unwrap();
    assert!(server.ask("GET /test").await.unwrap().ends_with("test"));
    server.ask("PUT /faults/deaf?for=ever").await.unwrap();
    server.signal.send(Signal::Terminate).unwrap();
    timeout(LONG, server.ended)
        .await
        .expect("it stops")
        .unwrap();
}

#[tokio::test]
async fn sigterm_is_ignored_or_taken_later() {
    let server = serve(chassis(|_| ()));
    server
        .ask("PUT /faults/stop?mode=ignore&for=ever")
        .await
        .unwrap();
    server.signal.send(Signal::Terminate).unwrap();
    server
        .metrics_have(r#"faults_injected_total{fault="stop"} 1"#)
        .await;
    assert!(!server.chassis.life.is_stopping());

    let begin = Instant::now();
    server
        .ask("PUT /faults/stop?slow=300ms&for=ever")
        .await
        .unwrap();
    server.signal.send(Signal::Terminate).unwrap();
    timeout(LONG, server.ended)
        .await
        .expect("it stops")
        .unwrap();
    assert!(
        begin.elapsed() >= Duration::from_millis(300),
        "{:?}",
        begin.elapsed()
    );

    let server = serve(chassis(|_| ()));
    server
        .ask("PUT /faults/stop?mode=ignore&for=ever")
        .await
        .unwrap();
    server.signal.send(Signal::Interrupt).unwrap();
    timeout(LONG, server.ended)
        .await
        .expect("Ctrl-C stops it")
        .unwrap();
}

#[tokio::test]
async fn switches_can_be_set_from_the_start() {
    let text = "readiness?mode=fail&count=1 deaf?for=300ms";
    let server = serve(chassis(|settings| {
        settings.faults_at_start = Some(text.parse().unwrap());
    }));
    let begin = Instant::now();
    let text = server.ask("GET /readyz").await.unwrap();
    assert!(
        begin.elapsed() >= Duration::from_millis(200),
        "{:?}",
        begin.elapsed()
    );
    assert!(
        text.starts_with("HTTP/1.1 503") && text.contains("\r\nfault: readiness\r\n"),
        "{text}"
    );
    let text = server.ask("GET /readyz").await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}

#[tokio::test]
async fn the_bounds_are_those_of_the_settings() {
    let chassis = chassis(|settings| {
        settings.max_fault_memory = 8;
        settings.max_fault_files = Some(5);
        settings.max_fault_delay = Duration::from_secs(3);
    });
    let app = chassis.app(routes());
    for (switch, sentence) in [
        (
            "memory?mib=9&for=1s",
            "mib can't be 9: MAX_FAULT_MEMORY allows up to 8",
        ),
        (
            "files?count=6&for=1s",
            "count can't be 6: MAX_FAULT_FILES allows up to 5",
        ),
        (
            "liveness?hang=4s&for=1s",
            "hang can't be 4s: MAX_FAULT_DELAY allows up to 3s",
        ),
        (
            "latency?delay=4s&for=1s",
            "delay can't be 4s: MAX_FAULT_DELAY allows up to 3s",
        ),
        (
            "stop?slow=4s&for=1s",
            "slow can't be 4s: MAX_FAULT_DELAY allows up to 3s",
        ),
        (
            "exit?code=1&after=4s",
            "after can't be 4s: MAX_FAULT_DELAY allows up to 3s",
        ),
    ] {
        let answer = ask(&app, Method::PUT, &format!("/faults/{switch}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{switch}");
        assert_eq!(answer.body, sentence);
    }
}
