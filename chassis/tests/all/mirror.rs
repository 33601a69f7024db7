//! The probe mirror, over a real server.

use std::net::SocketAddr;

use chassis::{
    Chassis,
    config::{Build, defaults},
    http::Routes,
    lifecycle::Signals,
    server,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn start(startup_delay: &str) -> SocketAddr {
    let mut settings: chassis::Settings = defaults();
    settings.lifecycle.startup_delay = humantime::parse_duration(startup_delay).unwrap();
    let chassis = Chassis::new(Build::new("service", "1.0", None, None), settings);
    let listener = server::bind("[::]:0".parse().unwrap()).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (keep, signals) = Signals::manual();
    let routes = Routes::new().add("/test", axum::routing::get(async || "test"));
    tokio::spawn(async move {
        let _keep = keep;
        chassis.serve(routes, listener, signals).await
    });
    ([127, 0, 0, 1], port).into()
}

/// The head and the body of the answer.
async fn ask(server: SocketAddr, request: &str, headers: &str) -> (String, String) {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let request = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

async fn mirror(server: SocketAddr) -> Value {
    let (head, body) = ask(server, "GET /probes", "accept: application/json\r\n").await;
    assert!(head.contains("content-type: application/json"), "{head}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn each_probe_is_shown_with_its_answer_its_asker_and_its_interval() {
    let server = start("1h").await;
    for _ in 0..2 {
        ask(server, "GET /livez", "user-agent: kube-probe/1.35\r\n").await;
    }
    ask(server, "GET /readyz", "").await;
    ask(server, "POST /startupz", "").await;
    ask(server, "GET /test", "").await;
    let mirror = mirror(server).await;
    let kinds: Vec<_> = mirror.as_object().unwrap().keys().collect();
    assert_eq!(kinds, ["grpc", "liveness", "readiness", "startup"]);

    let [first, second] = &mirror["liveness"].as_array().unwrap()[..] else {
        panic!("two were sent: {mirror}");
    };
    assert_eq!(first["status"], 200);
    assert_eq!(first["agent"], "kube-probe/1.35");
    assert_eq!(
        first["from"], "127.0.0.1",
        "as IPv4, though an IPv6 socket took it"
    );
    assert_eq!(
        first["since_last_seconds"],
        Value::Null,
        "there was none before"
    );
    let time = |entry: &Value| {
        let at = entry["at"].as_str().unwrap();
        humantime::parse_rfc3339(at).unwrap()
    };
    let interval = time(second).duration_since(time(first)).unwrap();
    let shown = second["since_last_seconds"].as_f64().unwrap();
    assert!(
        (shown - interval.as_secs_f64()).abs() < 0.002,
        "{first} {second}"
    );
    assert!(second["took_seconds"].as_f64().unwrap() < 1.0, "{second}");

    assert_eq!(mirror["readiness"][0]["status"], 503, "it is starting");
    assert_eq!(mirror["readiness"][0]["agent"], "");
    assert_eq!(mirror["startup"][0]["status"], 405, "whatever was asked");
    assert_eq!(mirror["grpc"], serde_json::json!([]));
}

#[tokio::test]
async fn people_get_a_table_and_programs_json() {
    let server = start("0s").await;
    ask(server, "GET /livez", "user-agent: kube-probe/1.35\r\n").await;
    for accept in [
        "",
        "accept: */*\r\n",
        "accept: application/json;q=0.1, text/plain\r\n",
        "accept: application/json, */*\r\n", // of kubectl get --raw
    ] {
        let (head, body) = ask(server, "GET /probes", accept).await;
        assert!(
            head.contains("content-type: text/plain"),
            "{accept}: {head}"
        );
        assert!(head.contains("vary: accept"), "{head}");
        let [kind, heads, row, ..] = &body.lines().collect::<Vec<_>>()[..] else {
            panic!("{body}");
        };
        assert_eq!(*kind, "liveness: the last 1, newest last");
        let column = heads.find("protocol").expect(heads);
        assert_eq!(&row[column..], "HTTP/1.1  kube-probe/1.35", "{body}");
        assert!(body.contains("startup: not asked yet\n"), "{body}");
    }
    let (head, body) = ask(server, "HEAD /probes", "").await;
    assert!(
        head.starts_with("HTTP/1.1 200") && body.is_empty(),
        "{head}\n{body}"
    );
    let (head, _) = ask(server, "POST /probes", "").await;
    assert!(head.starts_with("HTTP/1.1 405"), "{head}");
}
