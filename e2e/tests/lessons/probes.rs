//! Each mechanism of a probe, passing and failing. In each file the
//! first pod's probe passes and the others' fail; failing shows as an event `Unhealthy` and a
//! restart. And a probe that hangs, for longer than its time-out and for less.

use e2e::{
    Namespace, Result, ask, ensure, feature,
    pods::{self, restarts},
};

pub fn http(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/probe-http.yaml")?;
    fails(namespace, "probe-http-fails", "statuscode: 404")?;
    passes(namespace, "probe-http", &["oneapi", "twoapi"])
}

pub fn tcp(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/probe-tcp.yaml")?;
    fails(namespace, "probe-tcp-fails", "connection refused")?;
    passes(namespace, "probe-tcp", &["oneapi"])
}

pub fn exec(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/probe-exec.yaml")?;
    fails(
        namespace,
        "probe-exec-fails",
        "http://localhost:5000/test1 answered 404 Not Found",
    )?;
    passes(namespace, "probe-exec", &["oneapi"])
}

pub fn grpc(namespace: &Namespace<'_>) -> Result<()> {
    feature::since(namespace, 27, "A gRPC probe")?;
    namespace.apply("k8s/lessons/probe-grpc.yaml")?;
    fails(namespace, "probe-grpc-fails", "NOT_SERVING")?;
    fails(namespace, "probe-grpc-unknown", "NotFound")?;
    passes(namespace, "probe-grpc", &["oneapi"])?;
    let seen = ask::probes(namespace, "probe-grpc", 5000)?;
    let asked = seen["grpc"].as_array().map_or(0, Vec::len);
    ensure!(asked > 0, "the mirror shows them: {seen}");
    Ok(())
}

pub fn hanging(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/probe-hangs.yaml")?;
    fails(namespace, "probe-hangs", "context deadline exceeded")?;
    passes(namespace, "probe-waits", &["oneapi"])?;
    let seen = ask::probes(namespace, "probe-waits", 5000)?;
    for entry in seen["liveness"].as_array().into_iter().flatten() {
        ensure!(
            entry["status"] == 200 && entry["took_seconds"].as_f64() >= Some(2.0),
            "each answer takes 2 s, which a time-out of 3 s allows: {entry}"
        );
    }
    Ok(())
}

fn fails(namespace: &Namespace<'_>, pod: &str, words: &str) -> Result<()> {
    pods::event(namespace, pod, "Unhealthy", words)?;
    pods::event(namespace, pod, "Killing", "failed liveness probe")?;
    pods::restarted(namespace, pod, "oneapi")?;
    Ok(())
}

/// Checked after the other pod, of the same age, has been restarted for its failed probe.
fn passes(namespace: &Namespace<'_>, pod: &str, containers: &[&str]) -> Result<()> {
    let seen = pods::ready(namespace, pod)?;
    for container in containers {
        ensure!(
            restarts(&seen, container) == 0,
            "{container} of {pod} is never restarted"
        );
    }
    let unhealthy = namespace.kubectl(&format!(
        "get events --field-selector involvedObject.name={pod},reason=Unhealthy -o name"
    ))?;
    ensure!(
        unhealthy.is_empty(),
        "{pod}'s probes never fail: {unhealthy}"
    );
    Ok(())
}
