//! A watch: everything that runs while somebody looks. It ends when it is dropped, and with it every
//! connection that it has opened.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinError, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use super::{Page, board::Board, discovery, pod, traffic};

/// How often the names are looked up: a pod comes and goes in seconds.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(1);

/// For how long a pod that has left isn't shown again just because DNS still has it. CoreDNS may
/// cache an answer for 30 s.
const STALE_DNS: Duration = Duration::from_secs(40);

/// More pods than that are not polled: a page with more cards tells nobody anything.
const MAX_PODS: usize = 200;

#[derive(Debug)]
pub(super) struct Watch {
    pub(super) board: Arc<Board>,
    rate: watch::Sender<u16>,
    task: AbortHandle,
}

/// How long to wait before what has panicked is started again.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// What the pollers of one Service's pods share.
#[derive(Debug)]
pub(super) struct Listed {
    /// The addresses that DNS has at the moment.
    addresses: Mutex<HashSet<IpAddr>>,
    polled: Polled,
}

/// How many pods of each Service are polled.
type Polled = Arc<[AtomicUsize]>;

impl Listed {
    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        let addresses = self.addresses.lock().expect("nobody panics with it");
        addresses.contains(&ip)
    }

    /// How many pods are polled, of all Services.
    pub(super) fn pods(&self) -> usize {
        let each = self.polled.iter();
        each.map(|pods| pods.load(Ordering::Relaxed)).sum()
    }
}

impl Watch {
    /// Starts to watch.
    pub(super) fn start(page: &Page) -> Self {
        let board = Arc::new(Board::new());
        let (rate, rates) = watch::channel(0);
        let task = tokio::spawn({
            let (page, board) = (page.clone(), Arc::clone(&board));
            async move {
                // Panics are logged where they happen; viewers go on with what there is meanwhile.
                while run(&page, &board, &rates).await.is_err() {
                    sleep(RESTART_DELAY).await;
                }
            }
        });
        Self {
            board,
            rate,
            task: task.abort_handle(),
        }
    }

    pub(super) fn set_rate(&self, rate: u16) {
        self.rate.send_if_modified(|current| {
            let changed = *current != rate;
            *current = rate;
            changed
        });
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Runs until it is dropped, or until a part of it has panicked.
async fn run(
    page: &Page,
    board: &Arc<Board>,
    rates: &watch::Receiver<u16>,
) -> Result<(), JoinError> {
    // Dropped with this future, which ends what is in it.
    let mut tasks = JoinSet::new();
    tasks.spawn({
        let board = Arc::clone(board);
        async move { board.publish().await }
    });
    let services = page.0.services.iter().enumerate();
    let polled: Polled = services.clone().map(|_| AtomicUsize::new(0)).collect();
    for (number, service) in services {
        let (seen, answered) = mpsc::channel(64);
        if let Some(url) = service.traffic.clone() {
            let (resolver, rates) = (page.0.resolver.clone(), rates.clone());
            let board = Arc::clone(board);
            tasks.spawn(traffic::run(number, url, resolver, rates, board, seen));
        }
        let (page, board) = (page.clone(), Arc::clone(board));
        let polled = Arc::clone(&polled);
        tasks.spawn(find_pods(page, number, board, polled, answered));
    }
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    Ok(())
}

/// The pollers that run, by the address of their pod.
#[derive(Debug, Default)]
struct Pollers {
    tasks: JoinSet<IpAddr>,
    ids: HashMap<IpAddr, tokio::task::Id>,
    /// When a pod left.
    left: HashMap<IpAddr, Instant>,
}

impl Pollers {
    fn start(&mut self, ip: IpAddr, poller: impl Future<Output = IpAddr> + Send + 'static) {
        self.ids.insert(ip, self.tasks.spawn(poller).id());
    }

    /// Waits for the next one that ends; for ever if none runs.
    async fn ended(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(ended) => self.note(ended),
            None => std::future::pending().await,
        }
    }

    /// A pod has left; or its poller has panicked, and it is found again with the next look.
    fn note(&mut self, ended: Result<(tokio::task::Id, IpAddr), JoinError>) {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(panicked) => panicked.id(),
        };
        self.ids.retain(|_, poller| *poller != id);
        if let Ok((_, ip)) = ended {
            self.left.insert(ip, Instant::now());
        }
    }
}

/// Polls every pod of a Service that DNS names, or that has answered a request: DNS lags.
async fn find_pods(
    page: Page,
    service: usize,
    board: Arc<Board>,
    polled: Polled,
    mut answered: mpsc::Receiver<IpAddr>,
) {
    let names = &page.0.services[service].pods;
    let own_pod = names == &["localhost"];
    let listed = Arc::new(Listed {
        addresses: Mutex::default(),
        polled,
    });
    let client = pod::client();
    let mut pollers = Pollers::default();
    let mut again = interval(LOOKUP_INTERVAL);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut found = Vec::new();
        tokio::select! {
            _ = again.tick() => {
                let problem = match discovery::addresses(&page.0.resolver, names).await {
                    Ok(addresses) => {
                        *listed.addresses.lock().expect("nobody panics with it") =
                            addresses.iter().copied().collect();
                        let many = addresses.len() > MAX_PODS;
                        let sentence = format!(
                            "{} pods have been found, and {MAX_PODS} of them are shown",
                            addresses.len(),
                        );
                        found = addresses;
                        many.then_some(sentence)
                    }
                    Err(why) => Some(why),
                };
                board.set_problem(&format!("pods {service}"), problem);
                pollers.left.retain(|_, at| at.elapsed() < STALE_DNS);
            }
            Some(ip) = answered.recv(), if !own_pod => found.push(ip),
            () = pollers.ended() => {}
        }
        for ip in found {
            if pollers.ids.len() >= MAX_PODS || pollers.ids.contains_key(&ip) {
                continue;
            }
            let poller = pod::Poller {
                client: client.clone(),
                ip,
                ports: page.0.ports,
                service,
                listed: Arc::clone(&listed),
                board: Arc::clone(&board),
                own_pod,
                must_answer: pollers.left.contains_key(&ip) || names.contains(&ip.to_string()),
            };
            pollers.start(ip, poller.run());
        }
        listed.polled[service].store(pollers.ids.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test]
    async fn a_pod_whose_poller_has_panicked_can_be_polled_again() {
        let [left, panicked] = [1, 2].map(|n| IpAddr::from([10, 0, 0, n]));
        let mut pollers = Pollers::default();
        pollers.start(left, async move { left });
        pollers.start(panicked, async { panic!("on purpose") });
        for _ in 0..2 {
            pollers.ended().await;
        }
        assert!(pollers.ids.is_empty(), "{pollers:?}");
        assert!(pollers.left.contains_key(&left), "{pollers:?}");
        assert!(!pollers.left.contains_key(&panicked), "{pollers:?}");
    }

    #[test]
    fn the_pods_of_all_services_are_polled_as_often_as_those_of_one() {
        let polled: Polled = [20, 0, 21].map(AtomicUsize::new).into();
        let listed = Listed {
            addresses: Mutex::new([IpAddr::V4(Ipv4Addr::LOCALHOST)].into()),
            polled,
        };
        assert_eq!(listed.pods(), 41);
    }
}
