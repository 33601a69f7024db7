//! The subcommand `burn`: has all the pods behind a name burn CPU, a total of millicores that
//! stays the same while pods come and go, as whoever tests an autoscaler wants it.
//!
//! Time is cut into slices of a second. At the start of each the name is looked up, the total is
//! split over the pods that are there, and each is asked for a burn of that share and length. So a
//! change of pods shows within a second of being known to the DNS, the slices join without gap,
//! and what was burnt is the sum of what the pods themselves answer.
//!
//! A pod that can't be reached is left out for a few seconds and its share goes to the others:
//! pods come and go. A pod that refuses (its CPUs are fewer than its share, say) is an error.

mod shares;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

use axum::http::header::ACCEPT;
use chassis::signal::Signals;
use reqwest::{Client, StatusCode, redirect::Policy};
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval_at},
};

use crate::{
    load::some_time,
    resolve::addresses,
    terminal::{Terminal, print, rounded},
};

/// Have all pods behind a name burn a total of CPU, shared anew each second
#[derive(Clone, Debug, clap::Args)]
pub struct Burn {
    /// Whose pods: `HOST` or `HOST:PORT`, such as a headless Service's `chesterpods:5000`
    #[arg(value_parser = target)]
    target: Target,

    /// How much in all, in thousandths of a core
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    millicores: u32,

    /// For how long
    #[arg(long = "for", value_parser = some_time, allow_hyphen_values = true)]
    time: Duration,

    /// Each pod burns that much, instead of all together
    #[arg(long)]
    each: bool,

    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    host: String,
    port: u16,
}

fn target(text: &str) -> Result<Target, String> {
    let wrong = || "a target is written as host or host:port".to_owned();
    let plain = text.strip_prefix("http://").unwrap_or(text);
    let authority: axum::http::uri::Authority =
        plain.trim_end_matches('/').parse().map_err(|_| wrong())?;
    let (host, port) = (authority.host(), authority.port_u16());
    // What is behind the host is a port, or nothing that can be understood.
    if host.is_empty() || (port.is_none() && host != authority.as_str()) {
        return Err(wrong());
    }
    Ok(Target {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: port.unwrap_or(5000),
    })
}

const SLICE: Duration = Duration::from_secs(1);

/// A pod that is gone stays in the DNS for about as long.
const LEFT_OUT: Duration = Duration::from_secs(5);

/// What a slice may take beyond its own time.
const GRACE: Duration = Duration::from_secs(2);

impl Burn {
    /// Burns until the time is over or a signal comes.
    pub async fn run(self, signals: Signals) -> ExitCode {
        let Target { host, port } = &self.target;
        let look_up = async || addresses(host, *port).await;
        if let Err(why) = look_up().await {
            eprintln!("the name {host} can't be resolved: {why}");
            return ExitCode::FAILURE;
        }
        let terminal = Terminal::stdout();
        let tell = |elapsed: Duration, sum: &Sum| {
            if !self.json {
                terminal.progress(elapsed, self.time, &sum.line(elapsed));
            }
        };
        let sum = self.drive(look_up, signals, tell).await;
        if self.json {
            print(&format!("{}\n", sum.json()));
        } else {
            terminal.end(&sum.text());
        }
        for (who, why) in &sum.refused {
            eprintln!("{who} refused: {why}");
        }
        if sum.refused.is_empty() && sum.achieved() > 0.0 {
            ExitCode::SUCCESS
        } else {
            if sum.refused.is_empty() {
                eprintln!("nobody could be reached at {host}:{port}");
            }
            ExitCode::FAILURE
        }
    }

    /// Slice after slice; `look_up` says which pods there are.
    async fn drive(
        &self,
        look_up: impl AsyncFn() -> Result<Vec<SocketAddr>, String>,
        mut signals: Signals,
        tell: impl Fn(Duration, &Sum),
    ) -> Sum {
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(SLICE)
            .build()
            .expect("without TLS and proxies there is nothing that can fail");
        let start = Instant::now();
        let mut slices = interval_at(start.into(), SLICE);
        slices.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut running = JoinSet::new();
        let mut left_out: BTreeMap<SocketAddr, Instant> = BTreeMap::new();
        let mut known = Vec::new();
        let mut sum = Sum::default();
        loop {
            tokio::select! {
                now = slices.tick() => {
                    let begun = now.into_std() - start;
                    if begun > Duration::ZERO {
                        tell(begun, &sum);
                    }
                    if begun >= self.time {
                        break;
                    }
                    // When the name can't be resolved just now, those known go on.
                    if let Ok(found) = look_up().await {
                        known = found;
                    }
                    left_out.retain(|_, until| *until > Instant::now());
                    let pods: Vec<SocketAddr> =
                        known.iter().copied().filter(|pod| !left_out.contains_key(pod)).collect();
                    let shares = if self.each {
                        vec![self.millicores; pods.len()]
                    } else {
                        shares::split(self.millicores, pods.len())
                    };
                    let length = SLICE.min(self.time - begun);
                    sum.pods = pods.len();
                    for (pod, share) in pods.into_iter().zip(shares).filter(|(_, share)| *share > 0) {
                        running.spawn(slice(client.clone(), pod, share, length));
                    }
                }
                Some(ended) = running.join_next() => {
                    let Ok((pod, asked, outcome)) = ended else { continue };
                    if sum.add(pod, asked, outcome) == Reached::No {
                        left_out.insert(pod, Instant::now() + LEFT_OUT);
                    }
                }
                // Whoever still burns notices within milliseconds that nobody waits any more.
                _ = signals.next() => return sum,
            }
        }
        while let Some(ended) = running.join_next().await {
            if let Ok((pod, asked, outcome)) = ended {
                sum.add(pod, asked, outcome);
            }
        }
        sum
    }
}

/// What a pod says of its burn, or why it doesn't.
type Outcome = Result<Value, Failed>;

#[derive(Debug)]
enum Failed {
    /// It isn't there, or is stopping.
    Gone,
    /// Its own sentence.
    Refused(String),
}

/// One pod's burn of one slice. The asked CPU seconds come back with its outcome.
async fn slice(
    client: Client,
    pod: SocketAddr,
    millicores: u32,
    length: Duration,
) -> (SocketAddr, f64, Outcome) {
    let seconds = length.as_secs_f64();
    let asked = f64::from(millicores) / 1000.0 * seconds;
    let minutes = seconds / 60.0;
    let url = format!("http://{pod}/test/highcpu?minutes={minutes}&millicores={millicores}");
    let outcome = async {
        let response = client
            .get(url)
            .header(ACCEPT, "application/json")
            .timeout(length + GRACE)
            .send()
            .await
            .map_err(|_| Failed::Gone)?;
        let status = response.status();
        let text = response.text().await.map_err(|_| Failed::Gone)?;
        match status {
            StatusCode::OK => serde_json::from_str(&text)
                .map_err(|_| Failed::Refused(format!("it is no oneapi: {text}"))),
            StatusCode::SERVICE_UNAVAILABLE => Err(Failed::Gone),
            _ => Err(Failed::Refused(text)),
        }
    };
    (pod, asked, outcome.await)
}

/// What has been burnt so far, in CPU seconds.
#[derive(Debug, Default)]
struct Sum {
    by_pod: BTreeMap<SocketAddr, Burnt>,
    /// What each last said, of those that refused.
    refused: BTreeMap<SocketAddr, String>,
    /// How many there were when the last slice began.
    pods: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Burnt {
    asked: f64,
    achieved: f64,
    /// A limit of its own kept it below its share.
    limited: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Reached {
    Yes,
    No,
}

impl Sum {
    fn add(&mut self, pod: SocketAddr, asked: f64, outcome: Outcome) -> Reached {
        match outcome {
            Ok(report) => {
                let burnt = self.by_pod.entry(pod).or_default();
                burnt.asked += asked;
                burnt.achieved += report["achieved_seconds"].as_f64().unwrap_or(0.0);
                let (granted, wanted) =
                    (&report["granted_millicores"], &report["asked_millicores"]);
                burnt.limited |= granted.as_u64() < wanted.as_u64();
                Reached::Yes
            }
            Err(Failed::Refused(why)) => {
                self.refused.insert(pod, why);
                Reached::No
            }
            Err(Failed::Gone) => Reached::No,
        }
    }

    fn asked(&self) -> f64 {
        self.by_pod
            .values()
            .fold(0.0, |sum, burnt| sum + burnt.asked)
    }

    fn achieved(&self) -> f64 {
        self.by_pod
            .values()
            .fold(0.0, |sum, burnt| sum + burnt.achieved)
    }

    fn line(&self, elapsed: Duration) -> String {
        format!(
            "{:>5.0} s  {:>3} pods  {:>9.3} CPU seconds asked  {:>9.3} achieved",
            elapsed.as_secs_f64(),
            self.pods,
            self.asked(),
            self.achieved()
        )
    }

    fn text(&self) -> String {
        let mut text = format!("\n{:<24} {:>9} {:>9}\n", "CPU seconds", "asked", "achieved");
        let mut line = |who: &str, asked: f64, achieved: f64, remark: &str| {
            writeln!(text, "{who:<24} {asked:>9.3} {achieved:>9.3}{remark}")
                .expect("a string takes what it is given");
        };
        for (pod, burnt) in &self.by_pod {
            let remark = if burnt.limited {
                "  kept below its CPU limit"
            } else {
                ""
            };
            line(&pod.ip().to_string(), burnt.asked, burnt.achieved, remark);
        }
        line("all", self.asked(), self.achieved(), "");
        text
    }

    fn json(&self) -> Value {
        let pods: Vec<Value> = self
            .by_pod
            .iter()
            .map(|(pod, burnt)| {
                json!({
                    "address": pod.to_string(),
                    "asked_seconds": rounded(burnt.asked),
                    "achieved_seconds": rounded(burnt.achieved),
                    "limited": burnt.limited,
                })
            })
            .collect();
        json!({
            "asked_seconds": rounded(self.asked()),
            "achieved_seconds": rounded(self.achieved()),
            "pods": pods,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{Router, extract::RawQuery, http::StatusCode, routing::get};
    use tokio::net::TcpListener;

    use super::*;

    /// Everything a pod was asked for, in order.
    type Asked = Arc<Mutex<Vec<u32>>>;

    /// Something that answers as oneapi does, when the burn's time is over.
    async fn pod(status: StatusCode) -> (SocketAddr, Asked) {
        let asked = Asked::default();
        let seen = asked.clone();
        let burn = async move |RawQuery(query): RawQuery| {
            let query = query.unwrap();
            let value = |name: &str| -> f64 {
                let pair = query
                    .split('&')
                    .find(|pair| pair.starts_with(name))
                    .unwrap();
                pair.split_once('=').unwrap().1.parse().unwrap()
            };
            let (millicores, seconds) = (value("millicores"), value("minutes") * 60.0);
            seen.lock().unwrap().push(millicores as u32);
            if status != StatusCode::OK {
                return (status, "millicores can be 100 at most".to_owned());
            }
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            let report = json!({
                "asked_millicores": millicores,
                "granted_millicores": millicores,
                "achieved_seconds": millicores / 1000.0 * seconds,
            });
            (status, report.to_string())
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/test/highcpu", get(burn));
        let service = hyper_util::service::TowerToHyperService::new(router);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let io = hyper_util::rt::TokioIo::new(stream);
                let service = service.clone();
                tokio::spawn(async move {
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(io, service)
                        .await
                });
            }
        });
        (address, asked)
    }

    fn burn(millicores: u32, seconds: f64, each: bool) -> Burn {
        Burn {
            target: Target {
                host: "pods".to_owned(),
                port: 5000,
            },
            millicores,
            time: Duration::from_secs_f64(seconds),
            each,
            json: false,
        }
    }

    async fn of(burn: Burn, look_up: impl AsyncFn() -> Result<Vec<SocketAddr>, String>) -> Sum {
        let (_signals, none) = Signals::manual();
        burn.drive(look_up, none, |_, _| {}).await
    }

    #[tokio::test]
    async fn the_total_stays_when_pods_come_and_go() {
        let (first, of_first) = pod(StatusCode::OK).await;
        let (second, of_second) = pod(StatusCode::OK).await;
        // One pod, then two, then the other one.
        let looks = Mutex::new([vec![first], vec![first, second], vec![second]].into_iter());
        let look_up = async || Ok(looks.lock().unwrap().next().unwrap());
        let sum = of(burn(301, 2.5, false), look_up).await;
        assert_eq!(*of_first.lock().unwrap(), [301, 151]);
        assert_eq!(*of_second.lock().unwrap(), [150, 301]);
        assert!((sum.asked() - 0.301 * 2.5).abs() < 1e-6, "{sum:?}");
        assert!((sum.achieved() - sum.asked()).abs() < 1e-6, "{sum:?}");
        assert!(sum.refused.is_empty());
    }

    #[tokio::test]
    async fn with_each_every_pod_burns_the_same() {
        let (first, of_first) = pod(StatusCode::OK).await;
        let (second, of_second) = pod(StatusCode::OK).await;
        let sum = of(burn(70, 0.5, true), async || Ok(vec![first, second])).await;
        assert_eq!(
            (&*of_first.lock().unwrap(), &*of_second.lock().unwrap()),
            (&vec![70], &vec![70])
        );
        assert!((sum.achieved() - 0.07).abs() < 1e-6, "{sum:?}");
    }

    #[tokio::test]
    async fn the_share_of_a_pod_that_is_gone_goes_to_the_others() {
        let (there, of_there) = pod(StatusCode::OK).await;
        let gone = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        let sum = of(burn(200, 2.0, false), async || Ok(vec![gone, there])).await;
        assert_eq!(*of_there.lock().unwrap(), [100, 200]);
        assert!(sum.refused.is_empty(), "pods come and go: {sum:?}");
    }

    #[tokio::test]
    async fn a_refusal_is_told_in_the_pods_own_words() {
        let (pod, _) = pod(StatusCode::BAD_REQUEST).await;
        let sum = of(burn(200, 0.5, false), async || Ok(vec![pod])).await;
        assert_eq!(sum.refused[&pod], "millicores can be 100 at most");
        assert!(sum.achieved() == 0.0);
    }

    #[tokio::test]
    async fn a_signal_ends_it_at_once() {
        let (pod, _) = pod(StatusCode::OK).await;
        let (send, signals) = Signals::manual();
        let start = Instant::now();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            send.send(chassis::signal::Signal::Interrupt).unwrap();
            std::future::pending::<()>().await;
        });
        burn(100, 60.0, false)
            .drive(async || Ok(vec![pod]), signals, |_, _| {})
            .await;
        assert!(
            start.elapsed() < Duration::from_millis(900),
            "{:?}",
            start.elapsed()
        );
    }

    #[test]
    fn a_target_is_a_host_and_perhaps_a_port() {
        let target = |text| target(text).map(|target| (target.host, target.port));
        let of = |host: &str, port| Ok((host.to_owned(), port));
        assert_eq!(target("chesterpods"), of("chesterpods", 5000));
        assert_eq!(target("chesterpods:5002"), of("chesterpods", 5002));
        assert_eq!(target("http://10.0.0.7:5000/"), of("10.0.0.7", 5000));
        assert_eq!(target("[::1]:5000"), of("::1", 5000));
        for wrong in ["", "chesterpods:port", "http://", "a b", "a/b"] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
    }
}
