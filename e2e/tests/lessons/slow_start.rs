//! A slow start: a liveness probe alone kills it again and again, and with a startup probe it lives.

use e2e::{
    Namespace, Result, ensure,
    pods::{self, restarts},
};

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/startup.yaml")?;
    // Ready means started here: there is no readiness probe.
    let lives = pods::ready(namespace, "slow-start")?;
    ensure!(
        restarts(&lives, "oneapi") == 0,
        "with a startup probe it is never restarted"
    );
    let started = &pods::container(&lives, "oneapi")["state"]["running"]["startedAt"];
    let ready = &pods::condition(&lives, "Ready")["lastTransitionTime"];
    let took = pods::seconds_between(started, ready)?;
    namespace.note(&format!("ready {took} s after its start"));
    ensure!(
        (7.0..20.0).contains(&took),
        "it takes the 8 s of STARTUP_DELAY, and a period: {took} s"
    );

    let killed = "slow-start-killed";
    pods::event(
        namespace,
        killed,
        "Unhealthy",
        "Liveness probe failed: HTTP probe failed with statuscode: 503",
    )?;
    pods::event(namespace, killed, "Killing", "failed liveness probe")?;
    let pod = pods::restarted(namespace, killed, "oneapi")?;
    let end = pods::ended(&pod, "oneapi").unwrap_or(&e2e::Value::Null);
    let lived = pods::seconds_between(&end["startedAt"], &end["finishedAt"])?;
    ensure!(
        lived < 8.0,
        "it is stopped before it has started, after {lived} s"
    );
    Ok(())
}
