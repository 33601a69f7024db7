//! What the kubelet asks, as the pod itself sees it: the startup probe before all others, the
//! periods to a second, and how many failures in a row it takes.

use anyhow::{Context, Result, ensure};
use cluster::{
    Namespace, SOON, ask,
    pods::{self, condition, is_ready, seconds_between},
};
use e2e::probes;
use serde_json::Value;

const POD: &str = "switches";

/// How far an interval may be from its period, in seconds.
const TOLERANCE: f64 = 1.0;

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/switches.yaml")?;
    pods::ready(namespace, POD)?;
    let seen = namespace.until("the kubelet has asked each kind a few times", SOON, || {
        let seen = probes::of(namespace, POD)?;
        Ok(
            (list(&seen, "liveness").len() >= 4 && list(&seen, "readiness").len() >= 8)
                .then_some(seen),
        )
    })?;
    periods(&seen)?;
    startup_first(&seen)?;

    ask::set_fault(namespace, POD, "readiness?mode=fail&count=2")?;
    let seen = namespace.until("two readiness probes have failed", SOON, || {
        let seen = probes::of(namespace, POD)?;
        // On a busy cluster there have been more when it is asked.
        let failed = statuses(&seen).windows(3).any(|it| it == [503, 503, 200]);
        Ok(failed.then_some(seen))
    })?;
    let before = condition(&pods::get(namespace, POD)?, "Ready").clone();
    let newest = list(&seen, "readiness").last().map(|entry| &entry["at"]);
    ensure!(
        before["status"] == "True"
            && seconds_between(&before["lastTransitionTime"], newest.context("it has one")?)? > 3.0,
        "two failures of three have changed nothing: {before}"
    );

    ask::set_fault(namespace, POD, "readiness?mode=fail&for=ever")?;
    let pod = namespace.until("it is not ready", SOON, || {
        Ok(Some(pods::get(namespace, POD)?).filter(|pod| !is_ready(pod)))
    })?;
    let since = &condition(&pod, "Ready")["lastTransitionTime"];
    let seen = probes::of(namespace, POD)?;
    let asked = list(&seen, "readiness");
    let last_passed = asked.iter().rposition(|entry| entry["status"] == 200);
    let third = &asked[last_passed.context("one has passed")? + 3]["at"];
    let after = seconds_between(third, since)?;
    namespace.note(&format!("not ready {after} s after the third failure"));
    ensure!(
        (-TOLERANCE..=TOLERANCE).contains(&after), // the API server writes whole seconds
        "the third failure is what counts: {third}, and not ready since {since}"
    );
    ask::clear_fault(namespace, POD, "readiness")?;
    pods::ready(namespace, POD).map(drop)
}

/// As `switches.yaml` has them.
fn periods(seen: &Value) -> Result<()> {
    for (kind, period) in [("readiness", 1.0), ("liveness", 3.0)] {
        // The first interval is that between the kubelet's first look and its own rhythm.
        for entry in list(seen, kind).iter().skip(2) {
            let interval = entry["since_last_seconds"]
                .as_f64()
                .context("it was not the first")?;
            ensure!(
                (interval - period).abs() <= TOLERANCE,
                "{kind} is asked every {period} s: {entry}"
            );
            ensure!(
                entry["status"] == 200
                    && entry["agent"]
                        .as_str()
                        .is_some_and(|agent| agent.starts_with("kube-probe/")),
                "it is the kubelet that asks, and it passes: {entry}"
            );
        }
    }
    Ok(())
}

/// Until the startup probe has passed, the kubelet asks nothing else.
fn startup_first(seen: &Value) -> Result<()> {
    let startup = list(seen, "startup");
    let (passed, failed) = startup.split_last().context("it was asked")?;
    ensure!(
        passed["status"] == 200 && failed.iter().all(|entry| entry["status"] == 503),
        "it fails until it passes, and is not asked again: {startup:?}"
    );
    ensure!(!failed.is_empty(), "2 s of STARTUP_DELAY are seen");
    for kind in ["readiness", "liveness"] {
        let first = &list(seen, kind)[0]["at"];
        let after = seconds_between(&passed["at"], first)?;
        ensure!(after >= 0.0, "{kind} comes after it: {after} s");
    }
    Ok(())
}

fn statuses(seen: &Value) -> Vec<u64> {
    list(seen, "readiness")
        .iter()
        .filter_map(|entry| entry["status"].as_u64())
        .collect()
}

/// The probes of a kind, the newest last.
fn list<'a>(seen: &'a Value, kind: &str) -> &'a [Value] {
    seen[kind].as_array().map_or(&[], Vec::as_slice)
}
