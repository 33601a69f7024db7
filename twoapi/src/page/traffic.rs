//! Sends requests through a Service as a client would, half of them over fresh connections and half
//! over kept ones, and tells what became of each.
//!
//! Viewers get them in batches. A mark is a list: when the request ended (milliseconds since 1970),
//! how long it took (milliseconds), the Service's number, the lane (0 fresh, 1 kept), the outcome
//! (`ok`, or the failure as `twoapi load` names it), the pod, its version, and how many milliseconds
//! after its stop signal the pod answered (null for one that isn't stopping). The pod of a request without an
//! answer is the one that has answered over the same connection before, and null if that isn't known.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::http::Uri;
use load::{Connection, Exchange, Failure, Responder, Reuse, Target, resolver::Resolver};
use serde_json::{Value, json};
use tokio::{
    sync::{Mutex, Semaphore, mpsc, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, interval_at, sleep, timeout_at},
};

use super::board::{Board, now};

/// The highest rate that a viewer can choose.
pub(super) const MAX_RATE: u16 = 50;

/// How long a request may take: as long as twoapi waits for oneapi by default.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// A kept connection stays with the pod that it first reached. A few of them show several pods.
const KEPT_CONNECTIONS: usize = 4;

/// How many requests of one Service are under way at once: as many as the highest rate sends while one of
/// them may take.
const MAX_IN_FLIGHT: usize = 100;

/// How often to look whether a Service has closed a kept connection.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// How long to wait with the next attempt to reach a Service.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// Sends requests to one Service at the rate that the viewers have chosen. Until one has chosen a
/// rate, not even a connection is opened.
pub(super) async fn run(
    service: usize,
    url: Uri,
    resolver: Resolver,
    mut rates: watch::Receiver<u16>,
    board: Arc<Board>,
    seen: mpsc::Sender<IpAddr>,
) {
    if rates.wait_for(|rate| *rate > 0).await.is_err() {
        return;
    }
    let problem = format!("traffic {service}");
    let target = loop {
        match Target::find(resolver.clone(), &url, REQUEST_TIMEOUT).await {
            Ok(target) => break Arc::new(target),
            Err(why) => board.set_problem(&problem, Some(format!("no requests to {url}: {why}"))),
        }
        sleep(RETRY_INTERVAL).await;
    };
    board.set_problem(&problem, None);
    let sender = Sender {
        service,
        target,
        kept: kept_connections(),
        in_flight: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
        board,
        seen,
    };
    tokio::select! {
        () = sender.target.keep_up_to_date() => {}
        () = sender.send_at(rates) => {}
    }
}

fn kept_connections() -> [Arc<Mutex<Connection>>; KEPT_CONNECTIONS] {
    std::array::from_fn(|_| Arc::new(Mutex::new(Connection::new(Reuse::Unlimited))))
}

struct Sender {
    service: usize,
    target: Arc<Target>,
    kept: [Arc<Mutex<Connection>>; KEPT_CONNECTIONS],
    in_flight: Arc<Semaphore>,
    board: Arc<Board>,
    seen: mpsc::Sender<IpAddr>,
}

impl Sender {
    /// Sends at the chosen rate until the watch ends.
    async fn send_at(&self, mut rates: watch::Receiver<u16>) {
        let mut requests = JoinSet::new();
        let mut number = 0_usize;
        let mut last: Option<Instant> = None;
        let mut look = interval(LOOK_INTERVAL);
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
                    _ = look.tick() => self.close_what_is_closed(),
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

    /// A service that stops waits until its clients have closed their side too.
    fn close_what_is_closed(&self) {
        for kept in &self.kept {
            if let Ok(mut kept) = kept.try_lock() {
                kept.close_if_closed();
            }
        }
    }

    /// Starts one request. The lanes take turns, and so do the kept connections.
    fn send(&self, number: usize, requests: &mut JoinSet<()>) {
        let lane = number % 2;
        let start = Instant::now();
        let deadline = start + REQUEST_TIMEOUT;
        let permit = Arc::clone(&self.in_flight).try_acquire_owned().ok();
        let kept = Arc::clone(&self.kept[number / 2 % KEPT_CONNECTIONS]);
        let (service, target) = (self.service, Arc::clone(&self.target));
        let (board, seen) = (Arc::clone(&self.board), self.seen.clone());
        requests.spawn(async move {
            let exchange = async {
                // Dropped when the request is over.
                let _permit = permit.ok_or_else(|| (Failure::busy(), None))?;
                let mut fresh = Connection::new(Reuse::Never);
                let mut kept = if lane == 0 {
                    None
                } else {
                    // Those that wait for a busy connection have their turn in order. Later than this
                    // there would be too little time for an answer.
                    let free = timeout_at(start + REQUEST_TIMEOUT / 2, kept.lock()).await;
                    Some(free.map_err(|_| (Failure::busy(), None))?)
                };
                let connection = kept.as_deref_mut().unwrap_or(&mut fresh);
                timeout_at(deadline, connection.exchange(&target))
                    .await
                    .unwrap_or_else(|_| Err("timed out".into()))
                    .map_err(|failure| (failure, connection.peer().cloned()))
            };
            let result = exchange.await;
            if let Ok(exchange) = &result
                && let Some(ip) = address_in(&exchange.body)
            {
                // Full: others have been seen, and this one will be again.
                let _ = seen.try_send(ip);
            }
            board.add_mark(mark(service, lane, start.elapsed(), result));
        });
    }
}

/// The mark of a request. One that has failed may be known to have met a pod.
fn mark(
    service: usize,
    lane: usize,
    took: Duration,
    result: Result<Exchange, (Failure, Option<Responder>)>,
) -> Value {
    let took = (took.as_secs_f64() * 10_000.0).round() / 10.0;
    match result {
        Ok(exchange) => {
            let outcome = if exchange.is_success() {
                "ok".to_owned()
            } else {
                format!("status {}", exchange.status)
            };
            let Responder { pod, version } = exchange.responder;
            let stopping = exchange.stopping;
            let since_signal = stopping.strip_suffix("ms").unwrap_or(&stopping);
            json!([
                now(),
                took,
                service,
                lane,
                outcome,
                pod,
                version,
                since_signal.parse::<u64>().ok(),
            ])
        }
        Err((failure, met)) => {
            let (pod, version) = met.map(|met| (met.pod, met.version)).unzip();
            let outcome = failure.to_string();
            json!([now(), took, service, lane, outcome, pod, version, null])
        }
    }
}

/// The pod's own address, as its answer says it: `one api response is ip is 10.244.0.12`. Since the address
/// is going to be polled, one that no pod can have gives `None`: a node's own services have link-local
/// addresses, and a loopback address would be the page's own pod.
pub(super) fn address_in(body: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(body).ok()?;
    let address: IpAddr = text.rsplit_once("ip is ")?.1.trim().parse().ok()?;
    let canonical = address.to_canonical();
    let is_link_local = match canonical {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let is_nobodys = is_link_local
        || canonical.is_loopback()
        || canonical.is_multicast()
        || canonical.is_unspecified();
    (!is_nobodys).then_some(address)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        task::JoinHandle,
        time::timeout,
    };

    use super::*;

    fn start(url: &str, rates: watch::Receiver<u16>) -> (JoinHandle<()>, Arc<Board>) {
        let (seen, _answered) = mpsc::channel(1);
        let board = Arc::new(Board::new());
        let resolver = Resolver::default();
        let requests = run(
            0,
            url.parse().unwrap(),
            resolver,
            rates,
            Arc::clone(&board),
            seen,
        );
        (tokio::spawn(requests), board)
    }

    #[test]
    fn an_answer_leads_to_addresses_that_a_pod_can_have() {
        let address = |text: &str| address_in(text.as_bytes()).map(|ip| ip.to_string());
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
            "ip is ::ffff:0.0.0.0",
            "ip is ::ffff:224.0.0.1",
            "ip is 127.0.0.1",
            "ip is 127.0.0.53",
            "ip is ::1",
            "ip is ::ffff:127.0.0.1",
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
        let (requests, _board) = start(&url, rates);
        service.accept().await.unwrap();
        drop(rate);
        let ended = timeout(Duration::from_secs(5), requests).await;
        ended.expect("it ends").unwrap();
    }

    #[tokio::test]
    async fn without_a_rate_not_even_a_connection_is_opened() {
        let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", service.local_addr().unwrap());
        let (rate, rates) = watch::channel(0);
        let (requests, _board) = start(&url, rates);
        let early = timeout(Duration::from_millis(300), service.accept()).await;
        assert!(early.is_err(), "nobody wants any request");
        rate.send_replace(1);
        timeout(Duration::from_secs(5), service.accept())
            .await
            .expect("somebody wants requests now")
            .unwrap();
        requests.abort();
    }

    #[tokio::test]
    async fn a_request_that_found_no_free_connection_was_not_sent_and_did_not_time_out() {
        let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", service.local_addr().unwrap());
        let target =
            Target::find(Resolver::default(), &url.parse().unwrap(), REQUEST_TIMEOUT).await;
        let board = Arc::new(Board::new());
        let (_, mut batches) = board.subscribe();
        let sender = Sender {
            service: 0,
            target: Arc::new(target.unwrap()),
            kept: kept_connections(),
            in_flight: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
            board: Arc::clone(&board),
            seen: mpsc::channel(1).0,
        };
        let _busy = sender.kept[0].lock().await;
        let mut requests = JoinSet::new();
        // A fresh connection, which nobody answers, and a kept one, which is busy.
        for number in 0..2 {
            sender.send(number, &mut requests);
        }
        requests.join_all().await;
        board.send_news();
        let batch = String::from_utf8(batches.recv().await.unwrap().to_vec()).unwrap();
        for expected in [r#",0,0,"timed out","#, r#",0,1,"not sent","#] {
            assert!(batch.contains(expected), "{expected} is not in {batch}");
        }
    }

    #[tokio::test]
    async fn a_request_that_fails_on_a_kept_connection_has_met_the_pod_that_answered_there_before()
    {
        let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", service.local_addr().unwrap());
        let answering = tokio::spawn(async move {
            for number in 0.. {
                let (mut stream, _) = service.accept().await.unwrap();
                tokio::spawn(async move {
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\npod: p{number}\r\nversion: 1.0\r\ncontent-length: 0\r\n\r\n"
                    );
                    // The second request of a connection has no answer, nor has any of one after the fifth.
                    if number < 5 && stream.read(&mut [0; 1024]).await.is_ok() {
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                    let _ = stream.read(&mut [0; 1024]).await;
                });
            }
        });
        let (_rate, rates) = watch::channel(MAX_RATE);
        let (requests, board) = start(&url, rates);
        let (_, mut batches) = board.subscribe();
        let mut text = String::new();
        let unknown = r#",0,1,"closed early",null,null,null]"#;
        let known = r#",0,1,"closed early","p"#;
        let told = async {
            while !(text.contains(unknown) && text.contains(known)) {
                sleep(Duration::from_millis(50)).await;
                board.send_news();
                while let Ok(batch) = batches.try_recv() {
                    text += &String::from_utf8_lossy(&batch);
                }
            }
        };
        let told = timeout(Duration::from_secs(20), told).await.is_ok();
        answering.abort();
        requests.abort();
        assert!(told, "{text}");
        assert!(!text.contains(r#",0,0,"closed early","p"#), "{text}");
    }

    #[tokio::test]
    async fn viewers_that_change_the_rate_again_and_again_get_no_more_requests() {
        let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", service.local_addr().unwrap());
        let (rate, rates) = watch::channel(1);
        let (requests, _board) = start(&url, rates);
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
