//! How many connections there are, and what becomes of those that are too many: the server can't know
//! which of them asks for a probe before it has read that, so a few are let in, and each is told from the
//! others by [`Peer::is_surplus`](super::Peer::is_surplus).

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::AbortHandle,
};
use tracing::warn;

/// How many surplus connections there are at once. The oldest goes for the newest, so that those who say
/// nothing don't keep a probe out.
const MAX_SURPLUS: usize = 128;

/// It can last for as long as the clients stay.
const WARN_AGAIN: Duration = Duration::from_secs(10);

/// See the module. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Census(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    places: Arc<Semaphore>,
    surplus: AtomicU64,
    crowd: Mutex<Crowd>,
}

#[derive(Debug, Default)]
struct Crowd {
    /// The oldest first.
    open: VecDeque<AbortHandle>,
    warned: Option<Instant>,
}

impl Census {
    pub(super) fn new(most: usize) -> Self {
        let most = most.min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Inner {
            most,
            places: Arc::new(Semaphore::new(most)),
            surplus: AtomicU64::new(0),
            crowd: Mutex::default(),
        }))
    }

    /// How many are open, without the surplus ones.
    pub fn open(&self) -> usize {
        self.0.most - self.0.places.available_permits()
    }

    /// How many have been too many.
    pub fn surplus(&self) -> u64 {
        self.0.surplus.load(Ordering::Relaxed)
    }

    /// A place for one more, to be held for as long as it is open. None if it is surplus.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.places).try_acquire_owned().ok()
    }

    /// Counts a surplus one.
    pub(super) fn add_surplus(&self, connection: AbortHandle) {
        self.0.surplus.fetch_add(1, Ordering::Relaxed);
        let mut crowd = self.0.crowd.lock().unwrap_or_else(PoisonError::into_inner);
        crowd.open.retain(|other| !other.is_finished());
        crowd.open.push_back(connection);
        if crowd.open.len() > MAX_SURPLUS
            && let Some(oldest) = crowd.open.pop_front()
        {
            oldest.abort();
        }
        if crowd.warned.is_none_or(|at| at.elapsed() >= WARN_AGAIN) {
            crowd.warned = Some(Instant::now());
            warn!(
                max_connections = self.0.most,
                "too many connections: new ones get 503, unless they ask for a probe"
            );
        }
    }
}
