//! Sends requests through a Service as a client would, half of them over fresh connections and half
//! over kept ones, and tells what became of each.
//!
//! Viewers get them in batches. A mark is a list: when the request ended (milliseconds since 1970),
//! how long it took (milliseconds), the Service's number, the lane (0 fresh, 1 kept), the outcome
//! (`ok`, or the failure as `twoapi load` names it), the pod, its version, and how many milliseconds
//! after its stop signal the pod answered (null for one that isn't stopping).

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::http::Uri;
use chassis::text::shown;
use serde_json::{Value, json};
use tokio::{
    sync::{Mutex, Semaphore, mpsc, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, interval_at, sleep, timeout},
};

use super::board::{Board, now};
use crate::load::{Connection, Exchange, Failure, Reuse, Target};

/// The highest rate that a viewer can choose.
pub(super) const MAX_RATE: u16 = 50;

/// How long a request may take: as long as twoapi waits for oneapi by default.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// Each stays with the pod that it first reached, so that with a few of them one sees several pods.
const KEPT_CONNECTIONS: usize = 4;

/// Requests under way at once, of one Service: the highest rate for as long as one may take.
const MAX_IN_FLIGHT: usize = 100;

/// How often viewers get what has come together.
const BATCH_INTERVAL: Duration = Duration::from_millis(100);

/// Marks that wait for their batch; two Services at the highest rate make ten.
pub(super) const MAX_MARKS: usize = 1024;

/// How long to wait with the next attempt to reach a Service.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// Collects marks and sends them to the viewers.
pub(super) async fn publish(board: Arc<Board>, mut marks: mpsc::Receiver<Value>) {
    let mut tick = interval(BATCH_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let mut batch = Vec::new();
        while let Ok(mark) = marks.try_recv() {
            batch.push(mark);
        }
        // An empty one too, once a second or so, would say that time goes on; the browser's own
        // clock does that.
        if !batch.is_empty() {
            board.send("traffic", &json!({ "now": now(), "marks": batch }));
        }
    }
}

/// Sends requests to one Service at the rate that the viewers have chosen.
pub(super) async fn run(
    service: usize,
    url: Uri,
    rates: watch::Receiver<u16>,
    board: Arc<Board>,
    marks: mpsc::Sender<Value>,
    seen: mpsc::Sender<IpAddr>,
) {
    let problem = format!("traffic {service}");
    let target = loop {
        match Target::find(&url, REQUEST_TIMEOUT).await {
            Ok(target) => break Arc::new(target),
            Err(why) => board.set_problem(&problem, Some(format!("no requests to {url}: {why}"))),
        }
        sleep(RETRY_INTERVAL).await;
    };
    board.set_problem(&problem, None);
    let sender = Sender {
        service,
        target,
        kept: std::array::from_fn(|_| Arc::new(Mutex::new(Connection::new(Reuse::Unlimited)))),
        in_flight: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
        marks,
        seen,
    };
    tokio::select! {
        () = sender.target.keep_up_to_date() => {}
        () = sender.send_at(rates) => {}
    }
}

struct Sender {
    service: usize,
    target: Arc<Target>,
    kept: [Arc<Mutex<Connection>>; KEPT_CONNECTIONS],
    in_flight: Arc<Semaphore>,
    marks: mpsc::Sender<Value>,
    seen: mpsc::Sender<IpAddr>,
}

impl Sender {
    /// Sends at the rate that holds, until nobody is there any more to choose one.
    async fn send_at(&self, mut rates: watch::Receiver<u16>) {
        let mut requests = JoinSet::new();
        let mut number = 0_usize;
        let mut last: Option<Instant> = None;
        loop {
            let rate = *rates.borrow_and_update();
            // Without a rate nothing is ever due.
            let period = Duration::from_secs(1) / u32::from(rate.max(1));
            // Another rate is no reason to send at once.
            let first = last.map_or_else(Instant::now, |last| last + period);
            let mut due = interval_at(first, period);
            due.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    biased;
                    changed = rates.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return,
                    },
                    _ = due.tick(), if rate > 0 => {
                        self.send(number, &mut requests);
                        last = Some(Instant::now());
                        number = number.wrapping_add(1);
                        while requests.try_join_next().is_some() {}
                    }
                }
            }
        }
    }

    /// Starts one request. The lanes take turns, and so do the kept connections.
    fn send(&self, number: usize, requests: &mut JoinSet<()>) {
        let lane = number % 2;
        let start = Instant::now();
        let permit = Arc::clone(&self.in_flight).try_acquire_owned().ok();
        let kept = Arc::clone(&self.kept[number / 2 % KEPT_CONNECTIONS]);
        let (service, target) = (self.service, Arc::clone(&self.target));
        let (marks, seen) = (self.marks.clone(), self.seen.clone());
        requests.spawn(async move {
            let exchange = async {
                // Dropped when the request is over.
                let _permit = permit.ok_or(Failure::NotSent("connections busy".into()))?;
                if lane == 0 {
                    Connection::new(Reuse::Never).exchange(&target).await
                } else {
                    // Those that wait for a busy connection have their turn in order.
                    kept.lock().await.exchange(&target).await
                }
            };
            let result = timeout(REQUEST_TIMEOUT, exchange)
                .await
                .unwrap_or_else(|_| Err("timed out".into()));
            if let Ok(exchange) = &result
                && let Some(ip) = address_in(exchange)
            {
                // Full: others have been seen, and this one will be again.
                let _ = seen.try_send(ip);
            }
            let mark = mark(service, lane, start.elapsed(), result);
            drop(marks.send(mark).await);
        });
    }
}

fn mark(service: usize, lane: usize, took: Duration, result: Result<Exchange, Failure>) -> Value {
    let took = (took.as_secs_f64() * 10_000.0).round() / 10.0;
    match result {
        Ok(exchange) => {
            let header = |name: &str| {
                let value = exchange.head.headers.get(name);
                value.map(shown).unwrap_or_default()
            };
            let status = exchange.head.status;
            let outcome = if status.is_success() {
                "ok".to_owned()
            } else {
                format!("status {}", status.as_u16())
            };
            let stopping = header("stopping");
            let since_signal = stopping.strip_suffix("ms").unwrap_or(&stopping);
            json!([
                now(),
                took,
                service,
                lane,
                outcome,
                header("pod"),
                header("version"),
                since_signal.parse::<u64>().ok(),
            ])
        }
        Err(failure) => json!([
            now(),
            took,
            service,
            lane,
            failure.to_string(),
            null,
            null,
            null
        ]),
    }
}

/// The pod's own address, as its answer tells it: `one api response is ip is 10.244.0.12`. It is going
/// to be asked, so one that no pod has is none: a node's own services have link-local addresses.
fn address_in(exchange: &Exchange) -> Option<IpAddr> {
    let text = std::str::from_utf8(&exchange.body).ok()?;
    let address: IpAddr = text.rsplit_once("ip is ")?.1.trim().parse().ok()?;
    let is_link_local = match address.to_canonical() {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    (!is_link_local && !address.is_multicast() && !address.is_unspecified()).then_some(address)
}

#[cfg(test)]
mod tests {
    use axum::{body::Bytes, http::Response};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn of_what_an_answer_says_of_its_pod_a_mark_has_the_beginning() {
        let long = "x".repeat(8000);
        let answer = Response::builder().header("pod", &long);
        let answer = answer.header("version", &long).header("stopping", &long);
        let (head, ()) = answer.body(()).unwrap().into_parts();
        let exchange = Exchange {
            head,
            body: Bytes::new(),
        };
        let mark = mark(0, 0, Duration::ZERO, Ok(exchange));
        assert!(mark.to_string().len() < 1000, "{mark}");
    }

    #[test]
    fn an_answer_leads_to_addresses_that_a_pod_can_have() {
        let address = |text: &'static str| {
            let (head, ()) = Response::new(()).into_parts();
            let body = Bytes::from_static(text.as_bytes());
            address_in(&Exchange { head, body }).map(|ip| ip.to_string())
        };
        let said = "one api response is ip is 10.244.0.12";
        assert_eq!(address(said).as_deref(), Some("10.244.0.12"));
        assert_eq!(address("ip is fd00::7").as_deref(), Some("fd00::7"));
        for nobodys in [
            "ip is 169.254.169.254",
            "ip is ::ffff:169.254.169.254",
            "ip is fe80::1",
            "ip is 224.0.0.1",
            "ip is 255.255.255.255",
            "ip is 0.0.0.0",
            "ip is ::",
            "ip is evil.example",
            "",
        ] {
            assert_eq!(address(nobodys), None, "{nobodys}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn with_the_last_viewer_the_requests_end() {
        let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", service.local_addr().unwrap());
        let (rate, rates) = watch::channel(MAX_RATE);
        let (marks, _received) = mpsc::channel(MAX_MARKS);
        let (seen, _answered) = mpsc::channel(1);
        let board = Arc::new(Board::new());
        let requests = run(0, url.parse().unwrap(), rates, board, marks, seen);
        let requests = tokio::spawn(requests);
        service.accept().await.unwrap();
        drop(rate);
        let ended = timeout(Duration::from_secs(5), requests).await;
        ended.expect("it ends").unwrap();
    }

    #[tokio::test]
    async fn viewers_that_change_the_rate_again_and_again_get_no_more_requests() {
        let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", service.local_addr().unwrap());
        let (rate, rates) = watch::channel(1);
        let (marks, _received) = mpsc::channel(MAX_MARKS);
        let (seen, _answered) = mpsc::channel(1);
        let board = Arc::new(Board::new());
        let requests = run(0, url.parse().unwrap(), rates, board, marks, seen);
        let requests = tokio::spawn(requests);
        let mut held = vec![service.accept().await.unwrap()];
        for changed in 0..50 {
            rate.send_replace(changed % 2);
            // What is due now is sent before the next change.
            sleep(Duration::from_millis(5)).await;
        }
        while let Ok(Ok(more)) = timeout(Duration::from_millis(50), service.accept()).await {
            held.push(more);
        }
        assert!(held.len() <= 2, "{} at one a second", held.len());
        requests.abort();
    }
}
