//! The switches that are set. Whoever acts on one asks here; while no switch acts on requests, a request
//! costs one atomic load.

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::watch,
    time::{sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{
    action::{Action, End},
    active::{Active, Listed, Taken},
    bounds::Bounds,
    crash,
    name::Name,
    part::spread,
    settings::Settings,
    switch::Switch,
    taken::{Files, Memory},
};
use crate::{base::lock, config::written};

/// A handle on the switches. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Faults(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    allowed: bool,
    bounds: Bounds,
    at_start: Vec<Switch>,
    /// Whether any switch is set that acts on requests.
    act_on_requests: AtomicBool,
    table: Mutex<[Option<Active>; Name::ALL.len()]>,
    /// Held while one is set, so that what a new one takes is not taken before the old one, or that
    /// of a client at the same time, has given back its own.
    setting: Mutex<()>,
    memory_turn: Arc<Mutex<()>>,
    next_id: AtomicU64,
    /// How often each has acted.
    injected: [AtomicU64; Name::ALL.len()],
    /// Sent whenever a switch is set or ends.
    changes: watch::Sender<()>,
    deaf: watch::Sender<bool>,
}

/// A switch acts on a request or a signal, until this is dropped. A switch whose count is used up stays
/// in the table as long, so that what it holds back can be let go.
#[derive(Debug)]
pub struct Hit {
    /// What it does.
    pub action: Action,
    /// Which request of those that it acts on this is, counted from 0.
    n: u64,
    ended: CancellationToken,
    faults: Faults,
    name: Name,
    id: u64,
}

impl Drop for Hit {
    fn drop(&mut self) {
        self.faults.hit_is_over(self.name, self.id);
    }
}

impl Hit {
    /// Waits for that time, or until the switch has ended: it then holds nothing back any more.
    pub async fn hold(&self, time: Duration) {
        tokio::select! {
            () = sleep(time) => {}
            () = self.ended.cancelled() => {}
        }
    }

    /// A time that differs from `delay` by at most `jitter`, on average not at all.
    pub fn around(&self, delay: Duration, jitter: Duration) -> Duration {
        delay - jitter + 2 * jitter.mul_f64(spread(self.n))
    }
}

impl Faults {
    /// Without any switch that is set.
    pub fn new(settings: &Settings) -> Self {
        Self(Arc::new(Inner {
            allowed: settings.faults,
            bounds: settings.bounds(),
            at_start: settings.at_start().to_vec(),
            act_on_requests: AtomicBool::new(false),
            table: Default::default(),
            setting: Mutex::default(),
            memory_turn: Arc::default(),
            next_id: AtomicU64::new(0),
            injected: Default::default(),
            changes: watch::Sender::new(()),
            deaf: watch::Sender::new(false),
        }))
    }

    /// Whether switches may be set.
    pub fn allowed(&self) -> bool {
        self.0.allowed
    }

    /// Sets the switches of `FAULTS_AT_START`.
    pub fn start(&self) {
        for switch in &self.0.at_start {
            self.set(switch.clone());
        }
    }

    /// Reads a switch and sets it, in place of one of the same name.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what is allowed.
    pub fn read_and_set(&self, name: &str, query: &str) -> Result<Listed, String> {
        let switch = Switch::read(name, query)?;
        self.0.bounds.check(&switch)?;
        Ok(self.set(switch))
    }

    fn set(&self, switch: Switch) -> Listed {
        let Switch {
            name,
            parameters,
            action,
            end,
        } = switch;
        let _setting = lock(&self.0.setting);
        self.remove(name, None, "replaced");
        let begins = Instant::now();
        let until = match (end, action) {
            (End::After(time), _) => Some(begins + time),
            (_, Action::Exit { after, .. }) => Some(begins + after.max(crash::ANSWER_FIRST)),
            (_, Action::Crash(_)) => Some(begins + crash::ANSWER_FIRST),
            _ => None,
        };
        let ended = CancellationToken::new();
        let active = Active {
            id: self.0.next_id.fetch_add(1, Ordering::Relaxed),
            parameters,
            action,
            until,
            count: match end {
                End::Count(count) => Some(count),
                _ => None,
            },
            requests: 0,
            hits: 0,
            held_back: 0,
            ended: ended.clone(),
            _taken: match action {
                Action::Memory { mib, rate } => {
                    let turn = Arc::clone(&self.0.memory_turn);
                    Some(Taken::Memory(Memory::take(mib, rate, turn)))
                }
                Action::Files { count } => Some(Taken::Files(Files::open(count))),
                _ => None,
            },
        };
        let (id, listed) = (active.id, active.listed(name));
        // These switches act once, when they are set.
        if matches!(
            action,
            Action::Memory { .. } | Action::Files { .. } | Action::Deaf
        ) {
            self.count(name);
        }
        info!(fault = name.as_str(), parameters = %active.parameters, end = %in_words(until, end), "fault begins");
        self.change(|table| table[name as usize] = Some(active));
        if let Some(until) = until {
            let faults = self.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = sleep_until(until.into()) => faults.time_is_over(name, id, action),
                    () = ended.cancelled() => {}
                }
            });
        }
        listed
    }

    /// A switch's time is over: it ends, or ends the process.
    fn time_is_over(&self, name: Name, id: u64, action: Action) {
        match action {
            Action::Exit { code, .. } => crash::exit(code),
            Action::Crash(signal) => crash::crash(signal),
            _ => {
                self.remove(name, Some(id), "its time is over");
            }
        }
    }

    /// Clears a switch. `None` if it isn't set.
    pub fn clear(&self, name: Name) -> Option<Listed> {
        self.remove(name, None, "cleared")
    }

    /// The switches that are set.
    pub fn list(&self) -> Vec<Listed> {
        let table = self.table();
        let active = Name::ALL.into_iter().zip(table.iter());
        active
            .filter_map(|(name, active)| Some(active.as_ref()?.listed(name)))
            .collect()
    }

    /// Whether any switch is set that acts on requests.
    pub fn act_on_requests(&self) -> bool {
        self.0.act_on_requests.load(Ordering::Relaxed)
    }

    /// What a switch does to the request or signal that has just come. `None` if it does nothing.
    pub fn hit(&self, name: Name) -> Option<Hit> {
        let hit = {
            let mut table = self.table();
            let active = table[name as usize].as_mut()?;
            if active.is_used_up() {
                return None;
            }
            let n = active.requests;
            active.requests += 1;
            let is_hit = match active.action {
                Action::Errors { percent, .. } | Action::Reset { percent } => {
                    percent.includes(n, active.hits)
                }
                _ => true,
            };
            if !is_hit {
                return None;
            }
            active.hits += 1;
            active.held_back += 1;
            if let Some(count) = &mut active.count {
                *count -= 1;
            }
            Hit {
                action: active.action,
                n,
                ended: active.ended.clone(),
                faults: self.clone(),
                name,
                id: active.id,
            }
        };
        self.count(name);
        Some(hit)
    }

    /// A switch has acted on a request.
    fn hit_is_over(&self, name: Name, id: u64) {
        let ends = {
            let mut table = self.table();
            let active = table[name as usize].as_mut();
            active
                .filter(|active| active.id == id)
                .is_some_and(|active| {
                    active.held_back -= 1;
                    active.held_back == 0 && active.is_used_up()
                })
        };
        if ends {
            self.remove(name, Some(id), "its count is reached");
        }
    }

    /// What a switch that is set does, without a request that would count.
    pub fn action(&self, name: Name) -> Option<Action> {
        let table = self.table();
        let active = table[name as usize].as_ref();
        active
            .filter(|active| !active.is_used_up())
            .map(|active| active.action)
    }

    /// Whether a probe's switch makes it fail, without a request that would count.
    pub fn is_failing(&self, name: Name) -> bool {
        self.action(name) == Some(Action::Fail)
    }

    /// Changes whenever a switch is set or ends.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.0.changes.subscribe()
    }

    /// Whether no connection is to be accepted.
    pub fn deaf(&self) -> watch::Receiver<bool> {
        self.0.deaf.subscribe()
    }

    /// For each switch, whether it is set and how often it has acted.
    pub(super) fn counts(&self) -> [(Name, bool, u64); Name::ALL.len()] {
        let table = self.table();
        Name::ALL.map(|name| {
            let injected = self.0.injected[name as usize].load(Ordering::Relaxed);
            (name, table[name as usize].is_some(), injected)
        })
    }

    fn count(&self, name: Name) {
        self.0.injected[name as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Ends a switch; if an id is given, only the one that has it.
    fn remove(&self, name: Name, id: Option<u64>, why: &'static str) -> Option<Listed> {
        let active = self.change(|table| {
            let slot = &mut table[name as usize];
            slot.take_if(|active| id.is_none_or(|id| active.id == id))
        })?;
        active.ended.cancel();
        active.log_end(name, why);
        Some(active.listed(name))
    }

    /// Changes the table, and wakes whatever waits for a change.
    fn change<T>(&self, change: impl FnOnce(&mut [Option<Active>]) -> T) -> T {
        let mut table = self.table();
        let changed = change(&mut *table);
        let is_set = |name: &Name| table[*name as usize].is_some();
        let act_on_requests = Name::ALL
            .iter()
            .any(|name| name.acts_on_requests() && is_set(name));
        self.0
            .act_on_requests
            .store(act_on_requests, Ordering::Relaxed);
        self.0.deaf.send_if_modified(|deaf| {
            let before = std::mem::replace(deaf, is_set(&Name::Deaf));
            before != *deaf
        });
        drop(table);
        self.0.changes.send_replace(());
        changed
    }

    fn table(&self) -> MutexGuard<'_, [Option<Active>; Name::ALL.len()]> {
        lock(&self.0.table)
    }
}

fn in_words(until: Option<Instant>, end: End) -> String {
    match (until, end) {
        (_, End::Count(count)) => format!("after {count} requests"),
        (Some(until), _) => {
            let left = until.saturating_duration_since(Instant::now());
            // Rounded: it was some microseconds ago that it began.
            let millis = (left.as_secs_f64() * 1e3).round() as u64;
            format!("in {}", written(Duration::from_millis(millis)))
        }
        (None, _) => "never".to_owned(),
    }
}
