//! Who watches. The first viewer starts the watch and the last one ends it, so that with no viewer
//! nothing is asked and no connection is held; however many there are, the pods are asked once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use serde_json::{Value, json};

use super::{Page, board::Board, watch::Watch};

/// Those who watch at the moment.
#[derive(Debug)]
pub(super) struct Viewers {
    max: usize,
    present: Mutex<Present>,
}

#[derive(Debug, Default)]
struct Present {
    last: u64,
    /// The rate that each has chosen.
    rates: HashMap<u64, u16>,
    watch: Option<Watch>,
}

/// A viewer, until this is dropped.
#[derive(Debug)]
pub(super) struct Viewer {
    page: Page,
    number: u64,
    pub(super) board: Arc<Board>,
}

impl Viewers {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            present: Mutex::default(),
        }
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        self.present.lock().expect("nobody panics with it")
    }
}

impl Page {
    /// One more viewer, who wants so many requests a second.
    ///
    /// # Errors
    /// A sentence, when there are as many as there may be.
    pub(super) fn add_viewer(&self, rate: u16) -> Result<Viewer, String> {
        let viewers = &self.0.viewers;
        let mut present = viewers.present();
        if present.rates.len() >= viewers.max {
            let max = viewers.max;
            return Err(format!(
                "{max} viewers watch already, which is as many as MAX_VIEWERS allows"
            ));
        }
        present.last += 1;
        let number = present.last;
        present.rates.insert(number, rate);
        let watch = present.watch.get_or_insert_with(|| Watch::start(self));
        let board = Arc::clone(&watch.board);
        present.tell();
        Ok(Viewer {
            page: self.clone(),
            number,
            board,
        })
    }
}

impl Viewer {
    /// How many watch, and at which rate.
    pub(super) fn status(&self) -> Value {
        self.page.0.viewers.present().status()
    }
}

impl Present {
    fn status(&self) -> Value {
        json!({ "viewers": self.rates.len(), "rate": self.rate() })
    }

    /// The highest rate that a viewer has chosen holds for all.
    fn rate(&self) -> u16 {
        self.rates.values().copied().max().unwrap_or(0)
    }

    fn tell(&self) {
        if let Some(watch) = &self.watch {
            watch.set_rate(self.rate());
            watch.board.set_status(self.status());
        }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let mut present = self.page.0.viewers.present();
        present.rates.remove(&self.number);
        if present.rates.is_empty() {
            present.watch = None;
        } else {
            present.tell();
        }
    }
}
