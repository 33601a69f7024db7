//! Keeps the total while pods come and go: each second the name is looked up, and the total is
//! shared among the pods that are there. A pod that can't burn its share is excluded for a while,
//! and the others take it over at once.

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
    pod::{self, BurnError, Callers, ErrorKind, Pod},
    share::{Millicores, Shares},
    stats::{PodStats, Stats},
    worker::{self, keep_share},
};

/// An autoscaler or a rollout changes nothing more often than this.
const SECOND: Duration = Duration::from_secs(1);

/// How long a pod is excluded after an error: otherwise its share would come and go every second.
const EXCLUSION: Duration = Duration::from_secs(5);

/// How long a busy pod is excluded at most, whatever its `Retry-After` says: that is when the first
/// of its burns would end by itself, and it may be ended before.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// The part of what was asked for that may find no pod to burn it. Shares are taken over within
/// milliseconds, so that less than this is missing if other pods can burn them.
const MAX_UNASSIGNED: f64 = 0.05;

/// How long to wait after the end for the answers that report what was burnt.
const RESULTS_TIMEOUT: Duration = Duration::from_secs(2);

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How much.
    pub millicores: Millicores,
    /// For how long.
    pub time: Duration,
}

/// What has been burnt so far.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Since the start; at most the whole time.
    pub elapsed: Duration,
    /// CPU seconds that were asked for so far.
    pub asked_seconds: f64,
    /// The part of these that no pod had as its share: all pods were busy, or had failed.
    pub unassigned_seconds: f64,
    /// How many pods have a share now.
    pub burning: usize,
    /// The sum of their shares.
    pub asked_millicores: u64,
    /// All pods that ever had a share.
    pub pods: BTreeMap<SocketAddr, PodStats>,
    /// What went wrong since the last report, each a sentence that names the pod.
    pub errors: Vec<String>,
    /// Whether a pod refused its share for good: the same command would fail again.
    pub refused: bool,
}

impl Progress {
    /// CPU seconds achieved, as far as the pods have reported.
    pub fn achieved_seconds(&self) -> f64 {
        // `sum` of nothing is -0, which would be printed.
        let achieved = self.pods.values().map(|pod| pod.achieved_seconds);
        achieved.fold(0.0, |sum, seconds| sum + seconds)
    }

    /// Whether the burn has succeeded.
    pub fn is_success(&self) -> bool {
        self.failure().is_none()
    }

    /// Why the burn has failed, as a sentence; `None` if it succeeded: something was burnt, no pod refused
    /// its share for good, and other pods took over from those that were busy or that failed.
    pub fn failure(&self) -> Option<String> {
        let (asked, unassigned) = (self.asked_seconds, self.unassigned_seconds);
        if self.refused {
            Some("a pod refused its share".to_owned())
        } else if self.achieved_seconds() == 0.0 {
            Some("no pod burnt anything".to_owned())
        } else if unassigned > asked * MAX_UNASSIGNED {
            Some(format!(
                "{unassigned:.3} of the {asked:.3} CPU seconds asked for found no pod to burn them"
            ))
        } else {
            None
        }
    }
}

/// Burns until the time is over, a signal comes, or no pod at all could burn its first share.
/// `lookup` finds the pods; as long as it fails, the last ones are kept. `report` is called each
/// second; the state at the end is returned.
pub async fn run<F>(
    plan: Plan,
    lookup: impl FnMut() -> F + Send + 'static,
    mut signals: Signals,
    mut report: impl FnMut(&Progress),
) -> Progress
where
    F: Future<Output = Result<Vec<SocketAddr>, String>> + Send,
{
    let (mut pods, mut errors) = Pods::new(plan);
    let mut lookups = look_up_every_second(lookup);
    let mut second = interval_at(pods.start + SECOND, SECOND);
    second.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased; // a full second is reported before the end that coincides with it
            _ = second.tick() => {
                report(&pods.progress());
                pods.errors.clear();
            }
            () = sleep_until(pods.end) => break,
            _ = signals.next() => {
                pods.stop();
                break;
            }
            Some((pod, error)) = errors.recv() => pods.exclude(pod, &error),
            Some(found) = lookups.recv() => pods.found = found,
            () = sleep_until(pods.next_inclusion()) => {}
        }
        pods.share();
        if pods.no_pod_can_burn() {
            pods.stop();
            break;
        }
    }
    // Every burn has ended, or is being ended, and reports what it burnt. A second signal doesn't
    // wait for that: when the requests are given up, the burns end too.
    tokio::select! {
        _ = timeout(RESULTS_TIMEOUT, async { while pods.workers.join_next().await.is_some() {} }) => {}
        _ = signals.next() => {}
    }
    pods.progress()
}

/// Runs beside everything else, since a look-up may take longer than a second.
fn look_up_every_second<F>(
    mut lookup: impl FnMut() -> F + Send + 'static,
) -> mpsc::Receiver<BTreeSet<SocketAddr>>
where
    F: Future<Output = Result<Vec<SocketAddr>, String>> + Send,
{
    let (send, lookups) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            if let Ok(found) = lookup().await
                && send.send(found.into_iter().collect()).await.is_err()
            {
                return;
            }
            sleep(SECOND).await;
        }
    });
    lookups
}

/// All pods, and the share of each.
#[derive(Debug)]
struct Pods {
    plan: Plan,
    start: Instant,
    end: Instant,
    http: Client,
    shared: Arc<worker::Shared>,
    /// The pods that the last successful look-up found.
    found: BTreeSet<SocketAddr>,
    excluded: BTreeMap<SocketAddr, Exclusion>,
    shares: Shares,
    /// Each worker's share; without it the worker ends.
    senders: BTreeMap<SocketAddr, watch::Sender<u32>>,
    workers: JoinSet<()>,
    report_error: mpsc::UnboundedSender<(SocketAddr, BurnError)>,
    errors: Vec<String>,
    refused: bool,
    /// CPU seconds up to `counted_at`. With `--each` they depend on how many pods there are.
    asked_seconds: f64,
    unassigned_seconds: f64,
    counted_at: Instant,
}

/// Why and until when a pod gets no share.
#[derive(Clone, Copy, Debug)]
struct Exclusion {
    until: Instant,
    busy: bool,
}

impl Pods {
    fn new(plan: Plan) -> (Self, mpsc::UnboundedReceiver<(SocketAddr, BurnError)>) {
        let (report_error, errors) = mpsc::unbounded_channel();
        let start = Instant::now();
        let end = start + plan.time;
        let shared = worker::Shared {
            end,
            stats: Stats::default(),
            callers: Callers::new(),
        };
        let pods = Self {
            plan,
            start,
            end,
            http: pod::client(),
            shared: Arc::new(shared),
            found: BTreeSet::new(),
            excluded: BTreeMap::new(),
            shares: Shares::new(),
            senders: BTreeMap::new(),
            workers: JoinSet::new(),
            report_error,
            errors: Vec::new(),
            refused: false,
            asked_seconds: 0.0,
            unassigned_seconds: 0.0,
            counted_at: start,
        };
        (pods, errors)
    }

    /// Shares the total among the pods that are there and not excluded. Only workers whose share
    /// changes do anything.
    fn share(&mut self) {
        self.count_seconds();
        let now = Instant::now();
        self.excluded.retain(|_, exclusion| exclusion.until > now);
        let included = |pod: &&SocketAddr| !self.excluded.contains_key(*pod);
        let included: Vec<SocketAddr> = self.found.iter().filter(included).copied().collect();
        self.shares = self.plan.millicores.share_out(&included, &self.shares);
        // The worker of an excluded pod stays, and waits for a share.
        self.senders.retain(|pod, _| self.found.contains(pod));
        for (pod, sender) in &self.senders {
            let share = self.shares.get(pod).copied().unwrap_or(0);
            sender.send_if_modified(|current| std::mem::replace(current, share) != share);
        }
        for (pod, share) in &self.shares {
            if !self.senders.contains_key(pod) {
                let (sender, share) = watch::channel(*share);
                self.senders.insert(*pod, sender);
                let (shared, errors) = (self.shared.clone(), self.report_error.clone());
                let pod = Pod::new(self.http.clone(), *pod);
                self.workers
                    .spawn(async move { keep_share(pod, share, &shared, errors).await });
            }
        }
    }

    fn exclude(&mut self, pod: SocketAddr, error: &BurnError) {
        if !self.senders.contains_key(&pod) {
            return; // it isn't there any more
        }
        let busy = matches!(error.kind, ErrorKind::Busy(_));
        self.refused |= error.kind == ErrorKind::Refused;
        self.errors.push(format!("{pod}: {}", error.sentence));
        let until = Instant::now() + exclusion_time(error.kind);
        self.excluded.insert(pod, Exclusion { until, busy });
    }

    /// When the first exclusion ends.
    fn next_inclusion(&self) -> Instant {
        let ends = self.excluded.values().map(|exclusion| exclusion.until);
        ends.min().unwrap_or(self.end)
    }

    /// Whether there are pods, but no pod has ever burnt anything and no pod is merely busy.
    fn no_pod_can_burn(&self) -> bool {
        let mut stats = self.shared.stats.now().into_values();
        !self.found.is_empty()
            && self.shares.is_empty()
            && !self.excluded.values().any(|exclusion| exclusion.busy)
            && stats.all(|pod| pod.achieved_seconds == 0.0)
    }

    /// Ends the burn now. Without the senders of their shares, the workers end their burns.
    fn stop(&mut self) {
        self.end = Instant::now();
        self.senders.clear();
    }

    fn count_seconds(&mut self) {
        let now = Instant::now().min(self.end);
        let seconds = now.saturating_duration_since(self.counted_at).as_secs_f64();
        // With `--each`, nobody takes over what an excluded pod doesn't burn: it stays asked for.
        let excluded =
            |pod: &&SocketAddr| self.excluded.contains_key(*pod) && !self.shares.contains_key(*pod);
        let pods = self.shares.len() + self.found.iter().filter(excluded).count();
        let asked = self.plan.millicores.total(pods);
        let assigned: f64 = self.shares.values().copied().map(f64::from).sum();
        self.asked_seconds += asked / 1000.0 * seconds;
        // Before the first look-up, no pod can have a share.
        if !self.found.is_empty() {
            self.unassigned_seconds += (asked - assigned).max(0.0) / 1000.0 * seconds;
        }
        self.counted_at = now;
    }

    fn progress(&mut self) -> Progress {
        self.count_seconds();
        Progress {
            elapsed: self.start.elapsed().min(self.end - self.start),
            asked_seconds: self.asked_seconds,
            unassigned_seconds: self.unassigned_seconds,
            burning: self.shares.values().filter(|share| **share > 0).count(),
            asked_millicores: self.shares.values().copied().map(u64::from).sum(),
            pods: self.shared.stats.now(),
            errors: self.errors.clone(),
            refused: self.refused,
        }
    }
}

fn exclusion_time(kind: ErrorKind) -> Duration {
    match kind {
        ErrorKind::Busy(Some(retry_after)) => retry_after.clamp(SECOND, MAX_RETRY_AFTER),
        _ => EXCLUSION,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_pod_is_excluded_for_as_long_as_it_asked_for_within_bounds() {
        for (retry_after, seconds) in [(0, 1), (7, 7), (3600, 30), (u64::MAX, 30)] {
            let kind = ErrorKind::Busy(Some(Duration::from_secs(retry_after)));
            assert_eq!(exclusion_time(kind), Duration::from_secs(seconds));
        }
        for kind in [ErrorKind::Busy(None), ErrorKind::Failed, ErrorKind::Refused] {
            assert_eq!(exclusion_time(kind), EXCLUSION, "{kind:?}");
        }
    }
}
