//! Pods that never run: no node has room, a volume isn't there, an image can't be pulled, a
//! ConfigMap is missing, the program isn't in the image. How far each has come is in its conditions.
//! Some wait, and some have failed for good.

use e2e::{
    Namespace, Result, Value, ensure, feature, manifest,
    namespace::SOON,
    pods::{self, condition, waiting},
};

pub fn containers(namespace: &Namespace<'_>) -> Result<()> {
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
    let end = pods::ended(&pod, "no-program").unwrap_or(&Value::Null);
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

pub fn pending(namespace: &Namespace<'_>) -> Result<()> {
    feature::since(namespace, 30, "A scheduling gate")?;
    namespace.apply("k8s/lessons/pending.yaml")?;
    pods::shows(namespace, "gated", "SchedulingGated")?;
    for (pod, words) in [
        ("no-label", "didn't match Pod's node affinity/selector"),
        ("no-storage", "unbound immediate PersistentVolumeClaims"),
    ] {
        pods::shows(namespace, pod, "Pending")?;
        namespace.until(&format!("the scheduler says why of {pod}"), SOON, || {
            let pod = pods::get(namespace, pod)?;
            let message = condition(&pod, "PodScheduled")["message"].as_str();
            Ok(message.unwrap_or_default().contains(words).then_some(()))
        })?;
    }
    namespace.kubectl(
        r#"patch pod gated --type json --patch [{"op":"remove","path":"/spec/schedulingGates"}]"#,
    )?;
    pods::ready(namespace, "gated")?;
    Ok(())
}

pub fn rejected(namespace: &Namespace<'_>) -> Result<()> {
    let nodes = namespace.json("get nodes")?;
    let node = pods::name(&nodes["items"][0]);
    let file = "k8s/lessons/rejected.yaml";
    let text = manifest::read(file, namespace.cluster, &namespace.name)?;
    namespace.apply_text(file, &text.replace("NODE", node))?;
    for (pod, reason) in [("too-big", "OutOfcpu"), ("wrong-node", "NodeAffinity")] {
        pods::shows(namespace, pod, reason)?;
        let pod = pods::get(namespace, pod)?;
        let status = &pod["status"];
        ensure!(
            status["phase"] == "Failed" && status["reason"] == reason,
            "the kubelet has rejected it for good: {status}"
        );
        let message = status["message"].as_str().unwrap_or_default();
        ensure!(message.contains("rejected"), "and says so: {message}");
    }
    Ok(())
}

pub fn not_started(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/not-started.yaml")?;
    for (pod, reason, message) in [
        ("invalid-name", "InvalidImageName", "must be lowercase"),
        ("never-pulled", "ErrImageNeverPull", "pull policy of Never"),
        ("no-profile", "CreateContainerError", "missing.json"),
    ] {
        pods::shows(namespace, pod, reason)?;
        let pod = pods::get(namespace, pod)?;
        let state = &pods::container(&pod, "oneapi")["state"]["waiting"];
        let said = state["message"].as_str().unwrap_or_default();
        ensure!(said.contains(message), "the kubelet says why: {state}");
        ensure!(
            pod["status"]["phase"] == "Pending",
            "it may still become something: {}",
            pod["status"]
        );
    }
    let name = "no-program";
    pods::shows(namespace, name, "StartError")?;
    // With restartPolicy Never nobody tries again.
    namespace.until(&format!("{name} has failed"), SOON, || {
        let pod = pods::get(namespace, name)?;
        Ok((pod["status"]["phase"] == "Failed").then_some(()))
    })
}

/// Beta and on since Kubernetes 1.29; where it is off, the condition is not there.
fn sandbox_is(pod: &Value, status: &str) -> Result<()> {
    if condition(pod, "PodReadyToStartContainers").is_null() {
        return Ok(());
    }
    is(pod, "PodReadyToStartContainers", status)
}

fn is(pod: &Value, kind: &str, status: &str) -> Result<()> {
    let condition = condition(pod, kind);
    ensure!(
        condition["status"] == status,
        "{kind} of {} is {status}: {condition}",
        pods::name(pod)
    );
    Ok(())
}
