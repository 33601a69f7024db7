//! How a program ended, as kubectl shows it afterwards: exit codes, signals, too much memory; and a
//! program that ignores SIGTERM until it is killed.

use std::time::Instant;

use e2e::{
    Namespace, Result, Value, ensure,
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
        ("out-of-memory", "OOMKilled", "OOMKilled", 137),
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
    Ok(())
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
