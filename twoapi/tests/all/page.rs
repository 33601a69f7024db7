//! The live page against the real services: what a viewer is sent, what it costs the pods, what is
//! refused, and how the stream ends. What a browser makes of it is tested in `tests/page`.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chassis::{
    Chassis,
    config::{Build, defaults},
    http::Routes,
    lifecycle::{Signal, Signals},
    server,
};
use reqwest::{Client, Method, Response};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc::UnboundedSender},
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep, timeout},
};
use twoapi::page::{self, Ports};

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PATIENCE: Duration = Duration::from_secs(10);
const DRAIN_DELAY: Duration = Duration::from_secs(2);

struct Service {
    address: SocketAddr,
    chassis: Chassis,
    signals: UnboundedSender<Signal>,
    ended: JoinHandle<ExitCode>,
}

/// A service that drains for a while, on this listener, and allows fault switches or not.
fn start(
    service: &'static str,
    listener: TcpListener,
    faults: bool,
    routes: impl FnOnce(&Chassis) -> Routes,
) -> Service {
    let mut settings: chassis::Settings = defaults();
    settings.identity.pod_name = Some("chesterapi".to_owned());
    settings.identity.pod_ip = Some(HOST);
    settings.lifecycle.drain_delay = DRAIN_DELAY;
    settings.faults.faults = faults;
    let chassis = Chassis::new(Build::new(service, "1.0", None, None), settings);
    let address = listener.local_addr().unwrap();
    let (signals, receiver) = Signals::manual();
    let routes = routes(&chassis);
    Service {
        address,
        chassis: chassis.clone(),
        signals,
        ended: tokio::spawn(chassis.serve(routes, listener, receiver)),
    }
}

fn listener() -> TcpListener {
    server::bind("127.0.0.1:0".parse().unwrap()).unwrap()
}

fn oneapi() -> Service {
    oneapi_at(listener(), true)
}

fn oneapi_at(listener: TcpListener, faults: bool) -> Service {
    let settings = defaults();
    start("oneapi", listener, faults, |chassis| {
        oneapi::routes(chassis, &settings)
    })
}

/// A twoapi whose page watches `oneapi` and, as the pod's other container, itself.
fn twoapi(oneapi: SocketAddr, change: impl FnOnce(&mut page::Settings)) -> Service {
    twoapi_at(listener(), oneapi, true, change)
}

fn twoapi_at(
    listener: TcpListener,
    oneapi: SocketAddr,
    faults: bool,
    change: impl FnOnce(&mut page::Settings),
) -> Service {
    let own = listener.local_addr().unwrap();
    let mut settings: twoapi::Settings = defaults();
    settings.oneapi_url = format!("http://{oneapi}/test").parse().unwrap();
    settings.page.pods_name = vec![HOST.to_string()];
    settings.page.pods_ports = Ports {
        oneapi: oneapi.port(),
        twoapi: own.port(),
    };
    let traffic = format!("http://{own}/test/calloneapi");
    settings.page.traffic_url = traffic.parse().unwrap();
    change(&mut settings.page);
    start("twoapi", listener, faults, |chassis| {
        twoapi::routes(chassis, &settings)
    })
}

/// Three pods on addresses of this machine, and the page of the first one. There may be addresses
/// among them at which nobody listens.
struct Pods {
    oneapis: Vec<Service>,
    twoapis: Vec<Service>,
}

impl Pods {
    /// Whether oneapi and twoapi allow fault switches, and the further addresses.
    fn start(oneapi_allows: bool, twoapi_allows: bool, nobodys: &[&str]) -> Self {
        let addresses = [1, 2, 3].map(|n| IpAddr::from([127, 0, 0, n]));
        let names = addresses.iter().map(ToString::to_string);
        let nobodys = nobodys.iter().map(|ip| (*ip).to_owned());
        let names: Vec<String> = names.chain(nobodys).collect();
        let (mut oneapis, mut twoapis) = (Vec::new(), Vec::new());
        // The same ports everywhere: those that are free on the first address.
        let (mut oneapi_port, mut twoapi_port) = (0, 0);
        for ip in addresses {
            let at = |port| server::bind(SocketAddr::new(ip, port)).unwrap();
            let oneapi = oneapi_at(at(oneapi_port), oneapi_allows);
            oneapi_port = oneapi.address.port();
            let twoapi = twoapi_at(at(twoapi_port), oneapi.address, twoapi_allows, |page| {
                page.pods_name = names.clone();
            });
            twoapi_port = twoapi.address.port();
            oneapis.push(oneapi);
            twoapis.push(twoapi);
        }
        Self { oneapis, twoapis }
    }

    /// What the page answers to an action of a viewer.
    async fn act(&self, action: &str) -> (u16, String) {
        self.twoapis[0].act("same-origin", action).await
    }

    /// On how many pods oneapi burns.
    async fn burning(&self) -> Vec<usize> {
        let mut burns = Vec::new();
        for oneapi in &self.oneapis {
            burns.push(oneapi.burns().await.len());
        }
        burns
    }
}

fn set_faults(services: &[Service]) -> Vec<usize> {
    let lists = services.iter().map(|service| service.chassis.faults.list());
    lists.map(|list| list.len()).collect()
}

impl Service {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn get(&self, path: &str) -> Response {
        client().get(self.url(path)).send().await.unwrap()
    }

    async fn watch(&self, rate: u16) -> Events {
        let response = self.get(&format!("/page/events?rate={rate}")).await;
        assert_eq!(response.status(), 200);
        Events {
            response,
            text: String::new(),
        }
    }

    async fn act(&self, site: &str, action: &str) -> (u16, String) {
        let request = client().post(self.url("/page/actions"));
        let request = request
            .header("sec-fetch-site", site)
            .body(action.to_owned());
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn burns(&self) -> Vec<Value> {
        serde_json::from_str(&self.get("/burns").await.text().await.unwrap()).unwrap()
    }

    async fn set_fault(&self, fault: &str) {
        let url = self.url(&format!("/faults/{fault}"));
        let response = client().put(url).send().await.unwrap();
        assert_eq!(response.status(), 200, "{fault}");
    }

    /// All that requests change: the switches, the mirror, and the metrics of requests and switches.
    async fn traces(&self) -> Vec<String> {
        let mut traces = Vec::new();
        for path in ["/faults", "/probes"] {
            traces.push(self.get(path).await.text().await.unwrap());
        }
        let metrics = self.chassis.metrics.prometheus_text();
        let counts = |line: &&str| line.starts_with("http_") || line.starts_with("fault");
        traces.extend(metrics.lines().filter(counts).map(str::to_owned));
        traces
    }
}

/// In front of a service, and counts what it is asked, by path.
async fn counted(service: SocketAddr) -> (SocketAddr, RequestCounts) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = RequestCounts::default();
    tokio::spawn({
        let asked = Arc::clone(&asked);
        async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(service).await.unwrap();
                let asked = Arc::clone(&asked);
                let (mut answers, mut requests) = server.into_split();
                let (mut from_client, mut to_client) = client.into_split();
                tokio::spawn(async move { copy(&mut answers, &mut to_client).await });
                tokio::spawn(async move {
                    // A request without a body is written at once.
                    let mut request = [0; 4096];
                    while let Ok(read @ 1..) = from_client.read(&mut request).await {
                        let text = String::from_utf8_lossy(&request[..read]);
                        let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
                        *asked.lock().unwrap().entry(path).or_default() += 1;
                        requests.write_all(&request[..read]).await.unwrap();
                    }
                });
            }
        }
    });
    (address, asked)
}

/// As many pods as a test needs, on every loopback address, and how often they were asked. They cost
/// next to nothing, so that it is the page that sets the pace.
async fn many_pods() -> (u16, Arc<AtomicU64>) {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicU64::new(0));
    tokio::spawn({
        let asked = Arc::clone(&asked);
        async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let asked = Arc::clone(&asked);
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    while let Ok(1..) = client.read(&mut request).await {
                        if request.starts_with(b"GET /info ") {
                            asked.fetch_add(1, Ordering::Relaxed);
                        }
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                        client.write_all(answer).await.unwrap();
                    }
                });
            }
        }
    });
    (port, asked)
}

type RequestCounts = Arc<Mutex<BTreeMap<String, u64>>>;

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// What a viewer is sent.
struct Events {
    response: Response,
    text: String,
}

impl Events {
    /// The next event; none when the stream has ended.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let lines = event.split_once('\n');
                let parsed = lines.map(|(name, data)| {
                    let data = data.strip_prefix("data: ").unwrap();
                    let name = name.strip_prefix("event: ").unwrap();
                    (name.to_owned(), serde_json::from_str(data).unwrap())
                });
                self.text = rest.to_owned();
                if parsed.is_some() {
                    return parsed;
                }
                continue; // a heartbeat
            }
            let chunk = timeout(PATIENCE, self.response.chunk());
            let chunk = chunk.await.expect("a heartbeat at least").unwrap()?;
            self.text += std::str::from_utf8(&chunk).unwrap();
        }
    }

    /// Reads on until an event is what is looked for.
    async fn until<T>(&mut self, wanted: impl Fn(&str, &Value) -> Option<T>) -> T {
        let search = async {
            while let Some((name, data)) = self.next().await {
                if let Some(found) = wanted(&name, &data) {
                    return found;
                }
            }
            panic!("the stream has ended")
        };
        timeout(PATIENCE, search).await.expect("it comes in time")
    }

    async fn pod(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        self.until(|name, data| {
            let pods = data["pods"].as_array().filter(|_| name == "pods")?;
            pods.iter().find(|pod| wanted(pod)).cloned()
        })
        .await
    }

    async fn mark(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        self.until(|name, data| {
            let marks = data["marks"].as_array().filter(|_| name == "traffic")?;
            marks.iter().find(|mark| wanted(mark)).cloned()
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_sees_the_pod_and_what_becomes_of_requests() {
    let oneapi = oneapi();
    let twoapi = twoapi(oneapi.address, |_| {});
    let mut events = twoapi.watch(20).await;
    let (name, hello) = events.next().await.unwrap();
    assert_eq!(name, "hello");
    assert_eq!(hello["services"][0]["label"], "127.0.0.1", "{hello}");
    let pod = events.pod(|pod| pod["state"] == "ready").await;
    assert_eq!(pod["name"], "chesterapi", "{pod}");
    assert_eq!(pod["version"], "1.0", "{pod}");
    for lane in [0, 1] {
        let mark = events.mark(|mark| mark[3] == lane).await;
        assert_eq!(mark[4], "ok", "{mark}");
        assert_eq!(mark[5], "chesterapi", "{mark}");
        assert!(mark[7].is_null(), "nobody stops: {mark}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pods_stop_is_seen_with_its_count_down_and_its_late_answers() {
    let pod = oneapi();
    let other = twoapi(pod.address, |page| {
        // Requests go to the pod itself.
        page.traffic_url = format!("http://{}/test", pod.address).parse().unwrap();
    });
    let mut events = other.watch(20).await;
    events.pod(|pod| pod["state"] == "ready").await;
    pod.signals.send(Signal::Terminate).unwrap();
    let late = events.mark(|mark| mark[7].is_u64()).await;
    assert_eq!(late[4], "ok", "answered after the signal: {late}");
    let stopping = events.pod(|pod| pod["stop"].is_object()).await;
    assert_eq!(stopping["state"], "stopping", "{stopping}");
    let drain = stopping["stop"]["drain_seconds"].as_f64().unwrap();
    assert!((0.0..=2.0).contains(&drain), "{stopping}");
    let refused = events.mark(|mark| mark[4] == "refused").await;
    assert!(refused[5].is_null(), "nobody answered: {refused}");
    assert_eq!(pod.ended.await.unwrap(), ExitCode::SUCCESS);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_goes_on_while_its_pod_drains_and_ends_then() {
    let oneapi = oneapi();
    let twoapi = twoapi(oneapi.address, |_| {});
    let mut events = twoapi.watch(0).await;
    events.pod(|pod| pod["state"] == "ready").await;
    twoapi.signals.send(Signal::Terminate).unwrap();
    let signal = Instant::now();
    events.until(|name, _| (name == "bye").then_some(())).await;
    let response = twoapi.get("/page/events").await;
    assert_eq!(response.status(), 503, "nobody is let in any more");
    let stopping = events.pod(|pod| pod["state"] == "stopping").await;
    assert!(
        stopping["stop"].is_object(),
        "its own stop is seen: {stopping}"
    );
    let end = async { while events.next().await.is_some() {} };
    timeout(PATIENCE, end)
        .await
        .expect("it ends with the drain");
    assert!(signal.elapsed() >= DRAIN_DELAY, "and not before");
    assert_eq!(twoapi.ended.await.unwrap(), ExitCode::SUCCESS);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_viewers_cost_a_pod_the_polling_of_one() {
    let oneapi = oneapi();
    let (pod, asked) = counted(oneapi.address).await;
    let twoapi = twoapi(pod, |_| {});
    let mut viewers = Vec::new();
    for _ in 0..20 {
        viewers.push(twoapi.watch(0).await);
    }
    for viewer in &mut viewers {
        viewer.pod(|pod| pod["state"] == "ready").await;
    }
    let polls = || asked.lock().unwrap()["/info"];
    let before = polls();
    let seconds = 2;
    sleep(Duration::from_secs(seconds)).await;
    let requests = polls() - before;
    // 2.5 a second; one more for the edges.
    assert!((1..=6).contains(&requests), "{requests} in {seconds} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_services_cost_what_one_with_as_many_pods_costs() {
    let (port, asked) = many_pods().await;
    let names = |net: u8| (1..=20).map(|n| format!("127.0.{net}.{n}")).collect();
    let twoapi = twoapi(SocketAddr::new(HOST, port), |page| {
        page.pods_name = names(1);
        page.twin_pods_name = names(2);
        page.pods_ports.twoapi = port;
    });
    let mut events = twoapi.watch(0).await;
    let mut seen = BTreeSet::new();
    while seen.len() < 40 {
        let (_, data) = events.next().await.unwrap();
        let pods = data["pods"].as_array().into_iter().flatten();
        seen.extend(pods.map(|pod| pod["id"].to_string()));
    }
    let polls = || asked.load(Ordering::Relaxed);
    let before = polls();
    let seconds = 4;
    sleep(Duration::from_secs(seconds)).await;
    // Two containers of twenty pods, 2.5 times a second each, are 100; at full speed they were 200.
    let each_second = (polls() - before) / seconds;
    assert!((20..=130).contains(&each_second), "{each_second} a second");
}

/// Every switch that a request or a probe could use up, metrics, mirror, and the count of requests
/// after the signal: viewers who choose no requests are noticed by none of them.
#[tokio::test(flavor = "multi_thread")]
async fn looking_changes_nothing() {
    let oneapi = oneapi();
    let (pod, asked) = counted(oneapi.address).await;
    let twoapi = twoapi(pod, |_| {});
    for service in [&oneapi, &twoapi] {
        for fault in [
            "liveness?mode=fail&count=3",
            "readiness?mode=fail&count=3",
            "startup?reset&count=3",
            "latency?delay=10ms&count=3",
            "errors?count=3",
            "reset?count=3",
        ] {
            service.set_fault(fault).await;
        }
    }
    let before = [oneapi.traces().await, twoapi.traces().await];
    let mut viewers = Vec::new();
    for _ in 0..5 {
        assert_eq!(twoapi.get("/").await.status(), 200);
        viewers.push(twoapi.watch(0).await);
    }
    let pod = viewers[0].pod(|pod| pod["state"] == "not ready").await;
    let why = "oneapi: failing, as the fault switch readiness says";
    assert_eq!(pod["why"][0], why, "{pod}");
    assert_eq!(pod["why"][1], "oneapi：故障开关 readiness 使其失败");
    for viewer in viewers {
        // What isn't read holds its events back.
        tokio::spawn(async move {
            let mut viewer = viewer;
            while viewer.next().await.is_some() {}
        });
    }
    sleep(Duration::from_secs(10)).await;
    assert_eq!([oneapi.traces().await, twoapi.traces().await], before);
    let paths: Vec<String> = asked.lock().unwrap().keys().cloned().collect();
    assert_eq!(paths, ["/burns", "/faults", "/info", "/probes"]);

    for service in [oneapi, twoapi] {
        service.signals.send(Signal::Terminate).unwrap();
        assert_eq!(service.ended.await.unwrap(), ExitCode::SUCCESS);
        let late = service.chassis.life.late_requests();
        assert_eq!(late.count, 0, "no request after the signal");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_requests_that_a_viewer_chooses_are_traffic_like_any_other() {
    let oneapi = oneapi();
    let twoapi = twoapi(oneapi.address, |_| {});
    oneapi.set_fault("errors?status=503&count=3").await;
    let mut events = twoapi.watch(20).await;
    let failed = events.mark(|mark| mark[4] == "status 502").await;
    assert_eq!(failed[5], "chesterapi", "{failed}");
    let ok = events.mark(|mark| mark[4] == "ok").await;
    assert_eq!(ok[5], "chesterapi", "{ok}");
    assert!(oneapi.chassis.faults.list().is_empty(), "it is used up");
    let counted = |service: &Service, route: &str| {
        let metrics = service.chassis.metrics.prometheus_text();
        let line = format!(r#"http_requests_total{{method="GET",route="{route}",status="200"}}"#);
        assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
    };
    counted(&oneapi, "/test");
    counted(&twoapi, "/test/calloneapi");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_last_viewer_all_connections_end() {
    let pod = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let twoapi = twoapi(pod.local_addr().unwrap(), |_| {});
    let events = twoapi.watch(0).await;
    let (first, _) = timeout(PATIENCE, pod.accept()).await.unwrap().unwrap();
    drop(events);
    // That the viewer has left shows when it is next sent something. A pod is polled more often than
    // once in three seconds.
    let mut connections = vec![first];
    let silence = async {
        while let Ok(accepted) = timeout(Duration::from_secs(3), pod.accept()).await {
            connections.push(accepted.unwrap().0);
        }
    };
    timeout(PATIENCE, silence).await.expect("polls end");
    for mut connection in connections {
        let mut rest = Vec::new();
        let ended = timeout(PATIENCE, connection.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "it is closed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_viewers_than_allowed_are_told_so() {
    let oneapi = oneapi();
    let twoapi = twoapi(oneapi.address, |page| page.max_viewers = 1);
    let first = twoapi.watch(0).await;
    let response = twoapi.get("/page/events").await;
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    let sentence = response.text().await.unwrap();
    assert!(sentence.contains("MAX_VIEWERS"), "{sentence}");
    drop(first);
    let free_again = async {
        while twoapi.get("/page/events").await.status() != 200 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, free_again).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_pods_than_are_shown_are_a_problem_that_is_told() {
    let twoapi = twoapi(oneapi().address, |page| {
        page.pods_name = (1..=250).map(|n| format!("127.0.99.{n}")).collect();
    });
    let mut events = twoapi.watch(0).await;
    let told = |name: &str, data: &Value| {
        let problems = data.as_object().filter(|_| name == "problems")?;
        let sentence = problems.values().find_map(|both| both[0].as_str())?;
        Some(sentence.to_owned())
    };
    let sentence = events.until(told).await;
    assert!(sentence.contains("250"), "{sentence}");
    assert!(sentence.contains("200"), "{sentence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burn_is_started_and_ended_by_the_page() {
    let oneapi = oneapi();
    let twoapi = twoapi(oneapi.address, |_| {});
    let burn = r#"{"action":"burn","pod":"127.0.0.1","millicores":50,"seconds":600}"#;
    let answer = twoapi.act("same-origin", burn).await;
    assert_eq!(answer, (200, "oneapi: done on 1 of 1 Pods".to_owned()));
    let burns = oneapi.burns().await;
    assert_eq!(burns[0]["asked_millicores"], 50, "{burns:?}");
    let mut events = twoapi.watch(0).await;
    let pod = events.pod(|pod| pod["burns"][0]["left"].is_number()).await;
    assert_eq!(pod["burns"][0]["millicores"], 50, "{pod}");
    let end = r#"{"action":"end burns","pod":null}"#;
    assert_eq!(twoapi.act("same-origin", end).await.0, 200);
    let gone = |pod: &Value| pod["burns"].as_array().is_some_and(Vec::is_empty);
    events.pod(gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burn_on_a_pod_that_hangs_is_not_done() {
    // The kernel takes the connection, and nobody answers.
    let hangs = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = hangs.local_addr().unwrap();
    let twoapi = twoapi(address, |_| {});
    let burn = r#"{"action":"burn","millicores":50,"seconds":600}"#;
    let said = format!("oneapi: done on 0 of 1 Pods, but {address} doesn't answer");
    assert_eq!(twoapi.act("same-origin", burn).await, (502, said));
}

#[tokio::test(flavor = "multi_thread")]
async fn burns_are_started_and_ended_on_one_pod_and_on_all_and_the_answer_says_where() {
    let pods = Pods::start(false, false, &["127.0.0.200"]);
    let of =
        |pod: &str| format!(r#"{{"action":"burn","pod":{pod},"millicores":10,"seconds":600}}"#);
    let ended = |pod: &str| format!(r#"{{"action":"end burns","pod":{pod}}}"#);
    let port = pods.oneapis[0].address.port();
    let all = format!("oneapi: done on 3 of 4 Pods, but 127.0.0.200:{port} can't be reached");
    let one = "oneapi: done on 1 of 1 Pods".to_owned();

    assert_eq!(pods.act(&of("\"127.0.0.2\"")).await, (200, one.clone()));
    assert_eq!(pods.burning().await, [0, 1, 0]);
    assert_eq!(pods.act(&of("null")).await, (502, all.clone()));
    assert_eq!(pods.burning().await, [1, 2, 1]);
    assert_eq!(pods.act(&ended("\"127.0.0.1\"")).await, (200, one));
    assert_eq!(pods.burning().await, [0, 2, 1]);
    assert_eq!(pods.act(&ended("null")).await, (502, all));
    assert_eq!(pods.burning().await, [0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_is_set_in_one_pod_and_in_all_and_where_it_is_refused_the_answer_says_so() {
    let pods = Pods::start(true, false, &[]);
    let set = |pod: &str, container: &str| {
        format!(
            r#"{{"action":"set fault","pod":{pod},"container":"{container}","fault":"readiness?mode=fail&for=60s"}}"#
        )
    };
    let one = pods.act(&set("\"127.0.0.3\"", "oneapi")).await;
    assert_eq!(one, (200, "oneapi: done on 1 of 1 Pods".to_owned()));
    assert_eq!(set_faults(&pods.oneapis), [0, 0, 1]);
    let all = pods.act(&set("null", "oneapi")).await;
    assert_eq!(all, (200, "oneapi: done on 3 of 3 Pods".to_owned()));
    assert_eq!(set_faults(&pods.oneapis), [1, 1, 1]);
    let (status, sentence) = pods.act(&set("null", "twoapi")).await;
    assert_eq!(status, 502, "{sentence}");
    let (beginning, end) = ("twoapi: done on 0 of 3 Pods, but 127.0.0.", " (and 2 more)");
    assert!(sentence.starts_with(beginning), "{sentence}");
    assert!(sentence.contains("FAULTS=true"), "{sentence}");
    assert!(sentence.ends_with(end), "{sentence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn switches_are_cleared_wherever_they_are_allowed() {
    let clear = |pod: &str| format!(r#"{{"action":"clear faults","pod":{pod}}}"#);
    let done = |container: &str| format!("{container}: done on 3 of 3 Pods");
    let none = |container: &str| {
        format!("{container}: fault switches are off there (FAULTS=true turns them on)")
    };
    for (oneapi, twoapi, status, said) in [
        (true, true, 200, [done("oneapi"), done("twoapi")]),
        (true, false, 200, [done("oneapi"), none("twoapi")]),
        (false, true, 200, [none("oneapi"), done("twoapi")]),
        (false, false, 403, [none("oneapi"), none("twoapi")]),
    ] {
        let pods = Pods::start(oneapi, twoapi, &[]);
        let allowed = [(oneapi, &pods.oneapis), (twoapi, &pods.twoapis)];
        let allowed = allowed.into_iter().filter(|(allowed, _)| *allowed);
        let services: Vec<&Service> = allowed.flat_map(|(_, services)| services).collect();
        for service in &services {
            service.set_fault("errors?for=60s").await;
        }
        let set = || {
            services
                .iter()
                .filter(|it| !it.chassis.faults.list().is_empty())
                .count()
        };
        let before = set();
        let (one, sentence) = pods.act(&clear("\"127.0.0.2\"")).await;
        assert_eq!(one, status, "{sentence}");
        assert_eq!(set(), before - before / 3, "of one pod: {sentence}");
        assert_eq!(pods.act(&clear("null")).await, (status, said.join("; ")));
        assert_eq!(set(), 0);
    }

    let pods = Pods::start(true, true, &["127.0.0.200"]);
    for service in pods.oneapis.iter().chain(&pods.twoapis) {
        service.set_fault("errors?for=60s").await;
    }
    let (status, sentence) = pods.act(&clear("null")).await;
    assert_eq!(status, 502, "{sentence}");
    let missing = ["oneapi", "twoapi"].map(|container| {
        let services = if container == "oneapi" {
            &pods.oneapis
        } else {
            &pods.twoapis
        };
        let port = services[0].address.port();
        format!("{container}: done on 3 of 4 Pods, but 127.0.0.200:{port} can't be reached")
    });
    assert_eq!(sentence, missing.join("; "));
    assert_eq!(set_faults(&pods.oneapis), [0, 0, 0], "all the same");
    assert_eq!(set_faults(&pods.twoapis), [0, 0, 0], "all the same");
}

/// Of two requests, the first isn't allowed anyway, and says that it is going to send 2 MB; the other
/// does send more than an action can be.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_refused_without_the_body_is_and_a_body_is_at_most_4_kb() {
    for (actions, origin, status) in [
        (false, "sec-fetch-site: same-origin", "403"),
        (true, "origin: http://evil.example", "403"),
        (true, "sec-fetch-site: same-origin", "413"),
    ] {
        let twoapi = twoapi(oneapi().address, |page| page.page_actions = actions);
        let mut stream = TcpStream::connect(twoapi.address).await.unwrap();
        let head = format!(
            "POST /page/actions HTTP/1.1\r\nhost: a\r\n{origin}\r\ncontent-length: 2000000\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        if status == "413" {
            stream.write_all(&[b' '; 4097]).await.unwrap();
        }
        let mut answer = [0; 64];
        let answered = timeout(PATIENCE, stream.read(&mut answer)).await;
        let length = answered.expect("at once, without the rest").unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
    let twoapi = twoapi(oneapi().address, |_| {});
    let longest = format!("{:<4096}", r#"{"action":"end burns"}"#);
    assert_eq!(twoapi.act("same-origin", &longest).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_are_for_the_page_itself_and_for_known_pods() {
    let oneapi = oneapi();
    let twoapi = twoapi(oneapi.address, |_| {});
    let burn = r#"{"action":"burn","pod":null,"millicores":50,"seconds":600}"#;
    for site in ["cross-site", "same-site", "none"] {
        let (status, sentence) = twoapi.act(site, burn).await;
        assert_eq!(status, 403, "{site}: {sentence}");
    }
    assert!(oneapi.burns().await.is_empty(), "nothing was started");
    for (action, status) in [
        (r#"{"action":"end burns","pod":"127.0.0.9"}"#, 404),
        (r#"{"action":"end burns","service":7}"#, 400),
        (r#"{"action":"explode"}"#, 400),
        (r#"{"action":"burn","millicores":1,"seconds":1e9}"#, 400),
        ("", 400),
    ] {
        let answer = twoapi.act("same-origin", action).await;
        assert_eq!(answer.0, status, "{action}: {}", answer.1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_actions_are_carried_out_at_once_and_the_others_wait_for_their_turn() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let twoapi = twoapi(listener.local_addr().unwrap(), |_| {});
    let answers = Arc::new(Semaphore::new(0));
    let (in_hand, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    tokio::spawn({
        let (answers, in_hand, most) = (answers.clone(), in_hand.clone(), most.clone());
        async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let (answers, in_hand, most) = (answers.clone(), in_hand.clone(), most.clone());
                tokio::spawn(async move {
                    assert!(client.read(&mut [0; 1024]).await.unwrap() > 0);
                    let now = in_hand.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    let _may = answers.acquire().await.unwrap();
                    in_hand.fetch_sub(1, Ordering::SeqCst);
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    client.write_all(answer).await.unwrap();
                });
            }
        }
    });
    let twoapi = Arc::new(twoapi);
    let mut acts = JoinSet::new();
    for _ in 0..30 {
        let twoapi = Arc::clone(&twoapi);
        let end = r#"{"action":"end burns"}"#;
        acts.spawn(async move { twoapi.act("same-origin", end).await });
    }
    let full = async {
        while in_hand.load(Ordering::SeqCst) < 8 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, full).await.unwrap();
    answers.add_permits(30);
    let acts = acts.join_all().await;
    assert!(acts.iter().all(|(status, _)| *status == 200), "{acts:?}");
    assert_eq!(most.load(Ordering::SeqCst), 8);
}

/// A browser in clear text, to which another site's name can lead at any time.
#[tokio::test(flavor = "multi_thread")]
async fn actions_are_refused_under_a_name_that_anybody_could_have() {
    let twoapi = twoapi(oneapi().address, |page| {
        page.page_hosts = vec!["lab.example.com".to_owned()];
    });
    let own = twoapi.address.to_string();
    for (host, status) in [
        (own.as_str(), 200),
        ("lab.example.com", 200),
        ("evil.example:5001", 403),
    ] {
        let request = client().post(twoapi.url("/page/actions"));
        let request = request.header("host", host);
        let request = request.header("origin", format!("http://{host}"));
        let response = request.body(r#"{"action":"end burns"}"#).send().await;
        let response = response.unwrap();
        assert_eq!(response.status(), status, "{host}");
        let sentence = response.text().await.unwrap();
        assert_eq!(sentence.contains("PAGE_HOSTS"), status == 403, "{sentence}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_can_be_turned_off() {
    let oneapi = oneapi();
    let twoapi = twoapi(oneapi.address, |page| page.page_actions = false);
    let end = r#"{"action":"end burns"}"#;
    let (status, sentence) = twoapi.act("same-origin", end).await;
    assert_eq!(status, 403);
    assert!(sentence.contains("PAGE_ACTIONS"), "{sentence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_one_document_and_protected() {
    let oneapi = oneapi();
    let twoapi = twoapi(oneapi.address, |_| {});
    let plain = twoapi.get("/").await;
    assert_eq!(plain.status(), 200);
    let headers = plain.headers().clone();
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(plain.text().await.unwrap().starts_with("<!doctype html>"));

    assert_eq!(twoapi.get("/page/nothing.js").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_in_the_language_that_is_asked_for_first() {
    let twoapi = twoapi(oneapi().address, |_| {});
    let mut tags = Vec::new();
    for (asked, coding, language) in [
        ("zh-CN,zh;q=0.9,en;q=0.8", "gzip", "zh"),
        ("en-US,zh;q=0.5", "gzip", "en"),
        ("fr", "gzip", "en"),
        // Browsers accept gzip.
        ("zh", "identity", "en"),
    ] {
        let request = client().get(twoapi.url("/"));
        let request = request.header("accept-language", asked);
        let request = request.header("accept-encoding", coding);
        let response = request.send().await.unwrap();
        let headers = response.headers();
        assert_eq!(headers["content-language"], language, "{asked}");
        tags.push(headers["etag"].clone());
    }
    assert_eq!(tags[1], tags[2]);
    tags.dedup();
    assert_eq!(tags.len(), 3, "each document has its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_qr_code_is_made_of_the_pages_own_address_alone() {
    let twoapi = twoapi(oneapi().address, |_| {});
    let own = twoapi.url("/?watch");
    let get = async |address: &str| {
        let encoded: String = address.bytes().map(|b| format!("%{b:02x}")).collect();
        let url = twoapi.url(&format!("/page/qr.svg?{encoded}"));
        client().get(url).send().await.unwrap()
    };
    let response = get(&own).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "image/svg+xml");
    let svg = response.text().await.unwrap();
    assert!(
        svg.starts_with("<svg ") && svg.matches("h1v1h-1z").count() > 200,
        "{svg}"
    );
    let long = format!("{own}{}", "x".repeat(300));
    for other in [
        "",
        "x",
        "http://example.com/",
        "javascript:alert(1)",
        &own[5..],
        &long,
    ] {
        assert_eq!(get(other).await.status(), 400, "{other}");
    }
    // Case means nothing, nor how an address is written.
    for same in [
        own.replace("127.0.0.1", "127.1"),
        own.replace("http", "HTTP"),
    ] {
        assert_eq!(get(&same).await.status(), 200, "{same}");
    }
    let at = own.replace("http://", "http://evil@");
    assert_eq!(get(&at).await.status(), 400, "{at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn below_a_base_path_the_page_is_there_too() {
    let twoapi = twoapi(oneapi().address, |page| {
        page.base_path = Some("/demo".to_owned());
    });
    // The client goes where it is led.
    let led = twoapi.get("/demo").await;
    assert_eq!(led.url().path(), "/demo/");
    let led_on = twoapi.get("/demo?watch").await;
    assert!(
        led_on.url().as_str().ends_with("/demo/?watch"),
        "{}",
        led_on.url()
    );
    let document = led.text().await.unwrap();
    assert_eq!(document, twoapi.get("/").await.text().await.unwrap());
    let events = twoapi.get("/demo/page/events").await;
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let request = client().post(twoapi.url("/demo/page/actions"));
    let request = request.header("sec-fetch-site", "same-origin");
    let request = request.body(r#"{"action":"end burns"}"#);
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(twoapi.get("/demo/livez").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_compressed_and_plain_has_two_etags_and_a_304_for_the_own_one_only() {
    let twoapi = twoapi(oneapi().address, |_| {});
    let get = async |coding: &str, known: &str| {
        let request = client().get(twoapi.url("/"));
        let request = request.header("accept-encoding", coding);
        let request = request.header("if-none-match", known);
        request.send().await.unwrap()
    };
    let plain = get("identity", "").await;
    let gzip = get("GZIP;q=0.8", "").await;
    assert_eq!(plain.headers().get("content-encoding"), None);
    assert_eq!(gzip.headers()["content-encoding"], "gzip");
    let etag = |response: &Response| response.headers()["etag"].to_str().unwrap().to_owned();
    let (of_plain, of_gzip) = (etag(&plain), etag(&gzip));
    assert_ne!(of_plain, of_gzip, "two bodies, two tags");
    assert_eq!(gzip.bytes().await.unwrap()[..2], [0x1f, 0x8b]);
    for (coding, known, status) in [
        ("gzip", of_gzip.clone(), 304),
        ("gzip", format!("W/{of_gzip}"), 304),
        ("gzip", format!("\"x\" , {of_plain},{of_gzip}"), 304),
        ("gzip", "*".to_owned(), 304),
        ("gzip", of_plain.clone(), 200),
        ("identity", of_plain.clone(), 304),
        ("identity", of_gzip.clone(), 200),
        ("identity", "\"x\", garbage".to_owned(), 200),
    ] {
        let again = get(coding, &known).await;
        assert_eq!(again.status(), status, "{coding} {known}");
        let length = again.headers().get("content-length");
        assert_eq!(length.is_some(), status == 200, "{length:?}");
        // That of a 304 would be that of the 200. <https://www.rfc-editor.org/rfc/rfc9110#section-8.6>
        let head = client().head(twoapi.url("/"));
        let head = head.header("accept-encoding", coding);
        let head = head.header("if-none-match", &known).send().await.unwrap();
        assert_eq!(head.status(), status, "{coding} {known}");
        let length = head.headers().get("content-length");
        assert_eq!(length.is_some(), status == 200, "{length:?}");
        assert_eq!(again.headers()["vary"], "accept-encoding, accept-language");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_file_answers_head_as_get_and_names_the_methods_that_are_allowed() {
    let twoapi = twoapi(oneapi().address, |_| {});
    let ask = async |method: Method, file: &str, coding: &str| {
        let request = client().request(method, twoapi.url(file));
        let request = request.header("accept-encoding", coding);
        request.send().await.unwrap()
    };
    for coding in ["gzip", "identity"] {
        let get = ask(Method::GET, "/", coding).await;
        let head = ask(Method::HEAD, "/", coding).await;
        assert_eq!(head.status(), 200);
        for name in [
            "content-length",
            "content-type",
            "content-encoding",
            "etag",
            "vary",
        ] {
            let of = |response: &Response| response.headers().get(name).cloned();
            assert_eq!(of(&head), of(&get), "{coding}: {name}");
        }
        assert!(get.content_length().unwrap() > 0);
        assert!(head.bytes().await.unwrap().is_empty());
    }
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let refused = ask(method, "/", "gzip").await;
        assert_eq!(refused.status(), 405);
        assert_eq!(refused.headers()["allow"], "GET,HEAD,OPTIONS");
    }
    for (path, method, allowed) in [
        ("/page/events", Method::POST, "GET,HEAD,OPTIONS"),
        ("/page/actions", Method::GET, "POST,OPTIONS"),
    ] {
        let refused = ask(method, path, "gzip").await;
        assert_eq!(refused.status(), 405, "{path}");
        assert_eq!(refused.headers()["allow"], allowed, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_or_query_that_makes_no_sense_is_refused_in_a_short_sentence() {
    let twoapi = twoapi(oneapi().address, |_| {});
    let long = "9".repeat(8000);
    for (path, status) in [
        ("/page/%ff".to_owned(), 404),
        ("/page/..%2f..%2fetc%2fpasswd".to_owned(), 404),
        ("/page/a%0d%0ab".to_owned(), 404),
        (format!("/page/events?rate={long}"), 400),
        ("/page/events?rate=%3Cscript%3E".to_owned(), 400),
        ("/page/events?rate=1&rate=2".to_owned(), 400),
        ("/page/events?rat=1".to_owned(), 400),
    ] {
        let response = twoapi.get(&path).await;
        assert_eq!(response.status(), status, "{path}");
        let sentence = response.text().await.unwrap();
        assert!(sentence.len() < 120, "{path}: {sentence}");
        assert!(!sentence.contains('\n'), "{path}: {sentence}");
        assert!(!sentence.contains("Invalid"), "{path}: {sentence}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_answers_while_its_service_starts() {
    let settings = defaults();
    let mut chassis: chassis::Settings = defaults();
    chassis.lifecycle.startup_delay = Duration::from_secs(3600);
    let chassis = Chassis::new(Build::new("twoapi", "1.0", None, None), chassis);
    let (listener, routes) = (listener(), twoapi::routes(&chassis, &settings));
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (_signals, receiver) = Signals::manual();
    tokio::spawn(chassis.serve(routes, listener, receiver));
    for (path, expected) in [("/", 200), ("/page/events", 200), ("/test/calloneapi", 503)] {
        let response = client().get(format!("{url}{path}")).send().await.unwrap();
        assert_eq!(response.status(), expected, "{path}");
    }
}
