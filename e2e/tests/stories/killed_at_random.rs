//! Each container is killed once, in a random order, under load: what is lost is what that Pod had, nothing of
//! the other two, and each container is restarted in its Pod.

use std::{
    hash::{BuildHasher as _, RandomState},
    thread::sleep,
    time::Duration,
};

use anyhow::{Result, ensure};
use cluster::{
    Namespace,
    deployment::{self, redeploy},
    pods::{name, restarts},
};
use e2e::{
    faults::{self, RATE, under},
    load::Load,
};

/// A restart takes one or two; then the next one is killed, whatever has become of the last.
const BETWEEN: Duration = Duration::from_secs(3);

const SERVICES: [&str; 2] = ["oneapi", "twoapi"];

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/service.yaml")?;
    redeploy(namespace, &["k8s/lessons/shared-processes.patch.yaml"])?;
    faults::well(namespace)?;
    let pods = deployment::ready_pods(namespace, 3)?;
    let of_pod = |pod| SERVICES.map(|service| (name(pod), service));
    let mut containers: Vec<_> = pods.iter().flat_map(of_pod).collect();
    let random = RandomState::new();
    containers.sort_by_key(|it| random.hash_one(it));
    let mut load = Load::start(namespace, RATE, &[])?;
    let seen = under(namespace, &mut load, "kill -9 of each container", || {
        for (pod, service) in &containers {
            namespace.kubectl(&format!("exec {pod} -c {service} -- /{service} kill KILL"))?;
            sleep(BETWEEN);
        }
        namespace.until("each container has been restarted", || {
            let pods = deployment::all_pods(namespace)?;
            let mut counts = pods
                .iter()
                .flat_map(|pod| SERVICES.map(|it| restarts(pod, it)));
            Ok(counts.all(|count| count > 0).then_some(()))
        })
    })?;
    let before: Vec<_> = pods.iter().map(name).collect();
    for pod in &deployment::ready_pods(namespace, 3)? {
        let counts = SERVICES.map(|it| restarts(pod, it));
        ensure!(
            before.contains(&name(pod)),
            "no Pod was replaced: {before:?}"
        );
        ensure!(counts == [1, 1], "each was restarted once: {counts:?}");
    }
    let (failed, requests) = (seen.count.failures(), seen.count.requests);
    ensure!(failed > 0, "what the containers had in flight was lost");
    ensure!(
        failed * 3 < requests,
        "two of three Pods answered at any time: {seen}"
    );
    Ok(())
}
