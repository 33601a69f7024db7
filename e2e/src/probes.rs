//! The probes that a pod has seen, read from the table `/probes` that a learner sees: the services
//! answer with JSON only to who prefers that, and the API server's proxy asks for anything.

use anyhow::{Context, Result};
use cluster::{Namespace, ask};
use serde_json::{Map, Value, json};

/// The last probes of each kind that a pod's oneapi has seen, under the kind's name.
///
/// # Errors
/// When the pod doesn't answer, or with something else.
pub fn of(namespace: &Namespace<'_>, pod: &str) -> Result<Value> {
    let table = ask::pod(namespace, pod, 5000, "/probes")?;
    read(&table).with_context(|| format!("/probes is not the table that it was: {table}"))
}

fn read(table: &str) -> Option<Value> {
    let mut kinds = Map::new();
    let mut kind = None;
    for line in table.lines().filter(|line| !line.is_empty()) {
        if let Some((name, _)) = line.split_once(": ") {
            let entries = kinds.entry(name).or_insert_with(|| json!([]));
            kind = entries.as_array_mut();
        } else if !line.starts_with("at ") {
            kind.as_mut()?.push(read_row(line)?);
        }
    }
    Some(kinds.into())
}

/// `2026-11-25T11:15:55.855Z  200  0.005 ms  1.000 s  10.244.0.1  kube-probe/1.35`, where the first of
/// its kind has `-` for the interval.
fn read_row(row: &str) -> Option<Value> {
    let mut words = row.split_whitespace();
    let at = words.next()?;
    let status: u16 = words.next()?.parse().ok()?;
    let mut words = words.skip_while(|word| *word != "ms").skip(1);
    let since_last: Option<f64> = match words.next()? {
        "-" => None,
        seconds => {
            words.next().filter(|unit| *unit == "s")?;
            Some(seconds.parse().ok()?)
        }
    };
    let _from = words.next()?;
    Some(json!({
        "at": at,
        "status": status,
        "since_last_seconds": since_last,
        "agent": words.next()?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_probes_is_read_row_by_row() {
        let table = "liveness: not asked yet\n\nreadiness: the last 2, newest last\n\
            at                        status           took   since last  from        agent\n\
            2026-11-25T11:15:54.855Z     200       0.005 ms            -  10.244.0.1  kube-probe/1.35\n\
            2026-11-25T11:15:55.855Z     503    2001.500 ms      1.000 s  10.244.0.1  curl/8 x\n";
        let read_table = read(table).unwrap();
        assert_eq!(read_table["liveness"], json!([]));
        let readiness = &read_table["readiness"];
        assert_eq!(readiness[0]["since_last_seconds"], Value::Null);
        assert_eq!(
            readiness[1],
            json!({
                "at": "2026-11-25T11:15:55.855Z", "status": 503,
                "since_last_seconds": 1.0, "agent": "curl/8",
            })
        );
        assert_eq!(read("liveness: the last 1\nnonsense\n"), None);
    }
}
