//! What is known at the moment, and how viewers learn of changes. All changes within a tenth of a second are
//! sent together. However many viewers there are, they are written once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::{
    sync::broadcast,
    time::{MissedTickBehavior, interval},
};

use super::chinese::chinese;

/// How often viewers get what has come together.
const BATCH_INTERVAL: Duration = Duration::from_millis(100);

/// A viewer that is this many batches behind gets all that is known instead. Ten of them come a
/// second at most, so these are more than ten seconds.
const BACKLOG: usize = 128;

/// How many requests that are over wait for their batch. Two Services at the highest rate make ten.
const MAX_MARKS: usize = 1024;

/// The pods as they were last seen, and the channel to the viewers.
#[derive(Debug)]
pub(super) struct Board {
    known: Mutex<Known>,
    batches: broadcast::Sender<Bytes>,
}

#[derive(Debug, Default)]
struct Known {
    pods: BTreeMap<String, Value>,
    /// Each as a sentence in English and in Chinese.
    problems: BTreeMap<String, [String; 2]>,
    /// What the next batch is to tell.
    news: News,
}

#[derive(Debug, Default)]
struct News {
    /// The pods that have changed, or have left.
    pods: BTreeSet<String>,
    problems: bool,
    status: Option<Value>,
    marks: Vec<Value>,
}

impl Board {
    pub(super) fn new() -> Self {
        Self {
            known: Mutex::default(),
            batches: broadcast::channel(BACKLOG).0,
        }
    }

    /// All that is known, for a viewer that is new or was too slow, and the batches from then on.
    pub(super) fn subscribe(&self) -> ([Bytes; 2], broadcast::Receiver<Bytes>) {
        // Batches are sent under this lock, so that no older state follows a newer one.
        let known = self.known();
        let all: Vec<&Value> = known.pods.values().collect();
        let picture = [
            event("pods", &json!({ "now": now(), "all": true, "pods": all })),
            event("problems", &json!(known.problems)),
        ];
        (picture, self.batches.subscribe())
    }

    /// A pod as it is now, whose reason is said in English and in Chinese; viewers hear of it if it has changed.
    pub(super) fn put(&self, id: &str, mut pod: Value) {
        let mut known = self.known();
        if let Some(why) = pod["why"].as_str().filter(|why| !why.is_empty()) {
            pod["why"] = json!([why, chinese(why)]);
        }
        if known.pods.get(id) != Some(&pod) {
            known.pods.insert(id.to_owned(), pod);
            known.news.pods.insert(id.to_owned());
        }
    }

    /// A pod has left.
    pub(super) fn remove(&self, id: &str) {
        let mut known = self.known();
        if known.pods.remove(id).is_some() {
            known.news.pods.insert(id.to_owned());
        }
    }

    /// What doesn't work at the moment, as a sentence; `None` when it works again.
    pub(super) fn set_problem(&self, what: &str, sentence: Option<String>) {
        let mut known = self.known();
        let problems = &mut known.problems;
        known.news.problems |= match sentence {
            Some(sentence) => {
                let in_chinese = chinese(&sentence);
                let both = [sentence, in_chinese];
                problems.insert(what.to_owned(), both.clone()) != Some(both)
            }
            None => problems.remove(what).is_some(),
        };
    }

    /// How many watch, and at which rate.
    pub(super) fn set_status(&self, status: Value) {
        self.known().news.status = Some(status);
    }

    /// A request is over.
    pub(super) fn add_mark(&self, mark: Value) {
        let marks = &mut self.known().news.marks;
        if marks.len() < MAX_MARKS {
            marks.push(mark);
        }
    }

    /// Sends what has come together, again and again.
    pub(super) async fn publish(&self) {
        let mut tick = interval(BATCH_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.send_news();
        }
    }

    pub(super) fn send_news(&self) {
        let mut known = self.known();
        let news = std::mem::take(&mut known.news);
        let mut batch = Vec::new();
        if !news.pods.is_empty() {
            let (mut pods, mut left) = (Vec::new(), Vec::new());
            for id in &news.pods {
                match known.pods.get(id) {
                    Some(pod) => pods.push(pod),
                    None => left.push(id),
                }
            }
            let data = json!({ "now": now(), "pods": pods, "left": left });
            batch.push(event("pods", &data));
        }
        if !news.marks.is_empty() {
            let data = json!({ "now": now(), "marks": news.marks });
            batch.push(event("traffic", &data));
        }
        if news.problems {
            batch.push(event("problems", &json!(known.problems)));
        }
        if let Some(status) = news.status {
            batch.push(event("status", &status));
        }
        if !batch.is_empty() {
            // An error says that there are no viewers.
            drop(self.batches.send(batch.concat().into()));
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        chassis::base::lock(&self.known)
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
        let (_, mut batches) = board.subscribe();
        let mut next = || {
            board.send_news();
            let batch = batches.try_recv().ok()?;
            Some(String::from_utf8(batch.to_vec()).unwrap())
        };
        board.put("a", json!({ "name": "a", "state": "ready" }));
        board.put("a", json!({ "name": "a", "state": "ready" }));
        board.remove("b");
        let event = next().unwrap();
        assert!(event.starts_with("event: pods\ndata: {"), "{event}");
        assert!(event.ends_with("}\n\n"), "{event}");
        board.put("a", json!({ "name": "a", "state": "ready" }));
        assert_eq!(next(), None, "nothing has changed since");
        board.remove("a");
        assert!(next().unwrap().contains(r#""left":["a"],"now""#));
        let ([pods, _], _) = board.subscribe();
        assert!(String::from_utf8_lossy(&pods).contains(r#""pods":[]"#));
    }

    #[test]
    fn all_that_changes_within_a_batch_is_sent_at_once_and_in_its_last_state() {
        let board = Board::new();
        let (_, mut batches) = board.subscribe();
        for state in ["starting", "ready"] {
            for n in 0..20 {
                let id = format!("0/{n}");
                board.put(&id, json!({ "id": id, "state": state }));
            }
        }
        board.remove("0/7");
        board.add_mark(json!([1]));
        board.add_mark(json!([2]));
        board.set_problem("dns", Some("no answer".to_owned()));
        board.set_status(json!({ "viewers": 2 }));
        board.send_news();
        let batch = String::from_utf8(batches.try_recv().unwrap().to_vec()).unwrap();
        let events: Vec<&str> = batch.split_terminator("\n\n").collect();
        let names: Vec<&str> = events
            .iter()
            .map(|event| event.lines().next().unwrap())
            .collect();
        let expected = ["pods", "traffic", "problems", "status"];
        assert_eq!(names, expected.map(|name| format!("event: {name}")));
        let data: Value = serde_json::from_str(&events[0][events[0].find('{').unwrap()..]).unwrap();
        let pods = data["pods"].as_array().unwrap();
        assert_eq!(pods.len(), 19, "{data}");
        assert!(pods.iter().all(|pod| pod["state"] == "ready"), "{data}");
        assert_eq!(data["left"], json!(["0/7"]));
        assert!(events[1].contains(r#""marks":[[1],[2]]"#), "{batch}");
        board.send_news();
        assert!(batches.try_recv().is_err(), "that was all");
    }
}
