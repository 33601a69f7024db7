//! A watch: everything that runs while there are viewers. When it is dropped, it ends with every
//! connection that it has opened.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinError, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use super::{
    board::Board,
    discovery,
    listed::{Listed, PodCounts},
    pod::{self, Poller},
    services::Watched,
    traffic,
};

/// How often the names are looked up: a pod comes and goes in seconds.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(1);

/// For how long a pod that has left isn't shown again only because DNS still lists it. CoreDNS may
/// cache an answer for 30 s.
const STALE_DNS: Duration = Duration::from_secs(40);

/// How many pods of a Service are polled at most: nobody can follow more cards.
const MAX_PODS: usize = 200;

#[derive(Debug)]
pub(super) struct Watch {
    pub(super) board: Arc<Board>,
    rate: watch::Sender<u16>,
    task: AbortHandle,
}

/// How long to wait before a watch of which a part has panicked is started again.
const RESTART_DELAY: Duration = Duration::from_secs(1);

impl Watch {
    /// Starts to watch.
    pub(super) fn start(watched: &Arc<Watched>) -> Self {
        let board = Arc::new(Board::new());
        let (rate, rates) = watch::channel(0);
        let task = tokio::spawn({
            let (watched, board) = (Arc::clone(watched), Arc::clone(&board));
            async move {
                // Panics are logged where they happen; viewers go on with what there is meanwhile.
                while run(&watched, &board, &rates).await.is_err() {
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
    watched: &Arc<Watched>,
    board: &Arc<Board>,
    rates: &watch::Receiver<u16>,
) -> Result<(), JoinError> {
    // Dropped with this future, which ends what is in it.
    let mut tasks = JoinSet::new();
    tasks.spawn({
        let board = Arc::clone(board);
        async move { board.publish().await }
    });
    let services = watched.services.iter().enumerate();
    let polled: PodCounts = services.clone().map(|_| AtomicUsize::new(0)).collect();
    for (number, service) in services {
        let (seen, answered) = mpsc::channel(64);
        if let Some(url) = service.traffic.clone() {
            let (resolver, rates) = (watched.resolver.clone(), rates.clone());
            let board = Arc::clone(board);
            tasks.spawn(traffic::run(number, url, resolver, rates, board, seen));
        }
        let (watched, board) = (Arc::clone(watched), Arc::clone(board));
        let listed = Arc::new(Listed::new(Arc::clone(&polled)));
        tasks.spawn(find_pods(watched, number, board, listed, answered));
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
    /// When a pod left, by its address.
    left: HashMap<IpAddr, Instant>,
}

impl Pollers {
    fn start(&mut self, ip: IpAddr, poller: impl Future<Output = IpAddr> + Send + 'static) {
        self.ids.insert(ip, self.tasks.spawn(poller).id());
    }

    /// Waits for the next poller that ends. If none runs, it waits for ever.
    async fn ended(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(ended) => self.note(ended),
            None => std::future::pending().await,
        }
    }

    /// Notes that a pod has left, or that its poller has panicked: then the next look-up finds the pod again.
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

/// Polls every pod of a Service that DNS lists, and every pod that has answered a request: DNS is late.
async fn find_pods(
    watched: Arc<Watched>,
    service: usize,
    board: Arc<Board>,
    listed: Arc<Listed>,
    mut answered: mpsc::Receiver<IpAddr>,
) {
    let names = &watched.services[service].pods;
    let own_pod = names == &["localhost"];
    let client = pod::client();
    let mut pollers = Pollers::default();
    let mut again = interval(LOOKUP_INTERVAL);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut found = Vec::new();
        tokio::select! {
            _ = again.tick() => {
                let problem = match discovery::addresses(&watched.resolver, names).await {
                    Ok(addresses) => {
                        listed.set(&addresses);
                        let many = addresses.len() > MAX_PODS;
                        let sentence = format!(
                            "{} Pods have been found, and {MAX_PODS} of them are shown",
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
            let poller = Poller {
                client: client.clone(),
                ip,
                ports: watched.ports,
                service,
                listed: Arc::clone(&listed),
                board: Arc::clone(&board),
                own_pod,
                must_answer: pollers.left.contains_key(&ip) || names.contains(&ip.to_string()),
            };
            pollers.start(ip, poller.run());
        }
        listed.set_polled(service, pollers.ids.len());
    }
}

#[cfg(test)]
mod tests {
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
}
