//! Step 4: what the kubelet does when a container has ended: Always, OnFailure, Never; and
//! liveness probes on paths that don't exist, with Never.

use e2e::{
    Namespace, Result, ensure,
    namespace::SOON,
    pods::{self, ended, restarts},
};

pub fn always(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/restart-always.yaml")?;
    pods::restarted(namespace, "restart-always", "fails")?;
    let pod = pods::restarted(namespace, "restart-always", "succeeds")?;
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
    exit_codes(&pod)
}

fn exit_codes(pod: &e2e::Value) -> Result<()> {
    for (container, code) in [("succeeds", 0), ("fails", 1)] {
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
