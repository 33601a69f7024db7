//! The order in which init containers, sidecars and containers start, and a Job that ends although
//! its sidecar doesn't.

use e2e::{
    Namespace, Result, Value, ensure, feature,
    namespace::SOON,
    pods::{self, container, restarts},
};

const SIDECARS: &str = "A sidecar container";

pub fn start(namespace: &Namespace<'_>) -> Result<()> {
    feature::since(namespace, 29, SIDECARS)?;
    namespace.apply("k8s/lessons/order.yaml")?;
    namespace.until(
        "kubectl get shows how far the init containers are",
        SOON,
        || {
            let line = namespace.kubectl("get pod order --no-headers")?;
            let status = line.split_whitespace().nth(2).unwrap_or_default();
            Ok(status.starts_with("Init:").then_some(()))
        },
    )?;
    let pod = pods::ready(namespace, "order")?;
    let [first, second] =
        ["first", "second"].map(|name| &container(&pod, name)["state"]["terminated"]);
    let [sidecar, last] =
        ["oneapi", "twoapi"].map(|name| &container(&pod, name)["state"]["running"]["startedAt"]);
    for (earlier, later, least, what) in [
        (
            &first["finishedAt"],
            sidecar,
            0.0,
            "`first` ends, then the sidecar starts",
        ),
        // Its STARTUP_DELAY: the startup probe decides, and not that the process is there.
        (
            sidecar,
            &second["startedAt"],
            2.0,
            "the sidecar has started, then `second` starts",
        ),
        (
            &second["finishedAt"],
            last,
            0.0,
            "`second` ends, then the containers start",
        ),
    ] {
        let seconds = pods::seconds_between(earlier, later)?;
        ensure!(
            seconds >= least,
            "{what}: {seconds} s between {earlier} and {later}"
        );
    }
    ensure!(
        second["exitCode"] == 0,
        "the sidecar answers the init container after it: {second}"
    );
    let line = namespace.kubectl("get pod order --no-headers")?;
    ensure!(
        line.split_whitespace().nth(1) == Some("2/2"),
        "the sidecar counts among the containers: {line}"
    );
    Ok(())
}

pub fn init_fails(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/init-fails.yaml")?;
    for (pod, status) in [
        ("init-endless", "Init:0/1"),
        ("init-failed", "Init:Error"),
        ("init-again", "Init:CrashLoopBackOff"),
    ] {
        pods::shows(namespace, pod, status)?;
        let pod = pods::get(namespace, pod)?;
        let container = &container(&pod, "oneapi")["state"]["waiting"]["reason"];
        ensure!(
            container == "PodInitializing",
            "its container waits for the init container: {container}"
        );
    }
    let phase = |pod| -> Result<Value> { Ok(pods::get(namespace, pod)?["status"]["phase"].take()) };
    ensure!(
        phase("init-failed")? == "Failed",
        "with restartPolicy Never it has failed"
    );
    ensure!(
        phase("init-again")? == "Pending",
        "a pod that is still initialized is Pending"
    );
    Ok(())
}

pub fn job(namespace: &Namespace<'_>) -> Result<()> {
    feature::since(namespace, 29, SIDECARS)?;
    namespace.apply("k8s/lessons/job-sidecar.yaml")?;
    namespace.kubectl(&format!(
        "wait --for=condition=Complete job/job-sidecar --timeout={}s",
        SOON.as_secs()
    ))?;
    let list = namespace.json("get pods -l batch.kubernetes.io/job-name=job-sidecar")?;
    let pod = &list["items"][0];
    let end = |name| pods::ended(pod, name).unwrap_or(&Value::Null);
    let (work, sidecar) = (end("work"), end("oneapi"));
    ensure!(
        sidecar["exitCode"] == 0 && restarts(pod, "oneapi") == 0,
        "the sidecar is stopped gracefully, and not started again: {sidecar}"
    );
    let seconds = pods::seconds_between(&work["finishedAt"], &sidecar["finishedAt"])?;
    ensure!(seconds >= 0.0, "the work ends first: {work}, {sidecar}");
    pods::shows(namespace, pods::name(pod), "Completed")
}
