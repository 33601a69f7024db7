//! Who watches. The first viewer starts the watch, and the last one ends it: without a viewer no pod is
//! asked and no connection is held. However many viewers there are, each pod is asked once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use serde_json::{Value, json};

use super::{board::Board, services::Watched, watch::Watch};

/// The viewers of the page. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Viewers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    max: usize,
    watched: Arc<Watched>,
    present: Mutex<Present>,
}

#[derive(Debug, Default)]
struct Present {
    last_number: u64,
    /// The rate that each viewer has chosen, by the viewer's number.
    rates: HashMap<u64, u16>,
    watch: Option<Watch>,
}

/// A viewer, until this is dropped.
#[derive(Debug)]
pub(super) struct Viewer {
    viewers: Viewers,
    number: u64,
    pub(super) board: Arc<Board>,
}

impl Viewers {
    pub(super) fn new(max: usize, watched: Arc<Watched>) -> Self {
        Self(Arc::new(Inner {
            max,
            watched,
            present: Mutex::default(),
        }))
    }

    pub(super) fn watched(&self) -> &Watched {
        &self.0.watched
    }

    /// Adds a viewer who wants so many requests a second.
    ///
    /// # Errors
    /// A sentence, if there are as many viewers as are allowed.
    pub(super) fn add(&self, rate: u16) -> Result<Viewer, String> {
        let max = self.0.max;
        let mut present = self.present();
        if present.rates.len() >= max {
            return Err(format!(
                "{max} viewers watch already, which is as many as MAX_VIEWERS allows"
            ));
        }
        present.last_number += 1;
        let number = present.last_number;
        present.rates.insert(number, rate);
        let watch = &mut present.watch;
        let watch = watch.get_or_insert_with(|| Watch::start(&self.0.watched));
        let board = Arc::clone(&watch.board);
        present.publish();
        Ok(Viewer {
            viewers: self.clone(),
            number,
            board,
        })
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        chassis::base::lock(&self.0.present)
    }
}

impl Viewer {
    /// How many watch, and the rate that holds for all.
    pub(super) fn status(&self) -> Value {
        self.viewers.present().status()
    }
}

impl Present {
    fn status(&self) -> Value {
        json!({ "viewers": self.rates.len(), "rate": self.rate() })
    }

    /// The highest rate that a viewer has chosen, which holds for all.
    fn rate(&self) -> u16 {
        self.rates.values().copied().max().unwrap_or(0)
    }

    fn publish(&self) {
        if let Some(watch) = &self.watch {
            watch.set_rate(self.rate());
            watch.board.set_status(self.status());
        }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let mut present = self.viewers.present();
        present.rates.remove(&self.number);
        if present.rates.is_empty() {
            present.watch = None;
        } else {
            present.publish();
        }
    }
}
