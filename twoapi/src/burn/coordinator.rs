//! Keeps the total while pods come and go: each second the name is looked up, and the total is
//! shared among the pods that are there. Who can't burn its share is left out for a while, and
//! the others take it over at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use chassis::lifecycle::Signals;
use reqwest::Client;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until, timeout},
};

use super::{
    pod::{self, Pod, Trouble},
    share::{Millicores, Shares},
    stats::{Entry, Ledger},
    worker::hold,
};

/// As often as an autoscaler or a rollout may change anything.
const SECOND: Duration = Duration::from_secs(1);

/// How long a pod is left out: its burns would come and go with every look otherwise.
const LEFT_OUT: Duration = Duration::from_secs(5);

/// After the end: for the answers that say how far the burns came.
const ANSWERS: Duration = Duration::from_secs(2);

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How much.
    pub millicores: Millicores,
    /// For how long.
    pub time: Duration,
}

/// How far it is, each second and at the end.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Since the start; at most the whole time.
    pub elapsed: Duration,
    /// CPU seconds that were asked for up to now.
    pub asked_seconds: f64,
    /// How many pods have a share now.
    pub burning: usize,
    /// The sum of their shares.
    pub asked_millicores: u64,
    /// All that ever were to burn something.
    pub pods: BTreeMap<SocketAddr, Entry>,
    /// What went wrong since the last time, each a sentence that names the pod.
    pub troubles: Vec<String>,
    /// Whether a pod refused its share: then asking for the same again makes no sense.
    pub refused: bool,
}

impl Progress {
    /// CPU seconds achieved, as far as the pods have told.
    pub fn achieved_seconds(&self) -> f64 {
        self.pods.values().map(|pod| pod.achieved_seconds).sum()
    }

    /// Whether it was all in order: somebody burnt something, and nobody refused to.
    pub fn is_good(&self) -> bool {
        !self.refused && self.achieved_seconds() > 0.0
    }
}

/// Burns until the time is over, a signal comes, or no pod at all could burn its first share.
/// `lookup` says which pods there are: whenever it fails, those known before hold. `tell` is
/// called each second; the end's state is returned.
pub async fn steer<F>(
    plan: Plan,
    lookup: impl FnMut() -> F + Send + 'static,
    mut signals: Signals,
    mut tell: impl FnMut(&Progress),
) -> Progress
where
    F: Future<Output = Result<Vec<SocketAddr>, String>> + Send,
{
    let mut pods = Pods::new(plan);
    let mut found = keep_looking(lookup);
    let mut second = interval_at(pods.start + SECOND, SECOND);
    second.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased; // a full second is told before the end that comes with it
            _ = second.tick() => {
                tell(&pods.progress());
                pods.told.clear();
            }
            () = sleep_until(pods.end) => break,
            _ = signals.next() => {
                pods.give_up();
                break;
            }
            Some((pod, trouble)) = pods.troubles.recv() => pods.leave_out(pod, trouble),
            Some(there) = found.recv() => pods.there = there,
        }
        pods.share();
        if pods.is_hopeless() {
            pods.give_up();
            break;
        }
    }
    // All burns are over now, or are ended, and say how far they came. A second signal doesn't
    // wait for that: as the requests are given up, the burns end too.
    tokio::select! {
        _ = timeout(ANSWERS, async { while pods.holding.join_next().await.is_some() {} }) => {}
        _ = signals.next() => {}
    }
    pods.progress()
}

/// Looks each second, beside everything else: a look-up may take longer than that.
fn keep_looking<F>(
    mut lookup: impl FnMut() -> F + Send + 'static,
) -> mpsc::Receiver<BTreeSet<SocketAddr>>
where
    F: Future<Output = Result<Vec<SocketAddr>, String>> + Send,
{
    let (send, found) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            if let Ok(there) = lookup().await
                && send.send(there.into_iter().collect()).await.is_err()
            {
                return;
            }
            sleep(SECOND).await;
        }
    });
    found
}

/// All pods, and what each is to burn.
#[derive(Debug)]
struct Pods {
    plan: Plan,
    start: Instant,
    end: Instant,
    http: Client,
    ledger: Arc<Ledger>,
    /// As the last look-up found them.
    there: BTreeSet<SocketAddr>,
    left_out: BTreeMap<SocketAddr, Instant>,
    shares: Shares,
    /// Each pod's share for the task that sees to it; without it the task ends.
    wanted: BTreeMap<SocketAddr, watch::Sender<u32>>,
    holding: JoinSet<()>,
    trouble: mpsc::UnboundedSender<(SocketAddr, Trouble)>,
    troubles: mpsc::UnboundedReceiver<(SocketAddr, Trouble)>,
    told: Vec<String>,
    refused: bool,
    /// Of `--each`, whose total depends on how many pods there are: CPU seconds up to `asked_at`.
    asked_seconds: f64,
    asked_at: Instant,
}

impl Pods {
    fn new(plan: Plan) -> Self {
        let (trouble, troubles) = mpsc::unbounded_channel();
        let start = Instant::now();
        Self {
            plan,
            start,
            end: start + plan.time,
            http: pod::client(),
            ledger: Arc::default(),
            there: BTreeSet::new(),
            left_out: BTreeMap::new(),
            shares: Shares::new(),
            wanted: BTreeMap::new(),
            holding: JoinSet::new(),
            trouble,
            troubles,
            told: Vec::new(),
            refused: false,
            asked_seconds: 0.0,
            asked_at: start,
        }
    }

    /// Shares the total among those who are there and able. Only where a share changes anything
    /// happens.
    fn share(&mut self) {
        self.count_what_was_asked();
        let now = Instant::now();
        self.left_out.retain(|_, until| *until > now);
        let able = |pod: &&SocketAddr| !self.left_out.contains_key(*pod);
        let able: Vec<SocketAddr> = self.there.iter().filter(able).copied().collect();
        self.shares = self.plan.millicores.among(&able, &self.shares);
        // One that is only left out keeps its task, which waits for a share.
        self.wanted.retain(|pod, _| self.there.contains(pod));
        for (pod, wanted) in &self.wanted {
            let share = self.shares.get(pod).copied().unwrap_or(0);
            wanted.send_if_modified(|wanted| std::mem::replace(wanted, share) != share);
        }
        for (pod, share) in &self.shares {
            if !self.wanted.contains_key(pod) {
                let (send, wanted) = watch::channel(*share);
                self.wanted.insert(*pod, send);
                let (ledger, trouble) = (self.ledger.clone(), self.trouble.clone());
                let (pod, end) = (Pod::new(self.http.clone(), *pod), self.end);
                self.holding
                    .spawn(async move { hold(pod, wanted, end, &ledger, trouble).await });
            }
        }
    }

    fn leave_out(&mut self, pod: SocketAddr, trouble: Trouble) {
        if !self.wanted.contains_key(&pod) {
            return; // it has gone, and its burn with it
        }
        self.refused |= trouble.refused;
        self.told.push(format!("{pod}: {}", trouble.sentence));
        self.left_out.insert(pod, Instant::now() + LEFT_OUT);
    }

    /// Pods are there, none of them could burn its share, and none ever did.
    fn is_hopeless(&self) -> bool {
        !self.there.is_empty()
            && self.shares.is_empty()
            && self.ledger.now().values().all(|pod| pod.pod.is_empty())
    }

    /// The end is now. Nobody who wants anything is left, and so each burn is ended.
    fn give_up(&mut self) {
        self.end = Instant::now();
        self.wanted.clear();
    }

    fn count_what_was_asked(&mut self) {
        let now = Instant::now().min(self.end);
        let seconds = (now - self.asked_at).as_secs_f64();
        let millicores = self.plan.millicores.of(self.shares.len());
        self.asked_seconds += millicores / 1000.0 * seconds;
        self.asked_at = now;
    }

    fn progress(&mut self) -> Progress {
        self.count_what_was_asked();
        Progress {
            elapsed: self.start.elapsed().min(self.end - self.start),
            asked_seconds: self.asked_seconds,
            burning: self.shares.values().filter(|share| **share > 0).count(),
            asked_millicores: self.shares.values().copied().map(u64::from).sum(),
            pods: self.ledger.now(),
            troubles: self.told.clone(),
            refused: self.refused,
        }
    }
}
