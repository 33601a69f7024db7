//! The stream that Watch answers with: the status now, and again whenever it has changed.

use axum::body::Bytes;
use hyper::body::Frame;
use tokio::{sync::watch, time::sleep};

use super::{
    message::ServingStatus,
    protocol::{Code, trailers},
    service::{Health, Service},
};
use crate::lifecycle::{NotReady, Phase};

/// A stream and what it waits for.
pub(super) struct Watching {
    health: Health,
    /// `None` if there is no such service. For all that the protocol knows, it may come to be.
    service: Option<Service>,
    phase: watch::Receiver<Phase>,
    switches: watch::Receiver<()>,
    /// The status that the client has got last.
    sent: Option<ServingStatus>,
    ended: bool,
}

impl Watching {
    pub(super) fn new(health: Health, service: Option<Service>) -> Self {
        Self {
            phase: health.life.phase(),
            switches: health.faults.changes(),
            health,
            service,
            sent: None,
            ended: false,
        }
    }

    /// What there is to tell now.
    pub(super) fn status(&self) -> ServingStatus {
        match self.service {
            None => ServingStatus::ServiceUnknown,
            Some(service) if self.health.faults.is_failing(service.switch()) => {
                ServingStatus::NotServing
            }
            Some(service) => self.health.is_serving(service),
        }
    }

    /// What there is to tell next, once there is something. `None` after the end.
    pub(super) async fn next(mut self) -> Option<(Frame<Bytes>, Self)> {
        while !self.ended {
            // Whatever changes after this is seen below.
            self.phase.borrow_and_update();
            self.switches.borrow_and_update();
            let status = self.status();
            if self.sent != Some(status) {
                self.sent = Some(status);
                return Some((Frame::data(status.message()), self));
            }
            if self.health.life.is_stopping() {
                // The client has the status, and should ask another pod.
                self.ended = true;
                return Some((Frame::trailers(trailers(Code::Unavailable)), self));
            }
            let started = async {
                match self.health.life.startup() {
                    Err(NotReady::Starting(left)) => sleep(left).await,
                    _ => std::future::pending().await,
                }
            };
            // Neither sender is gone before `health` is.
            tokio::select! {
                _ = self.phase.changed() => {}
                _ = self.switches.changed() => {}
                () = started => {}
            }
        }
        None
    }
}
