//! What each pod was asked for and has achieved, as far as is known at the moment.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use super::pod::{Came, Running};

/// All pods that ever had a share.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<BTreeMap<SocketAddr, Entry>>);

/// One pod's.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// As it calls itself; empty before it has said so.
    pub pod: String,
    /// CPU seconds, of the burns that it took.
    pub asked_seconds: f64,
    /// CPU seconds, of the burn that runs too, as the pod reported last.
    pub achieved_seconds: f64,
    /// What it burns now.
    pub asked_millicores: u32,
    /// Less than asked where the pod has to stay below its CPU limit; 0 before it has said so.
    pub granted_millicores: u32,
    /// Why it burns nothing, or did the last time.
    pub trouble: Option<String>,
    began: Option<Instant>,
    /// Of the burn that runs.
    achieved_now: f64,
}

impl Ledger {
    pub(super) fn begin(&self, address: SocketAddr, millicores: u32) {
        let mut entries = self.entries();
        let entry = entries.entry(address).or_default();
        entry.asked_millicores = millicores;
        entry.granted_millicores = 0;
        entry.began = Some(Instant::now());
        entry.achieved_now = 0.0;
    }

    pub(super) fn seen(&self, address: SocketAddr, running: Running) {
        let mut entries = self.entries();
        let entry = entries.entry(address).or_default();
        entry.pod = running.pod;
        entry.granted_millicores = running.granted_millicores;
        entry.achieved(running.achieved_seconds);
        entry.trouble = None;
    }

    /// A burn is over; without a last report what was seen last holds.
    pub(super) fn end(&self, address: SocketAddr, came: Option<Came>) {
        let mut entries = self.entries();
        let entry = entries.entry(address).or_default();
        let began = entry.began.take();
        let mut wall = began.map_or(0.0, |began| began.elapsed().as_secs_f64());
        if let Some(came) = came {
            wall = came.wall_seconds;
            entry.achieved(came.achieved_seconds);
        } else if entry.achieved_now == 0.0 {
            wall = 0.0; // it never burnt, as far as is known
        }
        entry.asked_seconds += wall * f64::from(entry.asked_millicores) / 1000.0;
        entry.asked_millicores = 0;
        entry.granted_millicores = 0;
        entry.achieved_now = 0.0;
    }

    pub(super) fn trouble(&self, address: SocketAddr, sentence: &str) {
        let mut entries = self.entries();
        entries.entry(address).or_default().trouble = Some(sentence.to_owned());
    }

    /// As it is now, with what runs.
    pub(super) fn now(&self) -> BTreeMap<SocketAddr, Entry> {
        let mut entries = self.entries().clone();
        for entry in entries.values_mut() {
            let wall = entry.began.map_or(Duration::ZERO, |began| began.elapsed());
            entry.asked_seconds += wall.as_secs_f64() * f64::from(entry.asked_millicores) / 1000.0;
        }
        entries
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, Entry>> {
        self.0.lock().expect("nobody panics with it")
    }
}

impl Entry {
    /// Millicores that the pod keeps back to stay below its CPU limit, as far as it has told.
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
