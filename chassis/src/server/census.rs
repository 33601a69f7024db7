//! How many connections there are, and what becomes of those that are too many: the server can't know
//! which of them asks for a probe before it has read that, so a few are let in, and each is told from the
//! others by [`Peer::is_surplus`](super::Peer::is_surplus).

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::AbortHandle,
};
use tracing::warn;

use super::warning_limit::WarningLimit;
use crate::base::lock;

/// Counts a server's connections, and gives each its place. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Census(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: u32,
    /// How many surplus connections there are at once. The oldest goes for the newest, so that those who
    /// say nothing don't keep a probe out.
    most_surplus: usize,
    places: Arc<Semaphore>,
    open: AtomicUsize,
    surplus: AtomicU64,
    surplus_open: Mutex<SurplusOpen>,
}

#[derive(Debug, Default)]
struct SurplusOpen {
    /// The oldest first.
    open: VecDeque<AbortHandle>,
    warnings: WarningLimit,
}

/// The place of a connection that isn't surplus.
pub(super) struct Place {
    census: Census,
    permit: OwnedSemaphorePermit,
}

impl Census {
    pub(super) fn new(most: usize, most_surplus: usize) -> Self {
        let most = u32::try_from(most.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        Self(Arc::new(Inner {
            most,
            most_surplus,
            places: Arc::new(Semaphore::new(most as usize)),
            open: AtomicUsize::new(0),
            surplus: AtomicU64::new(0),
            surplus_open: Mutex::default(),
        }))
    }

    /// How many are open, without the surplus ones.
    pub fn open(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// How many have been surplus so far.
    pub fn surplus(&self) -> u64 {
        self.0.surplus.load(Ordering::Relaxed)
    }

    /// A place for one more, to be held for as long as it is open. `None` if it is surplus.
    pub(super) fn place(&self) -> Option<Place> {
        let permit = Arc::clone(&self.0.places).try_acquire_owned().ok()?;
        self.0.open.fetch_add(1, Ordering::Relaxed);
        Some(Place {
            census: self.clone(),
            permit,
        })
    }

    /// Ends the oldest surplus one for the newest.
    pub(super) fn add_surplus(&self, connection: AbortHandle) {
        self.0.surplus.fetch_add(1, Ordering::Relaxed);
        let mut surplus = lock(&self.0.surplus_open);
        if surplus.warnings.allows_one() {
            warn!(
                max_connections = self.0.most,
                "too many connections: new ones get 503, unless they ask for a probe"
            );
        }
        surplus.open.retain(|other| !other.is_finished());
        surplus.open.push_back(connection);
        if surplus.open.len() > self.0.most_surplus
            && let Some(oldest) = surplus.open.pop_front()
        {
            oldest.abort();
        }
    }
}

impl Place {
    /// Makes it a place for several requests at once. `None` if there is no room for them: the connection
    /// is surplus, and is to be [counted](Census::add_surplus) as that.
    pub(super) fn widen(mut self, requests: u32) -> Option<Self> {
        // Where there are fewer places than that, one connection may have them all.
        let more = requests.min(self.census.0.most) - 1;
        let places = Arc::clone(&self.census.0.places);
        match places.try_acquire_many_owned(more) {
            Ok(more) => {
                self.permit.merge(more);
                Some(self)
            }
            Err(_) => None,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.census.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
