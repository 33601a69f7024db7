//! Pods that never run: no node has room, a volume isn't there, an image can't be pulled, a
//! ConfigMap is missing, the program isn't in the image. How far each has come is in its conditions.

use e2e::{
    Namespace, Result, ensure,
    namespace::SOON,
    pods::{self, condition, waiting},
};

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/waiting.yaml")?;
    no_node(namespace)?;
    no_volume(namespace)?;
    no_container(namespace)
}

fn no_node(namespace: &Namespace<'_>) -> Result<()> {
    let pod = "no-node";
    pods::shows(namespace, pod, "Pending")?;
    pods::event(namespace, pod, "FailedScheduling", "Insufficient cpu")?;
    let pod = pods::get(namespace, pod)?;
    let scheduled = condition(&pod, "PodScheduled");
    ensure!(
        scheduled["status"] == "False" && scheduled["reason"] == "Unschedulable",
        "the scheduler says why: {scheduled}"
    );
    ensure!(
        pod["spec"]["nodeName"].is_null() && pod["status"]["containerStatuses"].is_null(),
        "no kubelet has seen it"
    );
    Ok(())
}

fn no_volume(namespace: &Namespace<'_>) -> Result<()> {
    let pod = "no-volume";
    pods::shows(namespace, pod, "ContainerCreating")?;
    pods::event(namespace, pod, "FailedMount", "\"missing\" not found")?;
    let pod = pods::get(namespace, pod)?;
    is(&pod, "PodScheduled", "True")?;
    sandbox_is(&pod, "False")
}

fn no_container(namespace: &Namespace<'_>) -> Result<()> {
    let name = "no-container";
    for (container, reason) in [
        ("no-image", "ImagePullBackOff"),
        ("no-settings", "CreateContainerConfigError"),
        ("no-program", "CrashLoopBackOff"),
    ] {
        namespace.until(&format!("{container} waits: {reason}"), SOON, || {
            let pod = pods::get(namespace, name)?;
            Ok((waiting(&pod, container) == reason).then_some(()))
        })?;
    }
    pods::event(namespace, name, "Failed", "oneapi:none")?;
    pods::event(namespace, name, "BackOff", "Back-off pulling image")?;
    pods::event(namespace, name, "Failed", "configmap \"missing\" not found")?;
    let pod = pods::get(namespace, name)?;
    let end = pods::ended(&pod, "no-program").unwrap_or(&e2e::Value::Null);
    ensure!(
        end["reason"] == "StartError" && end["exitCode"] == 128,
        "the runtime could not start the program: {end}"
    );
    ensure!(
        pod["status"]["podIP"].is_string(),
        "the pod has its IP before any container runs"
    );
    sandbox_is(&pod, "True")?;
    is(&pod, "ContainersReady", "False")
}

/// Beta and on since Kubernetes 1.29; where it is off, the condition is not there.
fn sandbox_is(pod: &e2e::Value, status: &str) -> Result<()> {
    if condition(pod, "PodReadyToStartContainers").is_null() {
        return Ok(());
    }
    is(pod, "PodReadyToStartContainers", status)
}

fn is(pod: &e2e::Value, kind: &str, status: &str) -> Result<()> {
    let condition = condition(pod, kind);
    ensure!(
        condition["status"] == status,
        "{kind} of {} is {status}: {condition}",
        pods::name(pod)
    );
    Ok(())
}
