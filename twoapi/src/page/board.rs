//! What is known at the moment, and the way by which viewers learn of changes. Events are written
//! once, however many viewers there are.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::broadcast;

/// A viewer that is this many events behind gets all that is known instead. Ten events a second come
/// at most, so these are more than ten seconds.
const BACKLOG: usize = 128;

/// The pods as they were last seen, and who wants to know.
#[derive(Debug)]
pub(super) struct Board {
    pods: Mutex<BTreeMap<String, Value>>,
    problems: Mutex<BTreeMap<String, String>>,
    events: broadcast::Sender<Bytes>,
}

impl Board {
    pub(super) fn new() -> Self {
        Self {
            pods: Mutex::default(),
            problems: Mutex::default(),
            events: broadcast::channel(BACKLOG).0,
        }
    }

    /// All that is known, for who has just come or was too slow, and the events from then on.
    pub(super) fn subscribe(&self) -> ([Bytes; 2], broadcast::Receiver<Bytes>) {
        // Events are sent under these locks, so that no older state follows a newer one.
        let (pods, problems) = (self.pods(), self.problems());
        let all: Vec<&Value> = pods.values().collect();
        let picture = [
            event("pods", &json!({ "now": now(), "all": true, "pods": all })),
            event("problems", &json!(*problems)),
        ];
        (picture, self.events.subscribe())
    }

    /// A pod as it is now; viewers hear of it if it has changed.
    pub(super) fn put(&self, id: &str, pod: Value) {
        let mut pods = self.pods();
        if pods.get(id) == Some(&pod) {
            return;
        }
        let data = json!({ "now": now(), "pods": [&pod] });
        pods.insert(id.to_owned(), pod);
        self.send("pods", &data);
    }

    /// A pod has left.
    pub(super) fn remove(&self, id: &str) {
        let mut pods = self.pods();
        if pods.remove(id).is_some() {
            self.send("pods", &json!({ "now": now(), "pods": [], "left": [id] }));
        }
    }

    /// What can't be done at the moment, in a sentence; none when it can be done again.
    pub(super) fn set_problem(&self, what: &str, sentence: Option<String>) {
        let mut problems = self.problems();
        let changed = match sentence {
            Some(sentence) => problems.insert(what.to_owned(), sentence.clone()) != Some(sentence),
            None => problems.remove(what).is_some(),
        };
        if changed {
            self.send("problems", &json!(*problems));
        }
    }

    pub(super) fn send(&self, name: &str, data: &Value) {
        // Nobody listens: then nobody has to know.
        drop(self.events.send(event(name, data)));
    }

    fn pods(&self) -> MutexGuard<'_, BTreeMap<String, Value>> {
        self.pods.lock().expect("nobody panics with it")
    }

    fn problems(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.problems.lock().expect("nobody panics with it")
    }
}

/// A server-sent event. JSON has no line breaks, so its data is one line.
pub(super) fn event(name: &str, data: &Value) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}

/// Milliseconds since 1970, as a browser counts them.
pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn viewers_hear_of_changes_only() {
        let board = Board::new();
        let (_, mut events) = board.subscribe();
        board.put("a", json!({ "name": "a", "state": "ready" }));
        board.put("a", json!({ "name": "a", "state": "ready" }));
        board.remove("b");
        let event = String::from_utf8(events.try_recv().unwrap().to_vec()).unwrap();
        assert!(event.starts_with("event: pods\ndata: {"), "{event}");
        assert!(event.ends_with("}\n\n"), "{event}");
        assert!(events.try_recv().is_err(), "nothing has changed since");
        board.remove("a");
        assert!(events.try_recv().is_ok());
        let ([pods, _], _) = board.subscribe();
        assert!(String::from_utf8_lossy(&pods).contains(r#""pods":[]"#));
    }
}
