//! A container's CPU limit changes while the container runs and burns: the burn follows at once,
//! up and down, and nothing is restarted.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use cluster::{
    Namespace, ask, life,
    pods::{self, container, restarts},
};
use serde_json::Value;

const POD: &str = "resize";

/// A second, and the time of the requests: the limit and the burn are asked for one after the other,
/// four times a second.
const FOLLOWED_WITHIN: Duration = Duration::from_millis(1500);

/// For how long each limit is looked at, and what may be missing then: 5 % of what both allow, in CPU seconds.
/// On a busy node burns get less, since they have the lowest priority; they say for how long they waited.
const MEASURED: Duration = Duration::from_secs(5);
const TOLERANCE: f64 = 0.05 * 5.0 * (0.57 + 0.18);

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    life::needs(namespace, "InPlacePodVerticalScaling")?;
    namespace.apply("k8s/lessons/resize.yaml")?;
    let before = pods::ready(namespace, POD)?;
    thread::scope(|scope| {
        let burn =
            scope.spawn(|| ask::burn(namespace, POD, "minutes=2&millicores=1000&caller=resize"));
        let followed = namespace
            .until("it burns what 200m allow", || {
                ensure!(!burn.is_finished(), "the burn is over already");
                Ok((granted(namespace)? == Some(180)).then_some(()))
            })
            .and_then(|()| Ok([resized(namespace, 600, 570)?, resized(namespace, 200, 180)?]));
        ask::end_burns(namespace, POD)?;
        let report = burn.join().expect("asking doesn't panic")?;
        let lacked: f64 = followed?.iter().sum();
        ensure!(
            report["granted_millicores"] == 180,
            "the least of the time is what the answer says: {report}"
        );
        let starved = report["starved_seconds"].as_f64().unwrap_or_default();
        ensure!(
            lacked < starved + TOLERANCE,
            "it lacked {lacked:.2} CPU seconds, and not because others had the CPUs: {report}"
        );
        Ok(())
    })?;
    let after = pods::get(namespace, POD)?;
    ensure!(restarts(&after, "oneapi") == 0, "nothing was restarted");
    let id = |pod: &Value| container(pod, "oneapi")["containerID"].clone();
    ensure!(id(&before) == id(&after), "it is the same container");
    Ok(())
}

/// Changes the limit, and waits until the burn gets what that allows, and uses no more. Returns the CPU
/// seconds by which it used less.
fn resized(namespace: &Namespace<'_>, limit: u64, allowed: u64) -> Result<f64> {
    let patch = format!(
        r#"{{"spec":{{"containers":[{{"name":"oneapi","resources":{{"limits":{{"cpu":"{limit}m"}}}}}}]}}}}"#
    );
    namespace.kubectl(&format!(
        "patch pod {POD} --subresource resize --patch {patch}"
    ))?;
    namespace.until("the cgroup has the new limit", || {
        let info = ask::json(namespace, POD, 5000, "/info")?;
        Ok((info["limits"]["cpu_millicores"] == limit).then_some(()))
    })?;
    let changed = Instant::now();
    namespace.until("the burn follows", || {
        Ok((granted(namespace)? == Some(allowed)).then_some(()))
    })?;
    let took = changed.elapsed();
    namespace.note(&format!("{limit}m: followed after {took:?}"));
    ensure!(
        took < FOLLOWED_WITHIN,
        "the burn followed the limit of {limit}m only after {took:?}"
    );

    // The kubelet reports it a moment later than it does it.
    namespace.until("the pod's status shows the new limit", || {
        let pod = pods::get(namespace, POD)?;
        let shown = &container(&pod, "oneapi")["resources"]["limits"]["cpu"];
        Ok((*shown == format!("{limit}m")).then_some(()))
    })?;

    let (used_before, left_before) = ask::used_and_left(namespace, POD)?;
    thread::sleep(MEASURED);
    let (used, left) = ask::used_and_left(namespace, POD)?;
    let due = (left_before - left) * allowed as f64 / 1000.0;
    let used = used - used_before;
    namespace.note(&format!("of {allowed}m it used {used:.2} s of {due:.2}"));
    ensure!(used < due * 1.05, "it used {used:.2} s of {due:.2}");
    Ok(due - used)
}

fn granted(namespace: &Namespace<'_>) -> Result<Option<u64>> {
    Ok(ask::first_burn(namespace, POD)?["granted_millicores"].as_u64())
}
