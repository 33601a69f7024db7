//! Step 3: three probe mechanisms, each passing and failing. In each file the first pod's
//! probe passes and the second's fails; failing shows as an event `Unhealthy` and a restart.

use e2e::{
    Namespace, Result, ensure,
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
