//! The stack of layers round every route, over a real server.

use std::{
    future::poll_fn,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, UNIX_EPOCH},
};

use axum::{
    body::{Body, Bytes},
    http::{Method, Request, StatusCode, header},
    response::Response,
    routing::get,
};
use chassis::{
    Chassis,
    config::{Build, defaults},
    http::{Refusal, Routes},
    lifecycle::Signals,
    server,
};
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use openmetrics_parser::OpenMetricsValue;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};

/// More than the sockets' buffers hold.
const PART: usize = 4 << 20;

struct Fixture {
    address: SocketAddr,
    chassis: Chassis,
    asked: Arc<Notify>,
}

async fn start() -> Fixture {
    start_with(Duration::ZERO).await
}

async fn start_with(startup_delay: Duration) -> Fixture {
    let mut settings: chassis::Settings = defaults();
    settings.lifecycle.startup_delay = startup_delay;
    let chassis = Chassis::new(Build::new("service", "1.0", None, None), settings);
    let asked = Arc::new(Notify::new());
    let never = {
        let asked = Arc::clone(&asked);
        async move || {
            asked.notify_one();
            std::future::pending::<()>().await;
        }
    };
    async fn panics() -> &'static str {
        panic!("as a test wants it")
    }
    // Several parts, so that hyper asks for the next one only when one has been written.
    let parts = async || {
        let parts = (0..4).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; PART])));
        Response::new(Body::from_stream(futures_of(parts)))
    };
    let routes = Routes::new()
        .add("/never", get(never))
        .add("/panics", get(panics))
        .add_text("/panics-at-once", || panic!("as a test wants it"))
        .add("/fast", get(async || "fast"))
        .add("/parts", get(parts));
    let listener = server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (keep, signals) = Signals::manual();
    let serving = chassis.clone();
    tokio::spawn(async move {
        let _keep = keep;
        serving.serve(routes, listener, signals).await
    });
    Fixture {
        address,
        chassis,
        asked,
    }
}

/// An iterator as a stream.
fn futures_of<I: Iterator<Item = T> + Unpin, T>(items: I) -> impl futures_core::Stream<Item = T> {
    struct Items<I>(I);
    impl<I: Iterator<Item = T> + Unpin, T> futures_core::Stream for Items<I> {
        type Item = T;
        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<T>> {
            std::task::Poll::Ready(self.0.next())
        }
    }
    Items(items)
}

impl Fixture {
    async fn ask(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn text(&self, path: &str) -> String {
        let mut text = String::new();
        self.ask(path)
            .await
            .read_to_string(&mut text)
            .await
            .unwrap();
        text
    }

    /// Waits until the page of metrics has this line.
    async fn has_line(&self, line: &str) {
        let wait = async {
            while !self.chassis.metrics.openmetrics_text().contains(line) {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(10), wait).await;
        let text = || self.chassis.metrics.openmetrics_text();
        assert!(waited.is_ok(), "{line} is not in\n{}", text());
    }
}

#[tokio::test]
async fn a_request_whose_client_leaves_is_counted() {
    let server = start().await;
    let client = server.ask("/never").await;
    server.asked.notified().await;
    server.has_line("http_requests_in_flight 1").await;
    drop(client);
    server
        .has_line(r#"http_requests_total{method="GET",route="/never",status="499"} 1"#)
        .await;
    server.has_line("http_requests_in_flight 0").await;
}

#[tokio::test]
async fn a_panic_answers_500_and_is_counted_and_costs_that_request_alone() {
    let server = start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let two = "GET /panics HTTP/1.1\r\nhost: x\r\n\r\n\
               GET /fast HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(two.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 500"), "{text}");
    assert!(
        text.contains("the handler of this request panicked"),
        "{text}"
    );
    assert!(
        text.ends_with("fast"),
        "the next on that connection: {text}"
    );
    server
        .has_line(r#"http_requests_total{method="GET",route="/panics",status="500"} 1"#)
        .await;
    let text = server.text("/panics-at-once").await;
    assert!(text.starts_with("HTTP/1.1 500"), "{text}");
}

#[tokio::test]
async fn a_path_that_is_not_there_is_repeated_as_far_as_anybody_reads() {
    let server = start().await;
    let text = server.text(&format!("/{}", "x".repeat(10_000))).await;
    assert!(text.contains("there is no /xxx"), "{text}");
    assert!(text.len() < 1000, "{} bytes", text.len());
}

#[tokio::test]
async fn a_request_is_in_flight_until_the_last_byte_of_its_answer() {
    let server = start().await;
    let mut slow = server.ask("/parts").await;
    let mut first = [0; 100];
    slow.read_exact(&mut first).await.unwrap();
    assert!(first.starts_with(b"HTTP/1.1 200"), "the head has come");
    assert_eq!(server.chassis.metrics.in_flight(), 1, "and it is in flight");
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() >= 4 * PART);
    server
        .has_line(r#"http_requests_total{method="GET",route="/parts",status="200"} 1"#)
        .await;
    server.has_line("http_requests_in_flight 0").await;
}

#[tokio::test]
async fn what_takes_long_to_make_lets_other_connections_go_first() {
    let server = start().await;
    let app = server.chassis.app(Routes::new());
    for (path, waits) in [("/info", true), ("/metrics", true), ("/livez", false)] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let mut answer = pin!(app.answer(request));
        let first = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await;
        assert_eq!(first.is_pending(), waits, "{path}");
    }
}

#[tokio::test]
async fn the_page_of_metrics_is_what_openmetrics_parsers_take() {
    let server = start().await;
    for path in ["/fast", "/panics", "/nothing"] {
        server.text(path).await;
    }
    let app = server.chassis.app(Routes::new());
    let request = Request::get("/metrics")
        .header(header::ACCEPT, "application/openmetrics-text;version=1.0.0")
        .body(Body::empty())
        .unwrap();
    let response = app.answer(request).await;
    let content_type = response.headers()[header::CONTENT_TYPE].to_str().unwrap();
    assert!(
        content_type.starts_with("application/openmetrics-text"),
        "{content_type}"
    );
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(text.to_vec()).unwrap();
    // The standard lets a histogram have a unit, and this parser doesn't.
    let unit = "# UNIT http_request_duration_seconds seconds\n";
    assert!(text.contains(unit), "{text}");
    let page = openmetrics_parser::openmetrics::parse_openmetrics(&text.replace(unit, ""))
        .unwrap_or_else(|error| panic!("{error} in\n{text}"));
    assert_eq!(
        page.families["process_cpu_seconds"].unit, "seconds",
        "{text}"
    );
    for (family, created) in [
        ("http_requests", true),
        ("http_request_duration_seconds", true),
        ("process_cpu_seconds", true),
        ("http_requests_in_flight", false),
    ] {
        for sample in page.families[family].iter_samples() {
            let since = match &sample.value {
                OpenMetricsValue::Counter(counter) => counter.created,
                OpenMetricsValue::Histogram(histogram) => histogram.created,
                _ => None,
            };
            let started = server.chassis.life.started().duration_since(UNIX_EPOCH);
            let off = since.map(|since| (since - started.unwrap().as_secs_f64()).abs());
            assert_eq!(
                off.map(|off| off < 0.01),
                created.then_some(true),
                "{family}"
            );
        }
    }
}

#[tokio::test]
async fn large_answers_that_nobody_reads_have_a_bound_together() {
    let server = start().await;
    let large = || async { "x".repeat(1 << 20) };
    let routes = Routes::new()
        .add("/large", get(large))
        .add("/small", get(async || "x".repeat(4096)));
    let app = server.chassis.app(routes);
    let ask = async |path: &str| {
        app.answer(Request::get(path).body(Body::empty()).unwrap())
            .await
    };
    let mut unread = Vec::new();
    for _ in 0..8 {
        let response = ask("/large").await;
        assert_eq!(response.status(), StatusCode::OK);
        // As hyper does, which has taken the bytes long before its client has.
        let frame = response.into_body().frame().await.unwrap().unwrap();
        unread.push(frame.into_data().unwrap());
    }
    let refused = ask("/large").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    let sentence = refused.into_body().collect().await.unwrap().to_bytes();
    assert!(
        sentence.starts_with(b"too many large answers"),
        "{sentence:?}"
    );
    assert_eq!(ask("/small").await.status(), StatusCode::OK);
    unread.pop();
    assert_eq!(
        ask("/large").await.status(),
        StatusCode::OK,
        "there is room"
    );
}

/// What else it asks for, and that a cache is told that there are two forms.
#[tokio::test]
async fn the_form_of_the_page_of_metrics_is_the_scrapers_choice() {
    let server = start().await;
    let app = server.chassis.app(Routes::new());
    let openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let prometheus = "text/plain; version=0.0.4; charset=utf-8";
    for (accept, expected) in [
        (None, prometheus),
        (Some("*/*"), prometheus),
        (
            Some("Application/OpenMetrics-Text;Version=1.0.0"),
            openmetrics,
        ),
        (
            Some("application/openmetrics-text;q=0,*/*;q=0.1"),
            prometheus,
        ),
        (
            Some("text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5"),
            prometheus,
        ),
        (
            Some("application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5"),
            openmetrics,
        ),
    ] {
        let mut request = Request::get("/metrics");
        if let Some(accept) = accept {
            request = request.header(header::ACCEPT, accept);
        }
        let response = app.answer(request.body(Body::empty()).unwrap()).await;
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            expected,
            "{accept:?}"
        );
        assert_eq!(response.headers()[header::VARY], "accept", "{accept:?}");
    }
}

#[tokio::test]
async fn a_head_has_the_headers_of_a_get_and_no_body_over_http2_too() {
    let server = start().await;
    let io = TokioIo::new(TcpStream::connect(server.address).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut ask = async |method: Method, path: &str| {
        let uri = format!("http://{}{path}", server.address);
        let request = Request::builder().method(method).uri(uri);
        let request = request.body(Body::empty()).unwrap();
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await;
        let body = body.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        (head, body.to_bytes())
    };
    // A text, a handler, a refusal of the router's, one of a layer's, and a panic.
    for path in ["/livez", "/fast", "/nothing", "/startupz", "/panics"] {
        let (get, body) = ask(Method::GET, path).await;
        assert!(!body.is_empty(), "{path}");
        let (head, body) = ask(Method::HEAD, path).await;
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(
            head.headers[header::CONTENT_LENGTH],
            get.headers[header::CONTENT_LENGTH],
            "{path}"
        );
        assert!(body.is_empty(), "{path}");
    }
}

async fn options(server: &Fixture, path: &str) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!("OPTIONS {path} HTTP/1.0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text.to_lowercase()
}

#[tokio::test]
async fn options_are_answered_on_what_there_is_and_on_the_whole_server() {
    let server = start().await;
    for (path, allow) in [
        ("/fast", "get,head,options"),
        ("/readyz", "get,head,options"),
        ("/faults/{name}", "put,delete,options"),
        // HAProxy's health check, if it isn't told of another.
        ("/", "options"),
        ("*", "options"),
    ] {
        let text = options(&server, path).await;
        assert!(text.starts_with("http/1.0 204"), "{path}: {text}");
        let allow = format!("\r\nallow: {allow}\r\n");
        assert!(text.contains(&allow), "{path}: {text}");
        assert!(text.ends_with("\r\n\r\n"), "without a body: {text}");
    }
    let text = options(&server, "/nothing").await;
    assert!(text.starts_with("http/1.0 404"), "{text}");
}

#[tokio::test]
async fn a_refused_method_gets_all_that_are_allowed() {
    let chassis = Chassis::new(Build::new("service", "1.0", None, None), defaults());
    let app = chassis.app(Routes::new().add("/fast", get(async || "fast")));
    for (path, allow) in [
        ("/fast", "GET,HEAD,OPTIONS"),
        ("/livez", "GET,HEAD,OPTIONS"),
        ("/faults/x", "PUT,DELETE,OPTIONS"),
    ] {
        let request = Request::post(path).body(Body::empty()).unwrap();
        let response = app.answer(request).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(response.headers()[header::ALLOW], allow, "{path}");
    }
}

/// While a switch is set that acts on requests, a text goes the long way, as a handler's answer does.
#[tokio::test]
async fn a_text_is_answered_alike_on_the_fast_path_and_on_the_long_one() {
    let mut settings: chassis::Settings = defaults();
    settings.faults.faults = true;
    let chassis = Chassis::new(Build::new("service", "1.0", None, None), settings);
    let routes = Routes::new()
        .add_text("/text", || Ok(Bytes::from_static(b"text")))
        .add_text("/panics", || panic!("as a test wants it"))
        .add_text("/refused", || Err(Refusal::not_found("there is none")));
    let app = chassis.app(routes);
    let answers = async || {
        let mut answers = Vec::new();
        for path in ["/text", "/panics", "/refused", "/livez", "/readyz"] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let (parts, body) = app.answer(request).await.into_parts();
            let mut headers: Vec<_> = parts.headers.into_iter().collect();
            headers.retain(|(name, _)| *name != Some(header::CONTENT_LENGTH)); // hyper adds it
            headers.sort_by_key(|(name, _)| name.as_ref().map(ToString::to_string));
            let body = body.collect().await.unwrap().to_bytes();
            answers.push((path, parts.status, headers, body));
        }
        answers
    };
    let fast = answers().await;
    let switch = chassis.faults.read_and_set("errors", "percent=0&for=ever");
    assert!(switch.is_ok(), "{switch:?}");
    assert_eq!(answers().await, fast);
    let text = chassis.metrics.openmetrics_text();
    for path in ["/text", "/panics", "/refused", "/livez", "/readyz"] {
        let of_path = |line: &&str| line.contains(path) && line.starts_with("http_requests_total");
        let counts: Vec<_> = text.lines().filter(of_path).collect();
        let [count] = &counts[..] else {
            panic!("{path}: {counts:?}");
        };
        assert!(count.ends_with(" 2"), "{count}");
    }
}

/// `option httpchk /readyz` of HAProxy asks so.
#[tokio::test]
async fn options_on_the_path_of_a_probe_are_answered_as_the_probe_is() {
    let server = start_with(Duration::from_secs(3600)).await;
    for (path, status) in [
        ("/livez", "204"),
        ("/readyz", "503"),
        ("/fast", "503"),
        ("/", "204"),
    ] {
        let text = options(&server, path).await;
        let line = format!("http/1.0 {status}");
        assert!(text.starts_with(&line), "{path}: {text}");
    }
}

/// HTTP/1.0 closes after an answer unless it was asked not to, and knows no chunks.
#[tokio::test]
async fn http_1_0_is_answered_in_its_own_way() {
    let server = start().await;
    for (request, body) in [
        ("GET /fast HTTP/1.0\r\n\r\n", 4),
        ("HEAD /fast HTTP/1.0\r\n\r\n", 0),
        ("GET /parts HTTP/1.0\r\n\r\n", 4 * PART),
        (
            "GET /parts HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
            4 * PART,
        ),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.0 200"), "{request}: {text:.200}");
        let (head, got) = text.split_once("\r\n\r\n").unwrap();
        assert!(!head.contains("chunked"), "{request}: {head}");
        assert_eq!(got.len(), body, "{request}: {head}");
    }
    let mut kept = TcpStream::connect(server.address).await.unwrap();
    for _ in 0..3 {
        let request = b"GET /fast HTTP/1.0\r\nconnection: keep-alive\r\n\r\n";
        kept.write_all(request).await.unwrap();
        let mut text = String::new();
        while !text.ends_with("fast") {
            let mut part = [0; 1000];
            let n = kept.read(&mut part).await.unwrap();
            assert_ne!(n, 0, "closed after {text}");
            text.push_str(std::str::from_utf8(&part[..n]).unwrap());
        }
        assert!(text.contains("connection: keep-alive"), "{text}");
    }
}
