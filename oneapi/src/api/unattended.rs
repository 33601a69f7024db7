//! The burns that no request waits for.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
};

use chassis::{lifecycle::Life, system::seconds};
use serde::Serialize;

use super::{
    attend::{End, attend},
    summary::BurnSummary,
};
use crate::burn::{Burns, Handle, RunningBurn};

/// One burn, with everything that the answer to `GET /burns/ID` says.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ShownBurn {
    id: u64,
    caller: Option<String>,
    /// `running`, or how it ended.
    state: &'static str,
    /// How long the burn would have gone on; above 0 for one that was ended early.
    left_seconds: f64,
    #[serde(flatten)]
    summary: BurnSummary,
}

impl ShownBurn {
    fn new(burns: &Burns, burn: &RunningBurn, state: &'static str) -> Self {
        Self {
            id: burn.id,
            caller: burn.request.caller.as_ref().map(ToString::to_string),
            state,
            left_seconds: seconds(burn.remaining()),
            summary: BurnSummary::new(burns, burn),
        }
    }

    pub(super) fn running(burns: &Burns, burn: &RunningBurn) -> Self {
        // One that was ended is gone at once for every list, though its threads take a moment.
        if burn.is_cancelled() {
            return Self::new(burns, burn, End::Ended.name());
        }
        let mut shown = Self::new(burns, burn, "running");
        shown.summary.granted_millicores = burn.granted(); // as in the list
        shown
    }
}

/// How many ended burns can still be asked for: a script that starts all that `MAX_BURNS` allows finds
/// each of them, and once more as many.
pub(super) const MAX_ENDED: usize = 32;

/// The burns that `POST /burns` started. Each has a task of its own, which holds its handle. Cheap to
/// clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnattendedBurns(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    running: Vec<Arc<RunningBurn>>,
    /// The last to end is the last here.
    ended: VecDeque<ShownBurn>,
}

impl UnattendedBurns {
    /// Has the burn go on to its end.
    pub(super) fn start(&self, life: &Life, burns: &Burns, handle: Handle) {
        self.inner().running.push(Arc::clone(&handle.burn));
        let (unattended, burns, stop) = (self.clone(), burns.clone(), life.clone());
        life.spawn(async move {
            let end = attend(&stop, &handle).await;
            unattended.keep_ended(ShownBurn::new(&burns, &handle.burn, end.name()));
        });
    }

    fn keep_ended(&self, burn: ShownBurn) {
        let mut inner = self.inner();
        inner.running.retain(|running| running.id != burn.id);
        inner.ended.push_back(burn);
        if inner.ended.len() > MAX_ENDED {
            inner.ended.pop_front();
        }
    }

    /// One of these burns, or a burn that runs and that a request waits for.
    pub(super) fn show(&self, burns: &Burns, id: u64) -> Option<ShownBurn> {
        let inner = self.inner();
        if let Some(ended) = inner.ended.iter().find(|burn| burn.id == id) {
            return Some(ended.clone());
        }
        let own = inner.running.iter().find(|burn| burn.id == id).cloned();
        drop(inner);
        let burn = own.or_else(|| burns.list().into_iter().find(|burn| burn.id == id))?;
        Some(ShownBurn::running(burns, &burn))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        chassis::base::lock(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::burn::{BurnRequest, tests::FakeContainer};

    #[test]
    fn a_burn_that_runs_says_what_is_granted_now_and_one_that_has_ended_the_least() {
        let container = FakeContainer::new("shown", 2, "50000 100000\n");
        let burns = container.burns(2);
        let start = |millicores, force| {
            let request = BurnRequest {
                millicores,
                duration: Duration::from_secs(60),
                force,
                caller: None,
            };
            burns.start(request).unwrap()
        };
        let own = start(400, false);
        let other = start(400, true);
        let granted = || {
            ShownBurn::running(&burns, &own.burn)
                .summary
                .granted_millicores
        };
        assert_eq!(granted(), 75, "beside the other");
        drop(other);
        assert_eq!((granted(), own.burn.granted()), (400, 400), "alone again");
        own.cancel();
        assert_eq!(granted(), 75, "the least, as its own answer says");
    }
}
