//! The probes that a pod has seen, read from the table `/probes` that a learner sees: the services
//! answer with JSON only to who prefers that, and the API server's proxy asks for anything.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use cluster::{Namespace, ask};
use serde_json::Value;

/// A probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// When it came, as the API server writes times.
    pub at: Value,
    /// What it was answered with.
    pub status: u16,
    /// The seconds since the one before of its kind; none for the first.
    pub since_last: Option<f64>,
    /// Over which protocol: `HTTP/1.1`, `HTTP/2` or `gRPC`.
    pub protocol: String,
    /// Who asked.
    pub agent: String,
}

/// The last probes by their kind: `startup`, `readiness` and `liveness`. The newest is the last.
pub type Probes = BTreeMap<String, Vec<Probe>>;

/// The last probes that a pod's oneapi has seen.
pub fn of(namespace: &Namespace<'_>, pod: &str) -> Result<Probes> {
    let table = ask::pod(namespace, pod, 5000, "/probes")?;
    read(&table).with_context(|| format!("/probes is not the table that it was: {table}"))
}

fn read(table: &str) -> Option<Probes> {
    let mut kinds = Probes::new();
    let mut kind = None;
    for line in table.lines().filter(|line| !line.is_empty()) {
        if let Some((name, _)) = line.split_once(": ") {
            kind = Some(kinds.entry(name.to_owned()).or_default());
        } else if !line.starts_with("at ") {
            kind.as_mut()?.push(read_row(line)?);
        }
    }
    Some(kinds)
}

/// `2026-11-25T11:15:55.855Z  200  0.005 ms  1.000 s  10.244.0.1  HTTP/1.1  kube-probe/1.35`, where the first
/// of its kind has `-` for the interval.
fn read_row(row: &str) -> Option<Probe> {
    let words = row.replacen(" - ", " - s ", 1);
    let words: Vec<&str> = words.split_whitespace().collect();
    let [at, status, _, "ms", since_last, "s", _, protocol, agent, ..] = words[..] else {
        return None;
    };
    Some(Probe {
        at: at.into(),
        status: status.parse().ok()?,
        since_last: since_last.parse().ok(),
        protocol: protocol.to_owned(),
        agent: agent.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_probes_is_read_row_by_row() {
        let table = "liveness: not asked yet\n\nreadiness: the last 2, newest last\n\
            at                        status           took   since last  from        protocol  agent\n\
            2026-11-25T11:15:54.855Z     200       0.005 ms            -  10.244.0.1  HTTP/1.1  kube-probe/1.35\n\
            2026-11-25T11:15:55.855Z     503    2001.500 ms      1.000 s  10.244.0.1  HTTP/2    curl/8 x\n";
        let read_table = read(table).unwrap();
        assert_eq!(read_table["liveness"], []);
        let [first, second] = &read_table["readiness"][..] else {
            panic!("{read_table:?}");
        };
        assert_eq!((first.status, first.since_last), (200, None));
        assert_eq!(second.at, "2026-11-25T11:15:55.855Z");
        assert_eq!((second.status, second.since_last), (503, Some(1.0)));
        assert_eq!((&*second.protocol, &*second.agent), ("HTTP/2", "curl/8"));
        assert_eq!(read("liveness: the last 1\nnonsense\n"), None);
    }
}
