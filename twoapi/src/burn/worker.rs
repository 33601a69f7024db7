//! Keeps one pod burning at its share: one burn at a time, which is ended and replaced when the
//! share changes.

use std::{
    net::SocketAddr,
    pin::{Pin, pin},
    time::Duration,
};

use tokio::{
    sync::{mpsc::UnboundedSender, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    pod::{BurnError, BurnRequest, BurnResult, Caller, Callers, Pod},
    stats::Stats,
};

/// Burns are no longer than any oneapi may have its MAX_MINUTES, and follow one another: the
/// milliseconds between two are nothing in a minute.
const MAX_BURN: Duration = Duration::from_secs(60);

/// A shorter burn can't be made.
const MIN_BURN: Duration = Duration::from_millis(1);

/// How often a pod's burn is looked up: what is reported each second is no older than that, and
/// no more is unknown of a burn whose pod dies.
const STATUS_INTERVAL: Duration = Duration::from_millis(250);

/// Failures in a row after which the pod counts as gone: one request may have been sent over a
/// connection that was just being closed.
const MAX_FAILED_LOOKUPS: u32 = 2;

/// How long to wait for a burn's answer after the pod was asked to end it, which takes 50 ms.
const END_TIMEOUT: Duration = Duration::from_millis(500);

/// When to ask again: the burn's request may still have been on its way.
const END_RETRY: Duration = Duration::from_millis(100);

/// How long to wait for the answer of a burn that a pod couldn't be asked to end.
const UNREACHABLE_TIMEOUT: Duration = Duration::from_millis(20);

/// A burn that ends earlier than this before its time was ended by somebody.
const EARLY: Duration = Duration::from_millis(50);

/// What a worker has in common with the others.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) end: Instant,
    pub(super) stats: Stats,
    pub(super) callers: Callers,
}

/// Burns the share until the end, or until its sender is dropped. After an error it waits for
/// another share.
pub(super) async fn keep_share(
    pod: Pod,
    mut share: watch::Receiver<u32>,
    shared: &Shared,
    errors: UnboundedSender<(SocketAddr, BurnError)>,
) {
    loop {
        let millicores = *share.borrow_and_update();
        let left = shared.end.saturating_duration_since(Instant::now());
        if left < MIN_BURN || share.has_changed().is_err() {
            return;
        }
        if millicores > 0 {
            let request = BurnRequest {
                millicores,
                time: left.min(MAX_BURN),
                caller: shared.callers.next(),
            };
            shared.stats.begin(pod.address, millicores);
            match one_burn(&pod, &request, &mut share, &shared.stats).await {
                Ok(result) => {
                    shared.stats.end(pod.address, result);
                    continue;
                }
                Err(error) => {
                    shared.stats.end(pod.address, error.result);
                    shared.stats.error(pod.address, &error.sentence);
                    // Without a receiver the share's sender is dropped too, see below.
                    drop(errors.send((pod.address, error)));
                }
            }
        }
        tokio::select! {
            changed = share.changed() => if changed.is_err() { return },
            () = sleep_until(shared.end) => return,
        }
    }
}

/// Burns until its time is over, or the share changes.
async fn one_burn(
    pod: &Pod,
    request: &BurnRequest,
    share: &mut watch::Receiver<u32>,
    stats: &Stats,
) -> Result<Option<BurnResult>, BurnError> {
    let began = Instant::now();
    let mut answer = pin!(pod.burn(request));
    tokio::select! {
        result = &mut answer => match result {
            Ok(result) if began.elapsed() + EARLY < request.time => Err(BurnError {
                result: Some(result),
                ..BurnError::failed("somebody ended its burn")
            }),
            result => result.map(Some),
        },
        error = watch_status(pod, &request.caller, stats) => Err(error),
        _ = share.changed() => Ok(end(pod, &request.caller, answer).await),
    }
}

/// Looks up how far the burn is, until the pod can't be reached any more: then it is unknown what
/// it burns, and the others should take over.
async fn watch_status(pod: &Pod, caller: &Caller, stats: &Stats) -> BurnError {
    let mut failed = 0;
    loop {
        sleep(STATUS_INTERVAL).await;
        match pod.status(caller).await {
            Ok(status) => {
                failed = 0;
                if let Some(status) = status {
                    stats.update(pod.address, status);
                }
            }
            Err(error) => {
                failed += 1;
                if failed == MAX_FAILED_LOOKUPS {
                    return error;
                }
            }
        }
    }
}

/// Has the pod end the burn, so that its answer reports what was burnt. Where that doesn't work,
/// the burn ends as its request is given up.
async fn end(
    pod: &Pod,
    caller: &Caller,
    mut answer: Pin<&mut impl Future<Output = Result<BurnResult, BurnError>>>,
) -> Option<BurnResult> {
    let deadline = Instant::now() + END_TIMEOUT;
    loop {
        let limit = deadline.saturating_duration_since(Instant::now());
        let wait = match timeout(limit, pod.end(caller)).await {
            Ok(Ok(())) => END_RETRY,
            _ => UNREACHABLE_TIMEOUT,
        };
        match timeout(wait, &mut answer).await {
            Ok(Ok(result)) => return Some(result),
            Ok(Err(error)) => return error.result,
            Err(_) if wait == END_RETRY && Instant::now() < deadline => {}
            Err(_) => return None,
        }
    }
}
