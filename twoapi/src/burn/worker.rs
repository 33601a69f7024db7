//! Keeps one pod at its share: one burn at a time, ended and started anew when the share changes.

use std::{
    net::SocketAddr,
    pin::{Pin, pin},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{
    sync::{mpsc::UnboundedSender, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    pod::{Ask, Came, Pod, Trouble},
    stats::Ledger,
};

/// Burns are no longer than any oneapi may have its MAX_MINUTES, and follow one another: the
/// milliseconds between two are nothing in a minute.
const LONGEST: Duration = Duration::from_secs(60);

/// So little can't be burnt any more.
const SHORTEST: Duration = Duration::from_millis(1);

/// How often a pod is asked how far it is: what is told each second is no older than that, and
/// no more is unknown of a burn whose pod dies.
const LOOK: Duration = Duration::from_millis(250);

/// Looks in a row that may fail before the pod counts as gone: one may have been sent over a
/// connection that was just being closed.
const FAILED: u32 = 2;

/// How long a burn's answer may take once the pod was told to end it: it does within 50 ms.
const ENDS: Duration = Duration::from_millis(500);

/// How long it may take if it wasn't there to be ended: it was over, and is on its way.
const UNDER_WAY: Duration = Duration::from_millis(20);

/// A burn that is over earlier than this before its time was ended by somebody.
const EARLY: Duration = Duration::from_millis(50);

/// Burns what is wanted until `end`, or until nobody is left who could want anything. After a
/// trouble it waits to be told anew.
pub(super) async fn hold(
    pod: Pod,
    mut wanted: watch::Receiver<u32>,
    end: Instant,
    ledger: &Ledger,
    troubles: UnboundedSender<(SocketAddr, Trouble)>,
) {
    loop {
        let millicores = *wanted.borrow_and_update();
        let left = end.saturating_duration_since(Instant::now());
        if left < SHORTEST || wanted.has_changed().is_err() {
            return;
        }
        if millicores > 0 {
            let time = left.min(LONGEST);
            let ask = Ask { millicores, time };
            ledger.begin(pod.address, millicores);
            match one_burn(&pod, ask, &mut wanted, ledger).await {
                Ok(came) => {
                    ledger.end(pod.address, came);
                    continue;
                }
                Err(trouble) => {
                    ledger.end(pod.address, trouble.came);
                    ledger.trouble(pod.address, &trouble.sentence);
                    // Who would hear of it has ended: so does this, below.
                    drop(troubles.send((pod.address, trouble)));
                }
            }
        }
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { return },
            () = sleep_until(end) => return,
        }
    }
}

/// Until it is over, or something else is wanted.
async fn one_burn(
    pod: &Pod,
    ask: Ask,
    wanted: &mut watch::Receiver<u32>,
    ledger: &Ledger,
) -> Result<Option<Came>, Trouble> {
    let began = Instant::now();
    let id = AtomicU64::new(0);
    let mut answer = pin!(pod.burn(ask));
    tokio::select! {
        came = &mut answer => match came {
            Ok(came) if began.elapsed() + EARLY < ask.time => Err(Trouble {
                came: Some(came),
                ..Trouble::new("somebody ended its burn")
            }),
            came => came.map(Some),
        },
        trouble = follow(pod, ask, &id, ledger) => Err(trouble),
        _ = wanted.changed() => Ok(end(pod, ask, id.into_inner(), answer).await),
    }
}

/// Looks how far it is, until the pod can't be asked any more: then what it burns on can't be
/// known, and the others should take it over.
async fn follow(pod: &Pod, ask: Ask, id: &AtomicU64, ledger: &Ledger) -> Trouble {
    let mut failed = 0;
    loop {
        sleep(LOOK).await;
        match pod.look(ask).await {
            Ok(running) => {
                failed = 0;
                if let Some(running) = running {
                    id.store(running.id, Ordering::Relaxed);
                    ledger.seen(pod.address, running);
                }
            }
            Err(trouble) => {
                failed += 1;
                if failed == FAILED {
                    return trouble;
                }
            }
        }
    }
}

/// Has the pod end it, so that its answer tells how far it came. Where that doesn't work, it
/// ends as the request is given up.
async fn end(
    pod: &Pod,
    ask: Ask,
    mut id: u64,
    answer: Pin<&mut impl Future<Output = Result<Came, Trouble>>>,
) -> Option<Came> {
    let told = async {
        if id == 0 {
            id = pod.look(ask).await.ok()??.id;
        }
        pod.end(id).await.ok()
    };
    let patience = match timeout(ENDS, told).await {
        Ok(Some(())) => ENDS,
        _ => UNDER_WAY,
    };
    match timeout(patience, answer).await {
        Ok(Ok(came)) => Some(came),
        Ok(Err(trouble)) => trouble.came,
        Err(_) => None,
    }
}
