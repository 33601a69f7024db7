//! A container's CPU limit changes while the container runs and burns: the burn follows at once,
//! up and down, and nothing is restarted.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use cluster::{
    Namespace, SOON, ask, life,
    pods::{self, container, restarts},
};
use serde_json::Value;

const POD: &str = "resize";

/// A second, and the time of the requests: the limit and the burn are asked for one after the other,
/// four times a second.
const FOLLOWED_WITHIN: Duration = Duration::from_millis(1500);

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    life::needs(namespace, "InPlacePodVerticalScaling")?;
    namespace.apply("k8s/lessons/resize.yaml")?;
    let before = pods::ready(namespace, POD)?;
    thread::scope(|scope| {
        let burn =
            scope.spawn(|| ask::burn(namespace, POD, "minutes=2&millicores=1000&caller=resize"));
        let followed = namespace
            .until("it burns what 200m allow", SOON, || {
                ensure!(!burn.is_finished(), "the burn is over already");
                Ok((granted(namespace)? == Some(180)).then_some(()))
            })
            .and_then(|()| resized(namespace, 600, 570))
            .and_then(|()| resized(namespace, 200, 180));
        ask::end_burns(namespace, POD)?;
        let report = burn.join().expect("asking doesn't panic")?;
        followed?;
        ensure!(
            report["granted_millicores"] == 180,
            "the least of the time is what the answer says: {report}"
        );
        Ok(())
    })?;
    let after = pods::get(namespace, POD)?;
    ensure!(restarts(&after, "oneapi") == 0, "nothing was restarted");
    let id = |pod: &Value| container(pod, "oneapi")["containerID"].clone();
    ensure!(id(&before) == id(&after), "it is the same container");
    Ok(())
}

/// Changes the limit, and waits until the burn gets what that allows, and uses no more.
fn resized(namespace: &Namespace<'_>, limit: u64, allowed: u64) -> Result<()> {
    let patch = format!(
        r#"{{"spec":{{"containers":[{{"name":"oneapi","resources":{{"limits":{{"cpu":"{limit}m"}}}}}}]}}}}"#
    );
    namespace.kubectl(&format!(
        "patch pod {POD} --subresource resize --patch {patch}"
    ))?;
    namespace.until("the cgroup has the new limit", SOON, || {
        let info = ask::json(namespace, POD, 5000, "/info")?;
        Ok((info["limits"]["cpu_millicores"] == limit).then_some(()))
    })?;
    let changed = Instant::now();
    namespace.until("the burn follows", SOON, || {
        Ok((granted(namespace)? == Some(allowed)).then_some(()))
    })?;
    let took = changed.elapsed();
    namespace.note(&format!("{limit}m: followed after {took:?}"));
    ensure!(
        took < FOLLOWED_WITHIN,
        "the burn followed the limit of {limit}m only after {took:?}"
    );

    // The kubelet reports it a moment later than it does it.
    namespace.until("the pod's status shows the new limit", SOON, || {
        let pod = pods::get(namespace, POD)?;
        let shown = &container(&pod, "oneapi")["resources"]["limits"]["cpu"];
        Ok((*shown == format!("{limit}m")).then_some(()))
    })?;
    uses(namespace, allowed)
}

/// What it has used in 5 s agrees with what it is granted. On a busy node burns get less, since
/// they have the lowest priority; more they never get.
fn uses(namespace: &Namespace<'_>, allowed: u64) -> Result<()> {
    let achieved = || {
        ask::first_burn(namespace, POD)?["achieved_seconds"]
            .as_f64()
            .context("it burns")
    };
    let (from, start) = (achieved()?, Instant::now());
    thread::sleep(Duration::from_secs(5));
    let used = (achieved()? - from) / start.elapsed().as_secs_f64() * 1000.0;
    namespace.note(&format!("of {allowed}m it used {used:.0}m"));
    ensure!(
        used < allowed as f64 * 1.05,
        "it used {used:.0}m of {allowed}m"
    );
    ensure!(
        used > allowed as f64 * 0.5,
        "it used only {used:.0}m of {allowed}m"
    );
    Ok(())
}

fn granted(namespace: &Namespace<'_>) -> Result<Option<u64>> {
    Ok(ask::first_burn(namespace, POD)?["granted_millicores"].as_u64())
}
