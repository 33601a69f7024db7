//! Asks both containers of a pod again and again, until the pod has left.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::http::{StatusCode, header::ACCEPT};
use reqwest::Client;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use super::{
    super::{
        board::Board,
        containers::{ContainerName, Ports},
        listed::Listed,
    },
    card::card,
    container::{PodContainer, Readiness},
};
use crate::client::{body::beginning, http};

/// `/info` is asked this often: a pod is ready or stopping within tenths of a second.
const POLL_INTERVAL: Duration = Duration::from_millis(400);

/// How many pods are asked that often. More pods are asked less often, so that all together cost the same.
const PODS_AT_FULL_SPEED: usize = 20;

/// Within a cluster, also while a pod burns.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// The most that is read of an answer: `/probes` has some 128 entries of 150 bytes.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// A pod that was stopping and doesn't answer any more has ended. One that doesn't answer without a stop
/// is asked for a little longer.
const ENDED_AFTER: Duration = Duration::from_secs(1);
const LOST_AFTER: Duration = Duration::from_secs(4);

#[derive(Debug)]
pub(crate) struct Poller {
    pub(crate) client: Client,
    pub(crate) ip: IpAddr,
    pub(crate) ports: Ports,
    pub(crate) service: usize,
    pub(crate) listed: Arc<Listed>,
    pub(crate) board: Arc<Board>,
    /// Whether the pod is the page's own and the only one. It then stays on the page, even while it doesn't
    /// answer.
    pub(crate) own_pod: bool,
    /// Whether the pod is shown only once it has answered: DNS may still list a pod that has left, and
    /// nobody may have an address yet that a setting names.
    pub(crate) must_answer: bool,
}

/// The HTTP client for one Service's pods. Its connections end with the watch.
pub(crate) fn client() -> Client {
    http::client(CONNECT_TIMEOUT, |client| {
        client.timeout(ANSWER_TIMEOUT).pool_max_idle_per_host(1)
    })
}

impl Poller {
    /// Polls until the pod has left, and returns which one it was.
    pub(crate) async fn run(self) -> IpAddr {
        let id = format!("{}/{}", self.service, self.ip);
        let mut containers = [ContainerName::Oneapi, ContainerName::Twoapi].map(PodContainer::new);
        let mut answered = Instant::now();
        let (mut is_stopping, mut has_answered) = (false, false);
        for round in 0_u64.. {
            let [oneapi, twoapi] = &mut containers;
            tokio::join!(self.poll(oneapi, round), self.poll(twoapi, round));
            let any = |readiness| containers.iter().any(|c| c.readiness == readiness);
            if containers
                .iter()
                .any(|container| container.readiness != Readiness::NoAnswer)
            {
                answered = Instant::now();
                has_answered = true;
            }
            is_stopping = any(Readiness::Stopping) || is_stopping && !any(Readiness::Ready);
            let ended = is_stopping && answered.elapsed() > ENDED_AFTER;
            let expected = self.listed.contains(self.ip) && !self.must_answer;
            let lost = !expected && answered.elapsed() > LOST_AFTER;
            if !self.own_pod && (ended || lost) {
                break;
            }
            if has_answered || !self.must_answer {
                let card = card(&id, self.service, self.ip, &containers, is_stopping);
                self.board.put(&id, card);
            }
            let slower = self.listed.polled().div_ceil(PODS_AT_FULL_SPEED).max(1);
            sleep(POLL_INTERVAL * u32::try_from(slower).unwrap_or(u32::MAX)).await;
        }
        self.board.remove(&id);
        self.ip
    }

    async fn poll(&self, container: &mut PodContainer, round: u64) {
        let Some((status, info)) = self.ask(container.name, "/info").await else {
            return container.take_no_answer();
        };
        // What changes seldom is asked for seldom.
        if round.is_multiple_of(4) {
            let probes = self.ask_for(container.name, "/probes").await;
            container.take_probes(&probes);
            container.take_faults(self.ask_for(container.name, "/faults").await);
        }
        match serde_json::from_slice(&info) {
            Ok(info) => container.take_info(info),
            Err(_) => {
                container.readiness = Readiness::NotReady(match status {
                    StatusCode::OK => "/info answers what isn't its JSON".to_owned(),
                    _ => format!("/info answers {status}"),
                });
            }
        }
        let is_oneapi = container.name == ContainerName::Oneapi;
        if round.is_multiple_of(2) && is_oneapi && container.lists_burns() {
            container.take_burns(self.ask_for(container.name, "/burns").await);
        }
    }

    /// What a list says; empty for an answer that isn't a success, or isn't its JSON.
    async fn ask_for<T: Default + DeserializeOwned>(
        &self,
        container: ContainerName,
        path: &str,
    ) -> T {
        let answer = self.ask(container, path).await;
        let list = answer.and_then(|(_, body)| serde_json::from_slice(&body).ok());
        list.unwrap_or_default()
    }

    /// The status and the body of the answer, `None` without an answer. The body is empty if the answer
    /// isn't a success or is too long.
    async fn ask(&self, container: ContainerName, path: &str) -> Option<(StatusCode, Vec<u8>)> {
        let host = SocketAddr::new(self.ip, self.ports.of(container));
        let request = self.client.get(format!("http://{host}{path}"));
        let request = request.header(ACCEPT, "application/json");
        let response = request.send().await.ok()?;
        let status = response.status();
        let mut body = beginning(response, MAX_ANSWER_BYTES + 1).await.ok()?;
        if status != StatusCode::OK || body.len() > MAX_ANSWER_BYTES {
            body.clear();
        }
        Some((status, body))
    }
}
