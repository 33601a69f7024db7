//! One of three pods answers every request with an error while all probes pass: a third of the
//! Service's requests fail, kubectl shows nothing, and the counts by pod show which one it is.

use e2e::{
    Context, Namespace, Result, Value, ask, deployment, ensure,
    pods::{name, restarts},
};

/// 600 requests: of a third the standard deviation is 2 %, so that the bounds below are four of them
/// away.
const LOAD: &str = "exec deployment/chesterdeployment -c twoapi -- /twoapi load \
                    http://chesterservice:5000/test --rate 100 --for 6s --fresh --json";

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    deployment::deploy(namespace)?;
    deployment::patch(namespace, "k8s/lessons/faults.patch.yaml")?;
    deployment::rolled_out(namespace)?;
    let pods = deployment::ready_pods(namespace, 3)?;
    let sick = name(&pods[0]);
    ask::set_fault(
        namespace,
        sick,
        5000,
        "errors?percent=100&status=500&for=ever",
    )?;

    // `load` exits with 1 when a request has failed.
    let summary = summary(&namespace.fails(LOAD)?)?;
    let failed = summary["failed"]["status 500"].as_f64().unwrap_or(0.0);
    let requests = summary["requests"].as_f64().context("it counts")?;
    let part = failed / requests;
    namespace.note(&format!("{failed} of {requests} failed"));
    ensure!(
        (0.25..0.42).contains(&part),
        "a third of the requests fails: {failed} of {requests}"
    );
    let answered = answered(&summary);
    for pod in &pods {
        let ok = answered.contains(&name(pod));
        ensure!(
            ok == (name(pod) != sick),
            "all but the sick one have answered: {summary}"
        );
    }

    for pod in deployment::ready_pods(namespace, 3)? {
        ensure!(
            restarts(&pod, "oneapi") == 0,
            "the probes pass: {} is ready and never restarted",
            name(&pod)
        );
        let metrics = ask::pod(namespace, name(&pod), 5000, "/metrics")?;
        let errors = metrics.lines().any(|line| {
            line.starts_with("http_requests_total{")
                && line.contains(r#""/test""#)
                && line.contains(r#""500""#)
        });
        ensure!(
            errors == (name(&pod) == sick),
            "its own metrics tell which one is sick: {}",
            name(&pod)
        );
    }

    // The cure is another pod.
    namespace.kubectl(&format!("delete pod {sick} --wait=false"))?;
    let pods = deployment::ready_pods(namespace, 3)?;
    ensure!(!pods.iter().any(|pod| name(pod) == sick), "it is replaced");
    namespace.until("the sick pod is gone", e2e::namespace::SOON, || {
        Ok(namespace
            .kubectl(&format!("get pod {sick} --ignore-not-found -o name"))?
            .is_empty()
            .then_some(()))
    })?;
    namespace
        .kubectl(LOAD)
        .context("no request fails when the sick pod is gone")
        .map(drop)
}

/// The last line.
fn summary(output: &str) -> Result<Value> {
    output
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|line| line["kind"] == "summary")
        .with_context(|| format!("the load printed no summary: {output}"))
}

/// The pods that have answered with 200.
fn answered(summary: &Value) -> Vec<&str> {
    let pods = summary["pods"].as_array().into_iter().flatten();
    pods.filter_map(|pod| pod["pod"].as_str()).collect()
}
