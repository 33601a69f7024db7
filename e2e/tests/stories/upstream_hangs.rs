//! twoapi's upstream hangs, under load. As long as each oneapi hangs, all callers get 504 in time. Where one of
//! them takes no connection any more, its Pod leaves the Service, and its container is restarted.

use std::{thread::sleep, time::Duration};

use anyhow::{Result, ensure};
use cluster::{
    Namespace, ask,
    deployment::{self, redeploy},
    pods::{self, name, restarts},
};
use e2e::{
    faults::{self, RATE, under},
    load::Load,
};

/// Longer than ONEAPI_TIMEOUT, by far.
const HANGS: Duration = Duration::from_secs(6);

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/service.yaml")?;
    redeploy(namespace, &["k8s/lessons/faults.patch.yaml"])?;
    faults::well(namespace)?;
    let pods = deployment::ready_pods(namespace, 3)?;
    let mut load = Load::start(namespace, RATE, &[])?;

    let all = under(namespace, &mut load, "each oneapi answers too late", || {
        let switch = format!("latency?delay=30s&for={}s", HANGS.as_secs());
        for pod in &pods {
            ask::set_fault(namespace, name(pod), &switch)?;
        }
        sleep(HANGS);
        Ok(())
    })?;
    ensure!(
        all.count.failed.contains_key("status 504"),
        "twoapi waits no longer than its ONEAPI_TIMEOUT: {all}"
    );

    let sick = name(&pods[0]);
    let one = under(
        namespace,
        &mut load,
        "one oneapi takes no connection",
        || {
            ask::set_fault(namespace, sick, "deaf?for=ever")?;
            pods::restarted(namespace, sick, "oneapi").map(drop)
        },
    )?;
    let (failed, requests) = (one.count.failures(), one.count.requests);
    ensure!(
        failed > 0 && failed * 10 < requests,
        "it left the Service long before it was restarted: {one}"
    );
    for pod in &deployment::ready_pods(namespace, 3)? {
        let counts = ["oneapi", "twoapi"].map(|it| restarts(pod, it));
        let expected = [u64::from(name(pod) == sick), 0];
        ensure!(counts == expected, "{}: {counts:?}", name(pod));
    }
    Ok(())
}
