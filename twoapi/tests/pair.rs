//! twoapi's clients against oneapis that serve on ports of their own, with the whole life cycle
//! around them.

#![allow(clippy::unwrap_used)] // a test may

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use chassis::{
    Chassis,
    config::{Build, defaults},
    http::Routes,
    lifecycle::{Signal, Signals},
    server,
};
use serde_json::Value;
use tokio::{
    sync::mpsc::UnboundedSender,
    task::JoinHandle,
    time::{sleep, timeout},
};
use twoapi::burn::{self, Millicores, Plan, Progress};

/// A service that runs.
struct Service {
    address: SocketAddr,
    signals: UnboundedSender<Signal>,
    ended: JoinHandle<ExitCode>,
}

fn start(service: &'static str, routes: impl FnOnce(&Chassis) -> Routes) -> Service {
    let mut settings: chassis::Settings = defaults();
    settings.identity.pod_name = Some(format!("the-{service}"));
    settings.identity.pod_ip = Some(Ipv4Addr::new(10, 244, 36, 66).into());
    let chassis = Chassis::new(Build::new(service, "1.0", None, None), settings);
    let listener = server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (signals, receiver) = Signals::manual();
    let routes = routes(&chassis);
    Service {
        address,
        signals,
        ended: tokio::spawn(chassis.serve(routes, listener, receiver)),
    }
}

fn oneapi(max_burns: u16) -> Service {
    let settings = oneapi::Settings {
        max_burns,
        ..defaults()
    };
    start("oneapi", |chassis| oneapi::routes(chassis, &settings))
}

impl Service {
    async fn get(&self, path: &str) -> (u16, String) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{}{path}", self.address);
        let response = client.get(url).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// The callers of the burns that run.
    async fn callers(&self) -> Vec<String> {
        let (_, list) = self.get("/burns").await;
        let list: Vec<Value> = serde_json::from_str(&list).unwrap();
        let caller = |burn: &Value| burn["caller"].as_str().unwrap_or_default().to_owned();
        list.iter().map(caller).collect()
    }

    async fn burns(&self, count: usize) -> Vec<String> {
        let wait = async {
            loop {
                let callers = self.callers().await;
                if callers.len() == count {
                    return callers;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        let wait = timeout(Duration::from_secs(10), wait).await;
        wait.unwrap_or_else(|_| panic!("there should be {count} burns"))
    }
}

/// Starts a burn by these oneapis.
fn start_burn(
    millicores: Millicores,
    time: Duration,
    pods: &[&Service],
) -> (UnboundedSender<Signal>, JoinHandle<Progress>) {
    let addresses: Vec<SocketAddr> = pods.iter().map(|pod| pod.address).collect();
    let lookup = move || {
        let addresses = addresses.clone();
        async move { Ok(addresses) }
    };
    let (signals, receiver) = Signals::manual();
    let plan = Plan { millicores, time };
    let burn = burn::run(plan, lookup, receiver, |_| {});
    (signals, tokio::spawn(burn))
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread")]
async fn twoapi_passes_on_what_oneapi_says() {
    let oneapi = oneapi(16);
    let settings = twoapi::Settings {
        oneapi_url: format!("http://{}/test", oneapi.address).parse().unwrap(),
        ..defaults()
    };
    let twoapi = start("twoapi", |chassis| twoapi::routes(chassis, &settings));
    let answer = twoapi.get("/test/calloneapi").await;
    let expected = "one api response is ip is 10.244.36.66";
    assert_eq!(answer, (200, expected.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burn_is_shared_among_the_oneapis_and_what_they_burnt_is_reported() {
    let (a, b) = (oneapi(16), oneapi(16));
    let time = Duration::from_secs(2);
    let (_signals, burn) = start_burn(Millicores::Total(101), time, &[&a, &b]);
    let (callers_a, callers_b) = (a.burns(1).await, b.burns(1).await);
    assert_ne!(callers_a, callers_b, "each burn has a name of its own");
    let end = burn.await.unwrap();
    assert!(end.is_success(), "{end:?}");
    assert_eq!(end.asked_millicores, 101, "51 and 50");
    let off = (end.asked_seconds - 0.202).abs();
    assert!(off < 0.001, "{end:?}");
    for pod in end.pods.values() {
        assert_eq!(pod.name, "the-oneapi", "{end:?}");
        // How much depends on how busy this machine is; that it is reported does not.
        assert!(pod.achieved_seconds > 0.0, "{end:?}");
        // A busy machine ends burns late, which counts too.
        assert!((0.09..0.2).contains(&pod.asked_seconds), "{end:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_burns_of_equal_shares_end_their_own_and_not_each_others() {
    let oneapi = oneapi(16);
    let (stop_first, first) = start_burn(Millicores::Total(50), HOUR, &[&oneapi]);
    let callers = oneapi.burns(1).await;
    let (stop_second, second) = start_burn(Millicores::Total(50), HOUR, &[&oneapi]);
    oneapi.burns(2).await;
    stop_second.send(Signal::Interrupt).unwrap();
    let second = second.await.unwrap();
    assert!(second.is_success(), "its answer came: {second:?}");
    assert_eq!(oneapi.burns(1).await, callers, "the first burns on");
    assert!(!first.is_finished());
    stop_first.send(Signal::Terminate).unwrap();
    first.await.unwrap();
    oneapi.burns(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_oneapi_with_too_many_burns_is_left_out_until_it_has_room() {
    let (busy, other) = (oneapi(1), oneapi(16));
    // Somebody else's burn, which is over after 1.2 s.
    let somebody = async { busy.get("/test/highcpu?minutes=0.02&millicores=10").await };
    let ours = async {
        assert_eq!(busy.burns(1).await, [""], "a burn without a name");
        let time = Duration::from_secs(4);
        let (_signals, burn) = start_burn(Millicores::Total(60), time, &[&busy, &other]);
        let callers = timeout(Duration::from_secs(4), async {
            loop {
                let callers = busy.callers().await;
                if callers.iter().any(|caller| !caller.is_empty()) {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        });
        callers.await.expect("it gets its share later");
        burn.await.unwrap()
    };
    let (end, (status, _)) = tokio::join!(ours, somebody);
    assert_eq!(status, 200, "the other's burn was left alone");
    assert!(end.is_success(), "the other took over: {end:?}");
    let errors = end.pods.values().map(|pod| pod.error.clone());
    assert!(errors.into_iter().all(|error| error.is_none()), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_that_no_oneapi_can_burn_is_refused_for_good() {
    let oneapi = oneapi(16);
    let (_signals, burn) = start_burn(Millicores::Total(10_000_000), HOUR, &[&oneapi]);
    let end = burn.await.unwrap();
    assert!(end.refused && !end.is_success(), "{end:?}");
    let error = end.pods[&oneapi.address].error.as_deref().unwrap();
    assert!(
        error.starts_with("400 Bad Request: millicores can't be '10000000'"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_oneapi_that_stops_hands_its_share_to_the_others() {
    let (a, b) = (oneapi(16), oneapi(16));
    let (stop, burn) = start_burn(Millicores::Total(60), HOUR, &[&a, &b]);
    a.burns(1).await;
    let before = b.burns(1).await;
    a.signals.send(Signal::Terminate).unwrap();
    let exit = timeout(Duration::from_secs(10), a.ended).await.unwrap();
    assert_eq!(
        format!("{:?}", exit.unwrap()),
        format!("{:?}", ExitCode::SUCCESS)
    );
    let taken_over = async {
        loop {
            let callers = b.callers().await;
            if callers.len() == 1 && callers != before {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    let taken_over = timeout(Duration::from_secs(5), taken_over).await;
    taken_over.expect("its burn is replaced by a larger one");
    stop.send(Signal::Interrupt).unwrap();
    let end = burn.await.unwrap();
    assert!(end.is_success(), "pods come and go: {end:?}");
}
