//! What the kubelet does when a container has ended: Always, with its growing back-off,
//! OnFailure, Never; rules by exit code; and liveness probes on paths that don't exist, with Never.

use std::collections::BTreeSet;

use e2e::{
    Namespace, Result, ensure, feature,
    namespace::SOON,
    pods::{self, container, ended, restarts, waiting},
};

/// The kubelet's first back-offs in seconds: none before the first restart.
const BACK_OFFS: [f64; 2] = [10.0, 20.0];

/// How much later than the back-off a container may start: a pod with a container that waits is
/// looked after by the kubelet every 10 to 15 s, and the times are whole seconds.
const LATE: f64 = 16.0;

pub fn always(namespace: &Namespace<'_>) -> Result<()> {
    let name = "restart-always";
    namespace.apply("k8s/lessons/restart-always.yaml")?;
    let mut runs = Vec::new();
    let mut messages = BTreeSet::new();
    let pod = namespace.until("`fails` has been restarted three times", SOON, || {
        let pod = pods::get(namespace, name)?;
        let status = container(&pod, "fails");
        if waiting(&pod, "fails") == "CrashLoopBackOff"
            && let Some(message) = status["state"]["waiting"]["message"].as_str()
        {
            messages.extend(message.split(" restarting").next().map(str::to_owned));
        }
        for end in [&status["lastState"], &status["state"]] {
            let end = &end["terminated"];
            if end.is_object() && !runs.contains(end) {
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
    for (pair, back_off) in runs[1..].windows(2).zip(BACK_OFFS) {
        let waited = pods::seconds_between(&pair[0]["finishedAt"], &pair[1]["startedAt"])?;
        namespace.note(&format!(
            "back-off of {back_off} s: started after {waited} s"
        ));
        ensure!(
            (back_off - 1.0..back_off + LATE).contains(&waited),
            "{waited} s after its end, and not {back_off} s: {pair:?}"
        );
    }
    ensure!(
        restarts(&pod, "succeeds") >= 2,
        "what has succeeded is started again just as often"
    );
    exit_codes(&pod)
}

pub fn on_failure(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/restart-onfailure.yaml")?;
    // The second restart comes 10 s after the first: the other has had its time, too.
    let pod = namespace.until("`fails` has been restarted twice", SOON, || {
        let pod = pods::get(namespace, "restart-onfailure")?;
        Ok((restarts(&pod, "fails") >= 2).then_some(pod))
    })?;
    ensure!(
        restarts(&pod, "succeeds") == 0,
        "what has succeeded is not started again"
    );
    exit_codes(&pod)
}

pub fn never(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/restart-never.yaml")?;
    let pod = namespace.until("the pod has failed", SOON, || {
        let pod = pods::get(namespace, "restart-never")?;
        Ok((pod["status"]["phase"] == "Failed").then_some(pod))
    })?;
    for container in ["succeeds", "fails"] {
        ensure!(
            restarts(&pod, container) == 0,
            "{container} is not started again"
        );
    }
    pods::shows(namespace, "restart-never", "Error")?;
    exit_codes(&pod)
}

/// A container's own policy, by its exit code, in a pod that is never restarted.
pub fn by_exit_code(namespace: &Namespace<'_>) -> Result<()> {
    let name = "restart-rules";
    feature::since(namespace, 35, "restartPolicyRules of a container")?;
    namespace.apply("k8s/lessons/restart-rules.yaml")?;
    feature::has_field(
        &pods::get(namespace, name)?,
        "/spec/containers/0/restartPolicyRules",
        "ContainerRestartRules",
    )?;
    let pod = namespace.until("`exits-42` has been restarted twice", SOON, || {
        let pod = pods::get(namespace, name)?;
        Ok((restarts(&pod, "exits-42") >= 2).then_some(pod))
    })?;
    for (container, code) in [("exits-42", 42), ("exits-3", 3)] {
        let end = ended(&pod, container).unwrap_or(&e2e::Value::Null);
        ensure!(
            end["exitCode"] == code,
            "{container} ends with {code}: {end}"
        );
    }
    ensure!(
        restarts(&pod, "exits-3") == 0,
        "3 is in no rule, so the container's policy Never holds"
    );
    Ok(())
}

fn exit_codes(pod: &e2e::Value) -> Result<()> {
    for (container, code) in [("succeeds", 0), ("fails", 3)] {
        let end = ended(pod, container).unwrap_or(&e2e::Value::Null);
        ensure!(
            end["exitCode"] == code,
            "{container} ends with {code}: {end}"
        );
    }
    Ok(())
}

pub fn killed_and_never_restarted(namespace: &Namespace<'_>) -> Result<()> {
    let name = "liveness-never";
    namespace.apply("k8s/lessons/liveness-never.yaml")?;
    let pod = namespace.until("the pod has ended", SOON, || {
        let pod = pods::get(namespace, name)?;
        let phase = &pod["status"]["phase"];
        Ok((phase == "Succeeded" || phase == "Failed").then_some(pod))
    })?;
    pods::event(namespace, name, "Unhealthy", "statuscode: 404")?;
    for container in ["oneapi", "twoapi"] {
        // "failed liveness probe" of the first; the other is "stopped" with it, since nothing is
        // left that would be started again.
        pods::event(namespace, name, "Killing", container)?;
        ensure!(restarts(&pod, container) == 0, "{container} stays dead");
        let end = ended(&pod, container).unwrap_or(&e2e::Value::Null);
        ensure!(
            end["exitCode"] == 0,
            "{container} stops in good order: {end}"
        );
    }
    ensure!(
        pod["status"]["phase"] == "Succeeded",
        "two clean stops make a pod that has succeeded: {}",
        pod["status"]["phase"]
    );
    Ok(())
}
