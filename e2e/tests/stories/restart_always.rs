//! `restartPolicy: Always`, with its growing back-off, for containers that end.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use cluster::{
    Namespace,
    pods::{self, container, restarts},
};
use serde_json::Value;

/// The kubelet's first back-offs in seconds: none before the first restart.
const BACK_OFFS: [f64; 2] = [10.0, 20.0];

/// How much later than the back-off a container may start: a pod with a container that waits is
/// looked after by the kubelet every 10 to 15 s, and the times are whole seconds.
const LATE: f64 = 16.0;

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    let name = "restart-always";
    namespace.apply("k8s/lessons/restart-always.yaml")?;
    let mut runs = Vec::new();
    let mut messages = BTreeSet::new();
    let pod = namespace.until("`fails` has been restarted three times", || {
        let pod = pods::get(namespace, name)?;
        let waiting = &container(&pod, "fails")["state"]["waiting"];
        if waiting["reason"] == "CrashLoopBackOff"
            && let Some(message) = waiting["message"].as_str()
        {
            messages.extend(message.split(" restarting").next().map(str::to_owned));
        }
        for end in ends(&pod, "fails") {
            if !runs.contains(end) {
                runs.push(end.clone());
            }
        }
        Ok((restarts(&pod, "fails") >= 3 && runs.len() >= 4).then_some(pod))
    })?;
    namespace.note(&format!("{messages:?}"));
    // The kubelet writes a message when it looks again while it waits, which it does not always do.
    let told: BTreeSet<String> = [10, 20, 40].map(|s| format!("back-off {s}s")).into();
    ensure!(
        !messages.is_empty() && messages.is_subset(&told),
        "the kubelet says how long it waits, {told:?}: {messages:?}"
    );
    // Between the first and the second run there is no back-off.
    for (two, back_off) in runs[1..].windows(2).zip(BACK_OFFS) {
        let waited = pods::seconds_between(&two[0]["finishedAt"], &two[1]["startedAt"])?;
        namespace.note(&format!(
            "back-off of {back_off} s: started after {waited} s"
        ));
        ensure!(
            (back_off - 1.0..back_off + LATE).contains(&waited),
            "{waited} s after its end, and not {back_off} s: {two:?}"
        );
    }
    ensure!(
        restarts(&pod, "succeeds") >= 2,
        "what has succeeded is started again just as often"
    );
    for (container, code) in [("succeeds", 0), ("fails", 3)] {
        let ends: Vec<_> = ends(&pod, container).collect();
        let all = !ends.is_empty() && ends.iter().all(|end| end["exitCode"] == code);
        ensure!(all, "{container} ends with {code}: {ends:?}");
    }
    Ok(())
}

/// How a container has ended the last two times.
fn ends<'a>(pod: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    let status = container(pod, name);
    let ends = ["lastState", "state"].map(|state| &status[state]["terminated"]);
    ends.into_iter().filter(|end| end.is_object())
}
