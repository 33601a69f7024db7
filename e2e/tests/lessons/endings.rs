//! How a program ended, as kubectl shows it afterwards: exit codes, signals, too much memory; and a
//! program that ignores SIGTERM until it is killed; and pods that end in other ways than by deleting.

use std::time::Instant;

use e2e::{
    Namespace, Result, Value, ensure, feature,
    namespace::SOON,
    pods::{self, ended},
    watch::Watch,
};

pub fn codes(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/endings.yaml")?;
    pods::ready(namespace, "terminated")?;
    for _ in 0..2 {
        namespace.kubectl("exec terminated -- /oneapi kill TERM")?;
    }
    for (pod, status, reason, code) in [
        ("exits-0", "Completed", "Completed", 0),
        ("exits-3", "Error", "Error", 3),
        ("killed", "Error", "Error", 137),
        ("segfault", "Error", "Error", 139),
        ("terminated", "Error", "Error", 143),
    ] {
        pods::shows(namespace, pod, status)?;
        let end = pods::get(namespace, pod)?;
        let end = ended(&end, "oneapi").unwrap_or(&Value::Null);
        ensure!(
            end["reason"] == reason && end["exitCode"] == code,
            "{pod} ends with {code}, {reason}: {end}"
        );
        let described = namespace.kubectl(&format!("describe pod {pod}"))?;
        ensure!(
            described.lines().any(|line| line.split_whitespace().eq([
                "Exit",
                "Code:",
                &code.to_string()
            ])),
            "describe shows {code} for {pod}: {described}"
        );
    }
    // It is started again, and killed again: on a busy node the runtime may miss the reason at first.
    namespace.until("out-of-memory was killed by the kernel", SOON, || {
        let pod = pods::get(namespace, "out-of-memory")?;
        let end = &pods::container(&pod, "oneapi")["lastState"]["terminated"];
        Ok((end["reason"] == "OOMKilled" && end["exitCode"] == 137).then_some(()))
    })
}

/// The grace period of the file, in seconds.
const GRACE: f64 = 5.0;

/// How much longer the kubelet and the API server may take to say that the pod is gone.
const SLACK: f64 = 5.0;

pub fn stop_ignored(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/stop-ignored.yaml")?;
    pods::ready(namespace, "stop-ignored")?;
    let watch = Watch::of(namespace, "app=stop-ignored")?;
    let deleted = Instant::now();
    namespace.kubectl("delete pod stop-ignored --timeout=60s")?;
    let took = deleted.elapsed().as_secs_f64();
    namespace.note(&format!("gone after {took:.1} s"));
    ensure!(
        (GRACE..GRACE + SLACK).contains(&took),
        "it is gone when its grace period of {GRACE} s is over: after {took:.1} s"
    );
    let changes = watch.end();
    let end = changes
        .iter()
        .find_map(|change| ended(&change.pod, "oneapi"))
        .unwrap_or(&Value::Null);
    ensure!(
        end["exitCode"] == 137,
        "it was killed, and did not end by itself: {end}"
    );
    Ok(())
}

pub fn half_done(namespace: &Namespace<'_>) -> Result<()> {
    let name = "half-done";
    namespace.apply("k8s/lessons/half-done.yaml")?;
    pods::shows(namespace, name, "NotReady")?;
    let pod = pods::get(namespace, name)?;
    ensure!(
        pod["status"]["phase"] == "Running" && ended(&pod, "done").is_some(),
        "one container has ended, and the pod runs: {}",
        pod["status"]
    );
    Ok(())
}

pub fn by_the_kubelet(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/stopped-by-kubelet.yaml")?;
    for (name, reason) in [("deadline", "DeadlineExceeded"), ("evicted", "Evicted")] {
        let pod = namespace.until(&format!("{name} has failed"), SOON, || {
            let pod = pods::get(namespace, name)?;
            Ok((pod["status"]["phase"] == "Failed").then_some(pod))
        })?;
        ensure!(
            pod["status"]["reason"] == reason,
            "{reason} is the pod's reason: {}",
            pod["status"]
        );
        pods::event(namespace, name, reason, "")?;
    }
    Ok(())
}

pub fn finalizer(namespace: &Namespace<'_>) -> Result<()> {
    feature::since(namespace, 31, "How a deleted pod has ended, as STATUS,")?;
    let name = "finalizer";
    namespace.apply("k8s/lessons/finalizer.yaml")?;
    pods::ready(namespace, name)?;
    namespace.kubectl(&format!("delete pod {name} --wait=false"))?;
    pods::shows(namespace, name, "Terminating")?;
    pods::shows(namespace, name, "Completed")?;
    let pod = pods::get(namespace, name)?;
    ensure!(
        pods::is_stopping(&pod) && pod["metadata"]["finalizers"].is_array(),
        "it is still there, deleted: {}",
        pod["metadata"]
    );
    namespace.kubectl(&format!(
        r#"patch pod {name} --type json --patch [{{"op":"remove","path":"/metadata/finalizers"}}]"#
    ))?;
    namespace.kubectl(&format!("wait --for=delete pod/{name} --timeout=60s"))?;
    Ok(())
}
