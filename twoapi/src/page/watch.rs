//! A watch: everything that runs while somebody looks. It ends when it is dropped, and with it every
//! connection that it has opened.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval},
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

/// What the pollers of one Service's pods share.
#[derive(Debug)]
pub(super) struct Listed {
    /// The addresses that DNS has at the moment.
    addresses: Mutex<HashSet<IpAddr>>,
    /// How many pods are polled, of all Services.
    pods: watch::Sender<usize>,
}

impl Listed {
    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        let addresses = self.addresses.lock().expect("nobody panics with it");
        addresses.contains(&ip)
    }

    pub(super) fn pods(&self) -> usize {
        *self.pods.borrow()
    }
}

impl Watch {
    /// Starts to watch.
    pub(super) fn start(page: &Page) -> Self {
        let board = Arc::new(Board::new());
        let (rate, rates) = watch::channel(0);
        let task = tokio::spawn(run(page.clone(), Arc::clone(&board), rates));
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

async fn run(page: Page, board: Arc<Board>, rates: watch::Receiver<u16>) {
    // Dropped with this future, which ends what is in it.
    let mut tasks = JoinSet::new();
    let (marks, received) = mpsc::channel(traffic::MAX_MARKS);
    tasks.spawn(traffic::publish(Arc::clone(&board), received));
    for service in 0..page.0.services.len() {
        let (seen, answered) = mpsc::channel(64);
        if let Some(url) = page.0.services[service].traffic.clone() {
            tasks.spawn(traffic::run(
                service,
                url,
                rates.clone(),
                Arc::clone(&board),
                marks.clone(),
                seen,
            ));
        }
        tasks.spawn(find_pods(
            page.clone(),
            service,
            Arc::clone(&board),
            answered,
        ));
    }
    while tasks.join_next().await.is_some() {}
}

/// Polls every pod of a Service that DNS names, or that has answered a request: DNS lags.
async fn find_pods(
    page: Page,
    service: usize,
    board: Arc<Board>,
    mut answered: mpsc::Receiver<IpAddr>,
) {
    let names = &page.0.services[service].pods;
    let own_pod = names == &["localhost"];
    let listed = Arc::new(Listed {
        addresses: Mutex::default(),
        pods: watch::Sender::new(0),
    });
    let client = pod::client();
    let mut pollers = JoinSet::new();
    let mut polled: HashMap<IpAddr, tokio::task::Id> = HashMap::new();
    let mut left: HashMap<IpAddr, Instant> = HashMap::new();
    let mut again = interval(LOOKUP_INTERVAL);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut found = Vec::new();
        tokio::select! {
            _ = again.tick() => {
                let problem = match discovery::addresses(names, page.0.ports.twoapi).await {
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
                left.retain(|_, at| at.elapsed() < STALE_DNS);
            }
            Some(ip) = answered.recv(), if !own_pod => found.push(ip),
            Some(ended) = pollers.join_next_with_id(), if !pollers.is_empty() => {
                if let Ok((id, ip)) = ended {
                    polled.retain(|_, poller| *poller != id);
                    left.insert(ip, Instant::now());
                }
            }
        }
        for ip in found {
            if polled.len() >= MAX_PODS || polled.contains_key(&ip) {
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
                must_answer: left.contains_key(&ip) || names.contains(&ip.to_string()),
            };
            polled.insert(ip, pollers.spawn(poller.run()).id());
        }
        listed.pods.send_replace(polled.len());
    }
}
