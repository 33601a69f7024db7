//! What each pod was asked for and has achieved, as far as is known.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use super::pod::{BurnResult, BurnStatus};

/// The stats of all pods that ever had a share.
#[derive(Debug, Default)]
pub(super) struct Stats(Mutex<BTreeMap<SocketAddr, PodStats>>);

/// What one pod was asked for and has achieved.
#[derive(Clone, Debug, Default)]
pub struct PodStats {
    /// The name that it reported; empty before that.
    pub name: String,
    /// CPU seconds, of all burns that it accepted.
    pub asked_seconds: f64,
    /// CPU seconds, including the burn that runs, as the pod reported last.
    pub achieved_seconds: f64,
    /// What the burn that runs was asked for.
    pub asked_millicores: u32,
    /// What the pod grants that burn: less than asked if it has to stay below its CPU limit, and 0 before
    /// it has reported anything.
    pub granted_millicores: u32,
    /// Why it burns nothing, or why it last burnt nothing.
    pub error: Option<String>,
    began: Option<Instant>,
    /// CPU seconds of the burn that runs.
    achieved_now: f64,
}

impl Stats {
    pub(super) fn begin(&self, address: SocketAddr, millicores: u32) {
        let mut pods = self.pods();
        let pod = pods.entry(address).or_default();
        pod.asked_millicores = millicores;
        pod.granted_millicores = 0;
        pod.began = Some(Instant::now());
        pod.achieved_now = 0.0;
    }

    pub(super) fn update(&self, address: SocketAddr, status: BurnStatus) {
        let mut pods = self.pods();
        let pod = pods.entry(address).or_default();
        pod.name = status.pod;
        pod.granted_millicores = status.granted_millicores;
        pod.achieved(status.achieved_seconds);
        pod.error = None;
    }

    /// A burn has ended; without a result, its last status counts.
    pub(super) fn end(&self, address: SocketAddr, result: Option<BurnResult>) {
        let mut pods = self.pods();
        let pod = pods.entry(address).or_default();
        let began = pod.began.take();
        let mut wall = began.map_or(0.0, |began| began.elapsed().as_secs_f64());
        if let Some(result) = result {
            wall = result.wall_seconds;
            pod.achieved(result.achieved_seconds);
        } else if pod.achieved_now == 0.0 {
            wall = 0.0; // as far as is known it never burnt
        }
        pod.asked_seconds += wall * f64::from(pod.asked_millicores) / 1000.0;
        pod.asked_millicores = 0;
        pod.granted_millicores = 0;
        pod.achieved_now = 0.0;
    }

    pub(super) fn error(&self, address: SocketAddr, sentence: &str) {
        let mut pods = self.pods();
        pods.entry(address).or_default().error = Some(sentence.to_owned());
    }

    /// As of now, including the burns that run.
    pub(super) fn now(&self) -> BTreeMap<SocketAddr, PodStats> {
        let mut pods = self.pods().clone();
        for pod in pods.values_mut() {
            let wall = pod.began.map_or(Duration::ZERO, |began| began.elapsed());
            pod.asked_seconds += wall.as_secs_f64() * f64::from(pod.asked_millicores) / 1000.0;
        }
        pods
    }

    fn pods(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, PodStats>> {
        chassis::base::lock(&self.0)
    }
}

impl PodStats {
    /// Millicores that the pod keeps back to stay below its CPU limit, as far as it has reported.
    pub(super) fn withheld(&self) -> u32 {
        match self.granted_millicores {
            0 => 0,
            granted => self.asked_millicores.saturating_sub(granted),
        }
    }

    fn achieved(&mut self, now: f64) {
        self.achieved_seconds += now - self.achieved_now;
        self.achieved_now = now;
    }
}
