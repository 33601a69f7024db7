//! The stream that Watch answers with: the status now, and again whenever it has changed.

use axum::body::Bytes;
use hyper::body::Frame;
use tokio::{sync::watch, time::sleep};

use super::{
    Health, Service, data,
    stream::{Parts, Stream},
    trailers,
    wire::{Code, ServingStatus},
};
use crate::lifecycle::{NotReady, Phase};

/// A stream and what it waits for.
pub(super) struct Watching {
    health: Health,
    /// None for one that there isn't: it may come to be, for all that the protocol knows.
    service: Option<Service>,
    phase: watch::Receiver<Phase>,
    switches: watch::Receiver<()>,
    /// What the client knows.
    told: Option<ServingStatus>,
    ended: bool,
}

impl Watching {
    pub(super) fn new(health: Health, service: Option<Service>) -> Self {
        Self {
            phase: health.life.phase(),
            switches: health.faults.changes(),
            health,
            service,
            told: None,
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

    pub(super) fn into_body(self) -> Stream<Self> {
        Stream::new(self)
    }
}

impl Parts for Watching {
    async fn next(mut self) -> Option<(Frame<Bytes>, Self)> {
        while !self.ended {
            // Whatever changes after this is seen below.
            self.phase.borrow_and_update();
            self.switches.borrow_and_update();
            let status = self.status();
            if self.told != Some(status) {
                self.told = Some(status);
                return Some((Frame::data(data(status)), self));
            }
            if self.health.life.is_stopping() {
                // The client has been told, and should ask somebody else.
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
