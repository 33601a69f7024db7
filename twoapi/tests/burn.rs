//! `burn` against pods that keep time as oneapi does, while a look-up of the test's own has them
//! come and go; and the real program's refusals to start.

#![allow(clippy::unwrap_used)] // a test may

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::{Command, Output},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{Path, RawQuery},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get},
};
use chassis::lifecycle::{Signal, Signals};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::Notify,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};
use twoapi::burn::{Millicores, Plan, Progress, steer};

/// A burn that a pod was asked for.
#[derive(Clone, Debug)]
struct Seen {
    millicores: u32,
    seconds: f64,
    began: Instant,
    ended: Option<Instant>,
    told_to_end: Arc<Notify>,
}

/// A pod that burns nothing, but says it did.
#[derive(Clone, Debug)]
struct Pod {
    address: SocketAddr,
    most: u32,
    burns: Arc<Mutex<BTreeMap<u64, Seen>>>,
    last_id: Arc<AtomicU64>,
    serving: Arc<JoinHandle<()>>,
}

impl Pod {
    async fn start(address: &str, most: u32) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let (hand_over, pod) = tokio::sync::oneshot::channel::<Self>();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let pod = pod.await.unwrap();
            // Dropped with this task, all connections end too: a crash.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let service = TowerToHyperService::new(pod.router());
                connections.spawn(async move {
                    let server = hyper::server::conn::http1::Builder::new();
                    drop(server.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        let pod = Self {
            address,
            most,
            burns: Arc::default(),
            last_id: Arc::default(),
            serving: Arc::new(serving),
        };
        hand_over.send(pod.clone()).unwrap();
        pod
    }

    fn router(&self) -> Router {
        let (burner, lister, ender) = (self.clone(), self.clone(), self.clone());
        Router::new()
            .route(
                "/test/highcpu",
                get(async move |RawQuery(query): RawQuery| burner.burn(&query.unwrap()).await),
            )
            .route("/burns", get(async move || Json(lister.list())))
            .route(
                "/burns/{id}",
                delete(async move |Path(id): Path<u64>| {
                    let burns = ender.burns.lock().unwrap();
                    burns[&id].told_to_end.notify_one();
                    "ended"
                }),
            )
    }

    async fn burn(&self, query: &str) -> Response {
        let value = |name: &str| -> f64 {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .find(|(key, _)| *key == name)
                .unwrap()
                .1
                .parse()
                .unwrap()
        };
        let (millicores, seconds) = (value("millicores") as u32, value("minutes") * 60.0);
        if millicores > self.most {
            let sentence = format!("millicores can be {} at most", self.most);
            return (StatusCode::BAD_REQUEST, sentence).into_response();
        }
        let id = self.last_id.fetch_add(1, Ordering::SeqCst) + 1;
        let told_to_end = Arc::new(Notify::new());
        let seen = Seen {
            millicores,
            seconds,
            began: Instant::now(),
            ended: None,
            told_to_end: told_to_end.clone(),
        };
        self.burns.lock().unwrap().insert(id, seen.clone());
        // Also when the client has gone, and this is dropped.
        let _ends = Ends(self, id);
        drop(timeout(Duration::from_secs_f64(seconds), told_to_end.notified()).await);
        let wall = seen.began.elapsed().as_secs_f64().min(seconds);
        Json(json!({
            "wall_seconds": wall,
            "achieved_seconds": wall * f64::from(millicores) / 1000.0,
        }))
        .into_response()
    }

    fn list(&self) -> Value {
        let burns = self.burns.lock().unwrap();
        let running = burns.iter().filter(|(_, seen)| seen.ended.is_none());
        running
            .map(|(id, seen)| {
                let cores = f64::from(seen.millicores) / 1000.0;
                json!({
                    "id": id,
                    "asked_millicores": seen.millicores,
                    "granted_millicores": seen.millicores,
                    "asked_seconds": cores * seen.seconds,
                    "achieved_seconds": cores * seen.began.elapsed().as_secs_f64(),
                })
            })
            .collect()
    }

    /// All shares that it was ever asked for, in order.
    fn asked(&self) -> Vec<u32> {
        let burns = self.burns.lock().unwrap();
        burns.values().map(|seen| seen.millicores).collect()
    }

    fn burnt(&self) -> f64 {
        let burns = self.burns.lock().unwrap();
        let one = |seen: &Seen| {
            let wall = seen.ended.unwrap_or_else(Instant::now) - seen.began;
            wall.as_secs_f64() * f64::from(seen.millicores) / 1000.0
        };
        burns.values().map(one).sum()
    }

    fn is_idle(&self) -> bool {
        let burns = self.burns.lock().unwrap();
        burns.values().all(|seen| seen.ended.is_some())
    }

    fn crash(&self) {
        self.serving.abort();
    }
}

struct Ends<'a>(&'a Pod, u64);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        let mut burns = self.0.burns.lock().unwrap();
        burns.get_mut(&self.1).unwrap().ended = Some(Instant::now());
    }
}

/// What the name stands for, to be changed by the test.
#[derive(Clone, Debug, Default)]
struct Name(Arc<Mutex<Vec<SocketAddr>>>);

impl Name {
    fn stands_for(&self, pods: &[&Pod]) {
        *self.0.lock().unwrap() = pods.iter().map(|pod| pod.address).collect();
    }

    /// Starts a burn of the pods behind it.
    fn burn(&self, millicores: Millicores, seconds: f64, signals: Signals) -> JoinHandle<Progress> {
        let time = Duration::from_secs_f64(seconds);
        let name = self.clone();
        let lookup = move || {
            let there = name.0.lock().unwrap().clone();
            async move { Ok(there) }
        };
        tokio::spawn(steer(Plan { millicores, time }, lookup, signals, |_| {}))
    }
}

async fn until(what: &str, it_is: impl Fn() -> bool) {
    let wait = async {
        while !it_is() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(10), wait).await.expect(what);
}

fn is_close(what: f64, to: f64) {
    let off = (what - to).abs() / to;
    assert!(off < 0.03, "{what} should be {to} CPU seconds");
}

#[tokio::test]
async fn the_total_stays_while_pods_come_and_go() {
    let (a, b, c) = (
        Pod::start("127.0.0.1:0", 2000).await,
        Pod::start("127.0.0.1:0", 2000).await,
        Pod::start("127.0.0.1:0", 2000).await,
    );
    let name = Name::default();
    name.stands_for(&[&a]);
    let (_signals, none) = Signals::manual();
    let burn = name.burn(Millicores::InAll(1200), 4.0, none);
    until("one pod has it all", || a.asked() == [1200]).await;
    sleep(Duration::from_millis(300)).await;
    name.stands_for(&[&a, &b, &c]);
    until("three share", || {
        !b.asked().is_empty() && !c.asked().is_empty()
    })
    .await;
    sleep(Duration::from_millis(300)).await;
    name.stands_for(&[&b, &c]);
    let end = burn.await.unwrap();
    assert_eq!(a.asked(), [1200, 400]);
    assert_eq!(b.asked(), [400, 600]);
    assert_eq!(c.asked(), [400, 600]);
    let burnt = a.burnt() + b.burnt() + c.burnt();
    is_close(burnt, 4.8);
    is_close(end.achieved_seconds(), burnt);
    is_close(end.asked_seconds, 4.8);
    assert!(
        end.is_good() && end.elapsed == Duration::from_secs(4),
        "{end:?}"
    );
}

#[tokio::test]
async fn a_share_that_stays_is_one_burn() {
    let pod = Pod::start("127.0.0.1:0", 2000).await;
    let name = Name::default();
    name.stands_for(&[&pod]);
    let (_signals, none) = Signals::manual();
    let end = name.burn(Millicores::InAll(100), 2.5, none).await.unwrap();
    assert_eq!(pod.asked(), [100]);
    is_close(end.achieved_seconds(), 0.25);
}

#[tokio::test]
async fn the_share_of_a_pod_that_dies_goes_to_the_others_at_once() {
    let (a, b) = (
        Pod::start("127.0.0.1:0", 2000).await,
        Pod::start("127.0.0.1:0", 2000).await,
    );
    let name = Name::default();
    name.stands_for(&[&a, &b]);
    let (_signals, none) = Signals::manual();
    let burn = name.burn(Millicores::InAll(600), 3.0, none);
    until("both burn", || a.asked() == [300] && b.asked() == [300]).await;
    sleep(Duration::from_millis(500)).await;
    a.crash();
    let crash = Instant::now();
    until("the other one takes over", || b.asked() == [300, 600]).await;
    assert!(crash.elapsed() < Duration::from_millis(200), "at once");
    let end = burn.await.unwrap();
    assert!(end.is_good(), "pods come and go: {end:?}");
    is_close(a.burnt() + b.burnt(), 1.8);
    assert!(end.pods[&a.address].trouble.is_some(), "{end:?}");
}

#[tokio::test]
async fn a_pod_that_cannot_burn_its_share_is_named_and_the_others_take_it_over() {
    let (small, large) = (
        Pod::start("127.0.0.1:0", 100).await,
        Pod::start("127.0.0.1:0", 2000).await,
    );
    let name = Name::default();
    name.stands_for(&[&small, &large]);
    let (_signals, none) = Signals::manual();
    let end = name.burn(Millicores::InAll(600), 1.5, none).await.unwrap();
    let trouble = end.pods[&small.address].trouble.as_deref().unwrap();
    assert_eq!(trouble, "400 Bad Request: millicores can be 100 at most");
    assert!(end.refused && !end.is_good(), "{end:?}");
    assert_eq!(large.asked(), [300, 600]);
    is_close(end.achieved_seconds(), 0.9);
}

#[tokio::test]
async fn each_pod_burns_the_same_when_told_so() {
    let (a, b) = (
        Pod::start("127.0.0.1:0", 2000).await,
        Pod::start("127.0.0.1:0", 2000).await,
    );
    let name = Name::default();
    name.stands_for(&[&a, &b]);
    let (_signals, none) = Signals::manual();
    let end = name.burn(Millicores::Each(200), 1.0, none).await.unwrap();
    assert_eq!((a.asked(), b.asked()), (vec![200], vec![200]));
    is_close(end.asked_seconds, 0.4);
    is_close(end.achieved_seconds(), 0.4);
}

#[tokio::test]
async fn fewer_millicores_than_pods_leave_some_alone() {
    let (a, b) = (
        Pod::start("127.0.0.1:0", 2000).await,
        Pod::start("127.0.0.1:0", 2000).await,
    );
    let name = Name::default();
    name.stands_for(&[&a, &b]);
    let (_signals, none) = Signals::manual();
    let end = name.burn(Millicores::InAll(1), 0.5, none).await.unwrap();
    assert_eq!([a.asked(), b.asked()].concat(), [1]);
    assert!(end.is_good(), "{end:?}");
}

#[tokio::test]
async fn a_signal_ends_all_burns_and_what_they_came_to_is_told() {
    let (a, b) = (
        Pod::start("127.0.0.1:0", 2000).await,
        Pod::start("127.0.0.1:0", 2000).await,
    );
    let name = Name::default();
    name.stands_for(&[&a, &b]);
    let (send, signals) = Signals::manual();
    let burn = name.burn(Millicores::InAll(1000), 3600.0, signals);
    until("both burn", || {
        !a.asked().is_empty() && !b.asked().is_empty()
    })
    .await;
    sleep(Duration::from_millis(500)).await;
    send.send(Signal::Interrupt).unwrap();
    let told = Instant::now();
    let end = burn.await.unwrap();
    assert!(told.elapsed() < Duration::from_millis(300), "at once");
    assert!(a.is_idle() && b.is_idle(), "nothing burns on");
    is_close(end.achieved_seconds(), a.burnt() + b.burnt());
    assert!(end.is_good(), "{end:?}");
}

#[tokio::test]
async fn a_burn_that_somebody_ended_is_left_to_them() {
    let (a, b) = (
        Pod::start("127.0.0.1:0", 2000).await,
        Pod::start("127.0.0.1:0", 2000).await,
    );
    let name = Name::default();
    name.stands_for(&[&a, &b]);
    let (_signals, none) = Signals::manual();
    let burn = name.burn(Millicores::InAll(400), 2.0, none);
    until("it burns", || !a.asked().is_empty()).await;
    sleep(Duration::from_millis(300)).await;
    a.burns.lock().unwrap()[&1].told_to_end.notify_one();
    let end = burn.await.unwrap();
    let trouble = end.pods[&a.address].trouble.as_deref();
    assert_eq!(trouble, Some("somebody ended its burn"));
    assert_eq!(b.asked(), [200, 400], "the total stays");
}

fn twoapi(line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_twoapi"));
    command.args(line.split_whitespace()).output().unwrap()
}

#[tokio::test]
async fn the_program_prints_a_line_a_second_and_the_summary() {
    let pod = Pod::start("127.0.0.1:0", 2000).await;
    let line = format!("burn {} --millicores 200 --for 1500ms", pod.address);
    let json = format!("{line} --json");
    let outputs = tokio::task::spawn_blocking(move || (twoapi(&line), twoapi(&json)));
    let (people, program) = outputs.await.unwrap();
    let text = String::from_utf8(people.stdout).unwrap();
    assert_eq!(people.status.code(), Some(0), "{text}");
    assert!(text.starts_with("   1/"), "{text}");
    assert!(text.contains("1 pods  200m asked, "), "{text}");
    assert!(text.contains("in all "), "{text}");
    let text = String::from_utf8(program.stdout).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    assert_eq!(lines[0]["kind"], "second", "{text}");
    assert_eq!(lines[1]["kind"], "summary", "{text}");
    is_close(lines[1]["achieved_seconds"].as_f64().unwrap(), 0.3);
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_a_sentence() {
    // A port that is known to be free, since it was ours a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    let nobody = format!("{nobody} --millicores 1 --for 1h");
    for (line, code, sentence) in [
        ("x --millicores 0 --for 1s", 2, "--millicores can't be '0'"),
        (
            "x --millicores -1 --for 1s",
            2,
            "--millicores can't be '-1'",
        ),
        (
            "x --millicores 0.5 --for 1s",
            2,
            "--millicores can't be '0.5'",
        ),
        ("x --millicores 1 --for -1s", 2, "--for can't be '-1s'"),
        ("x --millicores 1 --for 0s", 2, "it must be longer than 0s"),
        ("x --millicores 1", 2, "--for <TIME>"),
        ("--millicores 1 --for 1s", 2, "<TARGET>"),
        ("x:y --millicores 1 --for 1s", 2, "host:port"),
        ("http://x/test --millicores 1 --for 1s", 2, "host:port"),
        (
            "nobody.invalid --millicores 1 --for 1h",
            1,
            "the name nobody.invalid can't be resolved",
        ),
        (&nobody, 1, "onnection refused"),
    ] {
        let line = format!("burn {line}");
        let output = tokio::task::spawn_blocking({
            let line = line.clone();
            move || twoapi(&line)
        });
        let Output {
            status,
            stdout,
            stderr,
        } = output.await.unwrap();
        let said = String::from_utf8([stdout, stderr].concat()).unwrap();
        assert_eq!(status.code(), Some(code), "{line}: {said}");
        assert!(said.contains(sentence), "{line}: {said}");
    }
}
