//! What the kubelet asks, as the pod itself sees it: the startup probe before all others, the
//! periods to a second, and how many failures in a row it takes.

use anyhow::{Context, Result, ensure};
use cluster::{
    Namespace, ask,
    pods::{self, condition, is_ready, seconds_between},
};
use e2e::probes::{self, Probe, Probes};

const POD: &str = "switches";

/// How far an interval may be from its period, in seconds.
const TOLERANCE: f64 = 1.0;

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/switches.yaml")?;
    pods::ready(namespace, POD)?;
    let seen = namespace.until("the kubelet has asked each kind a few times", || {
        let seen = probes::of(namespace, POD)?;
        let enough = seen["liveness"].len() >= 4 && seen["readiness"].len() >= 8;
        Ok(enough.then_some(seen))
    })?;
    periods(&seen)?;
    startup_first(&seen)?;

    ask::set_fault(namespace, POD, "readiness?mode=fail&count=2")?;
    let asked = namespace.until("two readiness probes have failed", || {
        let asked = readiness(namespace)?;
        let statuses: Vec<u16> = asked.iter().map(|probe| probe.status).collect();
        // On a busy cluster there have been more when it is asked.
        let failed = statuses.windows(3).any(|it| it == [503, 503, 200]);
        Ok(failed.then_some(asked))
    })?;
    let before = condition(&pods::get(namespace, POD)?, "Ready").clone();
    let newest = &asked.last().context("it has been asked")?.at;
    ensure!(
        before["status"] == "True" && seconds_between(&before["lastTransitionTime"], newest)? > 3.0,
        "two failures of three have changed nothing: {before}"
    );

    ask::set_fault(namespace, POD, "readiness?mode=fail&for=ever")?;
    let pod = namespace.until("it is not ready", || {
        Ok(Some(pods::get(namespace, POD)?).filter(|pod| !is_ready(pod)))
    })?;
    let since = &condition(&pod, "Ready")["lastTransitionTime"];
    let asked = readiness(namespace)?;
    let last_passed = asked.iter().rposition(|probe| probe.status == 200);
    let third = &asked[last_passed.context("one has passed")? + 3].at;
    let after = seconds_between(third, since)?;
    namespace.note(&format!("not ready {after} s after the third failure"));
    ensure!(
        after.abs() <= TOLERANCE, // the API server writes whole seconds
        "the third failure is what counts: {third}, and not ready since {since}"
    );
    ask::clear_fault(namespace, POD, "readiness")?;
    pods::ready(namespace, POD).map(drop)
}

fn readiness(namespace: &Namespace<'_>) -> Result<Vec<Probe>> {
    Ok(probes::of(namespace, POD)?["readiness"].clone())
}

/// As `switches.yaml` has them.
fn periods(seen: &Probes) -> Result<()> {
    for (kind, period) in [("readiness", 1.0), ("liveness", 3.0)] {
        // The first interval is that between the kubelet's first look and its own rhythm.
        for probe in seen[kind].iter().skip(2) {
            let interval = probe.since_last.context("it was not the first")?;
            ensure!(
                (interval - period).abs() <= TOLERANCE,
                "{kind} is asked every {period} s: {probe:?}"
            );
            ensure!(
                probe.status == 200 && probe.agent.starts_with("kube-probe/"),
                "it is the kubelet that asks, and it passes: {probe:?}"
            );
            ensure!(
                probe.protocol == "HTTP/1.1",
                "nothing else was asked for: {probe:?}"
            );
        }
    }
    Ok(())
}

/// Until the startup probe has passed, the kubelet asks nothing else.
fn startup_first(seen: &Probes) -> Result<()> {
    let startup = &seen["startup"];
    let (passed, failed) = startup.split_last().context("it was asked")?;
    ensure!(
        passed.status == 200 && failed.iter().all(|probe| probe.status == 503),
        "it fails until it passes, and is not asked again: {startup:?}"
    );
    ensure!(!failed.is_empty(), "2 s of STARTUP_DELAY are seen");
    for kind in ["readiness", "liveness"] {
        let after = seconds_between(&passed.at, &seen[kind][0].at)?;
        ensure!(after >= 0.0, "{kind} comes after it: {after} s");
    }
    Ok(())
}
