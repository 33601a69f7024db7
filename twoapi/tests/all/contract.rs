//! Every row of twoapi's contract and its refusals, against upstreams that are real sockets:
//! one that says yes, one that says 500, one that hangs, one that breaks off, one that is not there.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use chassis::{
    Chassis,
    config::{Build, defaults},
    http::App,
};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

fn twoapi(upstream: &str) -> App {
    twoapi_with_timeout(upstream, Duration::from_millis(300))
}

fn twoapi_with_timeout(upstream: &str, oneapi_timeout: Duration) -> App {
    let own = twoapi::Settings {
        oneapi_url: upstream.parse().unwrap(),
        oneapi_timeout,
        page: defaults(),
    };
    let mut settings: chassis::Settings = defaults();
    settings.identity.pod_name = Some("chesterapi".into());
    let chassis = Chassis::new(Build::new("twoapi", "1.0.0", None, None), settings);
    chassis.app(twoapi::routes(&chassis, &own))
}

async fn get(app: &App, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let (head, body) = app.answer(request).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, String::from_utf8(body.to_vec()).unwrap())
}

/// An upstream that reads a request and says just this; hangs when that is nothing.
async fn upstream(says: &'static str) -> (SocketAddr, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(says.as_bytes()).await;
            if says.is_empty() {
                held.push(stream);
            }
        }
    });
    (address, format!("http://{address}/test"))
}

async fn calloneapi(url: &str) -> (StatusCode, String) {
    get(&twoapi(url), "/test/calloneapi").await
}

/// The lines of tracing's headers in the call that becomes of a request with these headers.
async fn traced(headers: &[(&str, &str)]) -> Vec<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let app = twoapi(&format!("http://{}/test", listener.local_addr().unwrap()));
    let mut request = Request::get("/test/calloneapi");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    let called = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4096];
        let length = stream.read(&mut head).await.unwrap();
        head.truncate(length);
        let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        stream.write_all(ok).await.unwrap();
        String::from_utf8(head).unwrap()
    };
    let (answer, head) = tokio::join!(app.answer(request), called);
    assert_eq!(answer.status(), StatusCode::OK);
    let lines = head.lines().filter(|line| line.starts_with("trace"));
    lines.map(str::to_owned).collect()
}

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test]
async fn a_trace_is_passed_on_with_a_parent_of_its_own_and_its_state_as_it_came() {
    let headers = [
        ("traceparent", TRACEPARENT),
        ("tracestate", "b=2"),
        ("tracestate", "a=1, c=3"),
    ];
    let mut parents = Vec::new();
    for _ in 0..2 {
        let [parent, first, second] = &traced(&headers).await[..] else {
            panic!("three headers are passed on");
        };
        assert_eq!([first, second], ["tracestate: b=2", "tracestate: a=1, c=3"]);
        let (trace, rest) = parent.rsplit_once("8448eb211c80319c-").unwrap();
        assert_eq!(trace, "traceparent: 00-0af7651916cd43dd");
        let (id, flags) = rest.split_once('-').unwrap();
        assert_eq!((id.len(), flags), (16, "01"), "{parent}");
        parents.push(id.to_owned());
    }
    parents.push("b7ad6b7169203331".to_owned());
    parents.sort();
    parents.dedup();
    assert_eq!(
        parents.len(),
        3,
        "each call has an id of its own: {parents:?}"
    );
}

#[tokio::test]
async fn without_a_valid_traceparent_nothing_is_passed_on() {
    let invalid = TRACEPARENT.to_uppercase();
    let state = ("tracestate", "a=1");
    for headers in [
        &[][..],
        &[state],
        &[("traceparent", &invalid), state],
        &[
            ("traceparent", TRACEPARENT),
            ("traceparent", TRACEPARENT),
            state,
        ],
    ] {
        assert_eq!(traced(headers).await, [""; 0], "{headers:?}");
    }
}

#[tokio::test]
async fn what_oneapi_says_is_passed_on() {
    let (_, url) =
        upstream("HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\nip is 10.244.36.66").await;
    let expected = "one api response is ip is 10.244.36.66";
    assert_eq!(calloneapi(&url).await, (StatusCode::OK, expected.into()));
}

#[tokio::test]
async fn localhost_is_found_without_a_hosts_file_and_by_both_of_its_addresses() {
    let Ok(v6) = TcpListener::bind("[::1]:0").await else {
        return;
    };
    let port = v6.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = v6.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nv6")
            .await;
    });
    let (status, said) = calloneapi(&format!("http://localhost:{port}/test")).await;
    assert_eq!(
        (status, said.as_str()),
        (StatusCode::OK, "one api response is v6")
    );
}

#[tokio::test]
async fn a_oneapi_that_is_not_there_gives_502() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{closed}/test");
    let expected = format!("oneapi at {url} refuses connections");
    assert_eq!(calloneapi(&url).await, (StatusCode::BAD_GATEWAY, expected));
}

#[tokio::test]
async fn a_oneapi_that_says_500_gives_502() {
    let (_, url) = upstream("HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\noops").await;
    let expected = format!("oneapi at {url} answered 500 Internal Server Error");
    assert_eq!(calloneapi(&url).await, (StatusCode::BAD_GATEWAY, expected));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (_, url) =
        upstream("HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n").await;
    let expected = format!("oneapi at {url} answered 302 Found");
    assert_eq!(calloneapi(&url).await, (StatusCode::BAD_GATEWAY, expected));
}

#[tokio::test]
async fn a_hanging_oneapi_gives_504() {
    let (_, url) = upstream("").await;
    let expected = format!("oneapi at {url} did not answer within 300ms");
    assert_eq!(
        calloneapi(&url).await,
        (StatusCode::GATEWAY_TIMEOUT, expected)
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_oneapi_that_cannot_be_connected_to_gives_504_and_the_time_that_was_waited() {
    // Linux ignores whoever wants to connect while the backlog is full.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(0).unwrap();
    let address = full.local_addr().unwrap();
    let _waiting = tokio::net::TcpStream::connect(address).await.unwrap();
    let url = format!("http://{address}/test");
    let day = Duration::from_secs(24 * 60 * 60);
    let expected = format!("oneapi at {url} could not be connected to within 1s");
    assert_eq!(
        get(&twoapi_with_timeout(&url, day), "/test/calloneapi").await,
        (StatusCode::GATEWAY_TIMEOUT, expected)
    );
}

#[tokio::test]
async fn a_oneapi_that_breaks_off_gives_502() {
    let (_, url) = upstream("HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\nip is").await;
    let expected = format!("oneapi at {url} broke the connection");
    assert_eq!(calloneapi(&url).await, (StatusCode::BAD_GATEWAY, expected));
}

#[tokio::test]
async fn a_oneapi_that_goes_on_and_on_gives_502() {
    let body = "x".repeat(100_000);
    let says = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (_, url) = upstream(says.leak()).await;
    let expected = format!("oneapi at {url} answered more than 65536 bytes");
    assert_eq!(calloneapi(&url).await, (StatusCode::BAD_GATEWAY, expected));
}

#[tokio::test]
async fn a_malformed_answer_of_oneapi_gives_502() {
    let (broken, malformed) = ("broke the connection", "answered what is not HTTP");
    for (says, what) in [
        ("HTTP/1.1 200", broken),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nipi",
            malformed,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            broken,
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
            "answered 101 Switching Protocols",
        ),
        ("\x16\x03\x01\0\x02\x02\x28", malformed),
        ("ok\n", malformed),
    ] {
        let (_, url) = upstream(says).await;
        let (status, said) = calloneapi(&url).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY, "{says:?}: {said}");
        assert_eq!(said, format!("oneapi at {url} {what}"), "{says:?}");
    }
}

#[tokio::test]
async fn what_is_behind_an_answer_of_oneapi_is_no_part_of_it() {
    let (_, url) = upstream("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nip is").await;
    let expected = "one api response is ip";
    assert_eq!(calloneapi(&url).await, (StatusCode::OK, expected.into()));
}

/// How many calls ask oneapi at the same time.
const CALLS: usize = 128;

#[tokio::test]
async fn so_many_calls_are_under_way_at_most_and_the_others_wait_for_their_turn() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/test", listener.local_addr().unwrap());
    // How many requests oneapi has in hand, the most there ever were, and whether it answers yet.
    let (in_hand, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (answers, may_answer) = watch::channel(false);
    let counts = (Arc::clone(&in_hand), Arc::clone(&most));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let ((in_hand, most), mut may_answer) = (counts.clone(), may_answer.clone());
            tokio::spawn(async move {
                while stream.read(&mut [0; 1024]).await.is_ok_and(|size| size > 0) {
                    let now = in_hand.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    may_answer.wait_for(|may| *may).await.unwrap();
                    in_hand.fetch_sub(1, Ordering::SeqCst);
                    let says = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nip";
                    stream.write_all(says).await.unwrap();
                }
            });
        }
    });
    let app = Arc::new(twoapi_with_timeout(&url, LONG));
    let mut calls = JoinSet::new();
    for _ in 0..CALLS * 2 {
        let app = Arc::clone(&app);
        calls.spawn(async move { get(&app, "/test/calloneapi").await.0 });
    }
    let full = async {
        while in_hand.load(Ordering::SeqCst) < CALLS {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LONG, full).await.unwrap();
    answers.send(true).unwrap();
    let statuses = calls.join_all().await;
    assert!(
        statuses.iter().all(|status| *status == StatusCode::OK),
        "{statuses:?}"
    );
    assert_eq!(most.load(Ordering::SeqCst), CALLS);
}

#[tokio::test]
async fn a_call_whose_turn_does_not_come_in_time_gives_504_and_says_so() {
    let (_, url) = upstream("").await;
    // So long that a busy machine has connected all of them in half of it.
    let app = Arc::new(twoapi_with_timeout(&url, Duration::from_secs(4)));
    let mut calls = JoinSet::new();
    for _ in 0..CALLS + 2 {
        let app = Arc::clone(&app);
        calls.spawn(async move { get(&app, "/test/calloneapi").await });
    }
    let slow = format!("oneapi at {url} did not answer within 4s");
    let waited =
        format!("oneapi at {url} was not asked within 2s: {CALLS} other calls were under way");
    let mut answers = calls.join_all().await;
    answers.sort_by_key(|(_, said)| said.len());
    let mut expected = vec![(StatusCode::GATEWAY_TIMEOUT, slow); CALLS];
    expected.extend(vec![(StatusCode::GATEWAY_TIMEOUT, waited); 2]);
    assert_eq!(answers, expected);
}

#[tokio::test]
async fn the_probes_do_not_depend_on_oneapi() {
    for path in ["/livez", "/readyz", "/startupz"] {
        let router = twoapi("http://127.0.0.1:1/test");
        assert_eq!(
            get(&router, path).await,
            (StatusCode::OK, "ok".into()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn info_names_the_service() {
    let (status, info) = get(&twoapi("http://127.0.0.1:1/test"), "/info").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        info.contains(r#""service":"twoapi""#) && info.contains(r#""pod":"chesterapi""#),
        "{info}"
    );
}
