//! A container's CPU limit changes while the container runs and burns: the burn follows at once,
//! up and down, and nothing is restarted. And a memory limit that is set below what is used.

use std::{
    thread,
    time::{Duration, Instant},
};

use e2e::{
    Context, Namespace, Result, Value, ask, ensure, feature,
    namespace::SOON,
    pods::{self, condition, container, restarts},
};

const POD: &str = "resize";

/// A second, and the time of the requests: the limit and the burn are asked for one after the other,
/// four times a second.
const FOLLOWED_WITHIN: Duration = Duration::from_millis(1500);

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
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
    is_same_container(&before, &pods::get(namespace, POD)?)
}

fn is_same_container(before: &Value, after: &Value) -> Result<()> {
    ensure!(restarts(after, "oneapi") == 0, "nothing was restarted");
    let id = |pod: &Value| container(pod, "oneapi")["containerID"].clone();
    ensure!(id(before) == id(after), "it is the same container");
    Ok(())
}

/// The kubelet does not set a memory limit below what is used: the resize waits, and is done when
/// the memory is given back.
pub fn memory(namespace: &Namespace<'_>) -> Result<()> {
    feature::since(namespace, 34, "A memory limit that is lowered in place")?;
    namespace.apply("k8s/lessons/resize.yaml")?;
    let before = pods::ready(namespace, POD)?;
    ask::set_fault(namespace, POD, 5000, "memory?mib=48&for=ever")?;
    namespace.kubectl(&format!(
        r#"patch pod {POD} --subresource resize --patch {{"spec":{{"containers":[{{"name":"oneapi","resources":{{"limits":{{"memory":"32Mi"}}}}}}]}}}}"#
    ))?;
    let pod = namespace.until("the kubelet says why the resize is not done", SOON, || {
        let pod = pods::get(namespace, POD)?;
        let progress = &condition(&pod, "PodResizeInProgress")["message"];
        Ok((progress.as_str())
            .is_some_and(|message| message.contains("memory"))
            .then_some(pod))
    })?;
    let limit = |pod: &Value| container(pod, "oneapi")["resources"]["limits"]["memory"].clone();
    ensure!(
        limit(&pod) == "64Mi",
        "the limit is still the old one: {}",
        limit(&pod)
    );
    ask::clear_fault(namespace, POD, 5000, "memory")?;
    let after = namespace.until("the limit is the new one", SOON, || {
        Ok(Some(pods::get(namespace, POD)?).filter(|pod| limit(pod) == "32Mi"))
    })?;
    is_same_container(&before, &after)
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
        let info = ask::info(namespace, POD, 5000)?;
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
        burn(namespace)?["achieved_seconds"]
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
    Ok(burn(namespace)?["granted_millicores"].as_u64())
}

/// The burn as it is listed; null before it runs.
fn burn(namespace: &Namespace<'_>) -> Result<Value> {
    let burns: Value = serde_json::from_str(&ask::pod(namespace, POD, 5000, "/burns")?)?;
    Ok(burns[0].clone())
}
