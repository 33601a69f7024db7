//! `burn` against pods that keep time as oneapi does, while a look-up of the test's own has them
//! come and go; and the arguments that the real program refuses.

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
    extract::RawQuery,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use chassis::{
    lifecycle::{Signal, Signals},
    text::MAX_SHOWN,
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::Notify,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};
use twoapi::burn::{self, Millicores, Plan, Progress};

/// A burn that a pod was asked for.
#[derive(Clone, Debug)]
struct Seen {
    caller: String,
    millicores: u32,
    seconds: f64,
    began: Instant,
    ended: Option<Instant>,
    end_requested: Arc<Notify>,
}

/// A pod that burns nothing, but reports that it did.
#[derive(Clone, Debug)]
struct Pod {
    address: SocketAddr,
    max_millicores: u32,
    /// How many burns it answers with 429.
    busy: Arc<AtomicU64>,
    burns: Arc<Mutex<BTreeMap<u64, Seen>>>,
    last_id: Arc<AtomicU64>,
    serving: Arc<JoinHandle<()>>,
}

impl Pod {
    async fn start(address: &str, max_millicores: u32) -> Self {
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
            max_millicores,
            busy: Arc::default(),
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
            .route(
                "/burns",
                get(async move || Json(lister.list())).delete(
                    async move |RawQuery(query): RawQuery| {
                        ender.end(query.unwrap().strip_prefix("caller=").unwrap())
                    },
                ),
            )
    }

    async fn burn(&self, query: &str) -> Response {
        let value = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).unwrap().1
        };
        let millicores: u32 = value("millicores").parse().unwrap();
        let seconds = value("minutes").parse::<f64>().unwrap() * 60.0;
        let busy = |busy: u64| busy.checked_sub(1);
        let busy = self
            .busy
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, busy);
        if busy.is_ok() {
            let retry_after = [(header::RETRY_AFTER, "1")];
            let status = StatusCode::TOO_MANY_REQUESTS;
            return (status, retry_after, "too many burns").into_response();
        }
        if millicores > self.max_millicores {
            let sentence = format!("millicores can be {} at most", self.max_millicores);
            return (StatusCode::BAD_REQUEST, sentence).into_response();
        }
        let id = self.last_id.fetch_add(1, Ordering::SeqCst) + 1;
        let end_requested = Arc::new(Notify::new());
        let seen = Seen {
            caller: value("caller").to_owned(),
            millicores,
            seconds,
            began: Instant::now(),
            ended: None,
            end_requested: end_requested.clone(),
        };
        self.burns.lock().unwrap().insert(id, seen.clone());
        // Also when the client has gone, and this is dropped.
        let _ends = Ends(self, id);
        drop(timeout(Duration::from_secs_f64(seconds), end_requested.notified()).await);
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
                    "caller": seen.caller,
                    "asked_millicores": seen.millicores,
                    "granted_millicores": seen.millicores,
                    "asked_seconds": cores * seen.seconds,
                    "achieved_seconds": cores * seen.began.elapsed().as_secs_f64(),
                })
            })
            .collect()
    }

    /// Ends the burns of a caller.
    fn end(&self, caller: &str) -> String {
        let burns = self.burns.lock().unwrap();
        let own = burns
            .values()
            .filter(|seen| seen.ended.is_none() && seen.caller == caller);
        own.for_each(|seen| seen.end_requested.notify_one());
        "ended".to_owned()
    }

    fn running(&self) -> usize {
        let burns = self.burns.lock().unwrap();
        burns.values().filter(|seen| seen.ended.is_none()).count()
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

/// What the name resolves to, as the test sets it.
#[derive(Clone, Debug, Default)]
struct Name(Arc<Mutex<Vec<SocketAddr>>>);

impl Name {
    fn resolves_to(&self, pods: &[&Pod]) {
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
        tokio::spawn(burn::run(
            Plan { millicores, time },
            lookup,
            signals,
            |_| {},
        ))
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
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
    name.resolves_to(&[&a]);
    let (_signals, none) = Signals::manual();
    let burn = name.burn(Millicores::Total(1200), 4.0, none);
    until("one pod has it all", || a.asked() == [1200]).await;
    sleep(Duration::from_millis(300)).await;
    name.resolves_to(&[&a, &b, &c]);
    until("three share", || {
        !b.asked().is_empty() && !c.asked().is_empty()
    })
    .await;
    sleep(Duration::from_millis(300)).await;
    name.resolves_to(&[&b, &c]);
    let end = burn.await.unwrap();
    assert_eq!(a.asked(), [1200, 400]);
    assert_eq!(b.asked(), [400, 600]);
    assert_eq!(c.asked(), [400, 600]);
    let burnt = a.burnt() + b.burnt() + c.burnt();
    is_close(burnt, 4.8);
    is_close(end.achieved_seconds(), burnt);
    is_close(end.asked_seconds, 4.8);
    assert!(
        end.is_success() && end.elapsed == Duration::from_secs(4),
        "{end:?}"
    );
}

#[tokio::test]
async fn a_share_that_stays_is_one_burn() {
    let pod = Pod::start("127.0.0.1:0", 2000).await;
    let name = Name::default();
    name.resolves_to(&[&pod]);
    let (_signals, none) = Signals::manual();
    let end = name.burn(Millicores::Total(100), 2.5, none).await.unwrap();
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
    name.resolves_to(&[&a, &b]);
    let (_signals, none) = Signals::manual();
    let burn = name.burn(Millicores::Total(600), 3.0, none);
    until("both burn", || a.asked() == [300] && b.asked() == [300]).await;
    sleep(Duration::from_millis(500)).await;
    a.crash();
    let crash = Instant::now();
    until("the other one takes over", || b.asked() == [300, 600]).await;
    assert!(crash.elapsed() < Duration::from_millis(200), "at once");
    let end = burn.await.unwrap();
    assert!(end.is_success(), "pods come and go: {end:?}");
    is_close(a.burnt() + b.burnt(), 1.8);
    assert!(end.pods[&a.address].error.is_some(), "{end:?}");
}

#[tokio::test]
async fn a_pod_that_cannot_burn_its_share_is_named_and_the_others_take_it_over() {
    let (small, large) = (
        Pod::start("127.0.0.1:0", 100).await,
        Pod::start("127.0.0.1:0", 2000).await,
    );
    let name = Name::default();
    name.resolves_to(&[&small, &large]);
    let (_signals, none) = Signals::manual();
    let end = name.burn(Millicores::Total(600), 1.5, none).await.unwrap();
    let error = end.pods[&small.address].error.as_deref().unwrap();
    assert_eq!(error, "400 Bad Request: millicores can be 100 at most");
    assert!(end.refused && !end.is_success(), "{end:?}");
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
    name.resolves_to(&[&a, &b]);
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
    name.resolves_to(&[&a, &b]);
    let (_signals, none) = Signals::manual();
    let end = name.burn(Millicores::Total(1), 0.5, none).await.unwrap();
    assert_eq!([a.asked(), b.asked()].concat(), [1]);
    assert!(end.is_success(), "{end:?}");
}

#[tokio::test]
async fn a_signal_ends_all_burns_and_what_they_came_to_is_told() {
    let (a, b) = (
        Pod::start("127.0.0.1:0", 2000).await,
        Pod::start("127.0.0.1:0", 2000).await,
    );
    let name = Name::default();
    name.resolves_to(&[&a, &b]);
    let (send, signals) = Signals::manual();
    let burn = name.burn(Millicores::Total(1000), 3600.0, signals);
    until("both burn", || {
        !a.asked().is_empty() && !b.asked().is_empty()
    })
    .await;
    sleep(Duration::from_millis(500)).await;
    send.send(Signal::Interrupt).unwrap();
    let told = Instant::now();
    let end = burn.await.unwrap();
    assert!(told.elapsed() < Duration::from_millis(300), "at once");
    assert!(a.running() + b.running() == 0, "nothing burns on");
    is_close(end.achieved_seconds(), a.burnt() + b.burnt());
    assert!(end.is_success(), "{end:?}");
}

#[tokio::test]
async fn the_share_of_a_burn_that_somebody_ended_goes_to_the_others() {
    let (a, b) = (
        Pod::start("127.0.0.1:0", 2000).await,
        Pod::start("127.0.0.1:0", 2000).await,
    );
    let name = Name::default();
    name.resolves_to(&[&a, &b]);
    let (_signals, none) = Signals::manual();
    let burn = name.burn(Millicores::Total(400), 2.0, none);
    until("it burns", || !a.asked().is_empty()).await;
    sleep(Duration::from_millis(300)).await;
    a.burns.lock().unwrap()[&1].end_requested.notify_one();
    let end = burn.await.unwrap();
    let error = end.pods[&a.address].error.as_deref();
    assert_eq!(error, Some("somebody ended its burn"));
    assert_eq!(b.asked(), [200, 400], "the total stays");
}

#[tokio::test]
async fn a_busy_pod_gets_its_share_after_the_time_that_it_asked_for() {
    let (a, b) = (
        Pod::start("127.0.0.1:0", 2000).await,
        Pod::start("127.0.0.1:0", 2000).await,
    );
    let name = Name::default();
    name.resolves_to(&[&a, &b]);
    a.busy.store(1, Ordering::SeqCst);
    let (_signals, none) = Signals::manual();
    let end = name.burn(Millicores::Total(400), 3.0, none).await.unwrap();
    assert_eq!(b.asked(), [200, 400, 200], "it takes over, and gives back");
    assert_eq!(a.asked(), [200], "one burn after the refusal");
    is_close(end.achieved_seconds(), 1.2);
    assert!(end.is_success() && !end.refused, "{end:?}");
    let error = end.pods[&a.address].error.as_deref();
    assert_eq!(error, None, "it burns now");
}

#[tokio::test]
async fn a_busy_pod_is_waited_for_and_what_nobody_burnt_is_a_failure() {
    let pod = Pod::start("127.0.0.1:0", 2000).await;
    let name = Name::default();
    name.resolves_to(&[&pod]);
    for (millicores, busy, achieved) in [
        (Millicores::Total(200), u64::MAX, 0.0),
        (Millicores::Total(200), 1, 0.2),
        (Millicores::Each(200), 1, 0.2),
    ] {
        pod.busy.store(busy, Ordering::SeqCst);
        let (_signals, none) = Signals::manual();
        let end = name.burn(millicores, 2.0, none).await.unwrap();
        assert!(!end.is_success() && !end.refused, "{end:?}");
        assert_eq!(end.elapsed, Duration::from_secs(2), "{end:?}");
        assert!(end.achieved_seconds().is_sign_positive(), "{end:?}");
        is_close(end.asked_seconds, 0.4);
        let off = end.achieved_seconds() - achieved;
        assert!(off.abs() < 0.02, "{achieved}: {end:?}");
    }
}

#[tokio::test]
async fn a_burn_whose_only_pod_vanishes_has_failed_and_says_so() {
    for millicores in [Millicores::Total(200), Millicores::Each(200)] {
        let pod = Pod::start("127.0.0.1:0", 2000).await;
        let name = Name::default();
        name.resolves_to(&[&pod]);
        let (_signals, none) = Signals::manual();
        let burn = name.burn(millicores, 2.0, none);
        until("it burns", || pod.asked() == [200]).await;
        sleep(Duration::from_millis(600)).await;
        pod.crash();
        let end = burn.await.unwrap();
        assert!(end.achieved_seconds() > 0.0, "{end:?}");
        is_close(end.asked_seconds, 0.4);
        let why = end.failure().unwrap();
        assert!(why.ends_with("found no pod to burn them"), "{why}");
    }
}

#[tokio::test]
async fn a_burn_ends_its_own_and_not_that_of_another_caller() {
    let pod = Pod::start("127.0.0.1:0", 2000).await;
    let name = Name::default();
    name.resolves_to(&[&pod]);
    // Longer than the longest single burn, so that both ask the pod for the very same.
    let hour = 3600.0;
    let (_stop_first, first) = Signals::manual();
    let first = name.burn(Millicores::Total(100), hour, first);
    until("the first burns", || pod.running() == 1).await;
    let (stop_second, second) = Signals::manual();
    let second = name.burn(Millicores::Total(100), hour, second);
    until("both burn", || pod.running() == 2).await;
    stop_second.send(Signal::Interrupt).unwrap();
    assert!(second.await.unwrap().is_success());
    assert_eq!(pod.running(), 1, "the first one burns on");
    assert!(!first.is_finished());
    first.abort();
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
    assert!(text.contains("total "), "{text}");
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
async fn an_answer_that_no_oneapi_gives_is_shown_in_part_and_on_one_line() {
    let page = format!("<html>\n\u{1b}[2J{}", "x".repeat(1 << 20));
    let stranger = Router::new().fallback((StatusCode::NOT_FOUND, page));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let server = hyper::server::conn::http1::Builder::new();
        let service = TowerToHyperService::new(stranger);
        drop(server.serve_connection(TokioIo::new(stream), service).await);
    });
    let line = format!("burn {address} --millicores 1 --for 1s");
    let output = tokio::task::spawn_blocking(move || twoapi(&line));
    let Output { status, stdout, .. } = output.await.unwrap();
    let text = String::from_utf8(stdout).unwrap();
    let said = format!(
        "{address}: 404 Not Found: <html>\\n\\u{{1b}}[2J{}…\n",
        "x".repeat(MAX_SHOWN - 1 - 17) // what stands before them
    );
    assert!(text.starts_with(&said), "{text}");
    assert_eq!(status.code(), Some(1));
    serving.abort();
}

#[tokio::test]
async fn invalid_arguments_are_refused_with_a_sentence() {
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
        (
            "x --millicores 10000001 --for 1s",
            2,
            "it is a whole number from 1 to 10000000",
        ),
        (
            "x --millicores 1 --for 18446744073709551615s",
            2,
            "it must be at most a year",
        ),
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
