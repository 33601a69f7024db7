//! How many pods a rolling update has at a time: `maxSurge` above the number of replicas,
//! `maxUnavailable` below it; and `minReadySeconds`, which makes it wait.

use std::{collections::BTreeMap, time::Instant};

use e2e::{
    Namespace, Result, Value, deployment, ensure,
    pods::{is_ready, is_stopping, name},
    watch::{Change, Watch},
};

/// One pod more at a time, and never one less.
pub fn careful(namespace: &Namespace<'_>) -> Result<()> {
    let counts = update(namespace, "k8s/lessons/careful-surge.patch.yaml")?;
    ensure!(
        counts.most == 4,
        "maxSurge 1: four pods at most, seen {counts:?}"
    );
    ensure!(
        counts.fewest_ready == 3,
        "maxUnavailable 0: three ready at least, seen {counts:?}"
    );
    Ok(())
}

/// One pod less at a time, and never one more.
pub fn none(namespace: &Namespace<'_>) -> Result<()> {
    let counts = update(namespace, "k8s/lessons/no-surge.patch.yaml")?;
    ensure!(
        counts.most == 3,
        "maxSurge 0: three pods at most, seen {counts:?}"
    );
    ensure!(
        counts.fewest_ready == 2,
        "maxUnavailable 1: two ready at least, seen {counts:?}"
    );
    Ok(())
}

/// `minReadySeconds`: 5 here, one pod after the other, so three times that in all.
pub fn min_ready(namespace: &Namespace<'_>) -> Result<()> {
    deployment::deploy(namespace)?;
    deployment::patch(namespace, "k8s/lessons/careful-surge.patch.yaml")?;
    deployment::patch(namespace, "k8s/lessons/min-ready.patch.yaml")?;
    let start = Instant::now();
    deployment::update_to(namespace, &namespace.cluster.next)?;
    deployment::rolled_out(namespace)?;
    let took = start.elapsed().as_secs_f64();
    ensure!(
        took > 15.0,
        "three pods, each ready for 5 s before the next: took {took:.1} s"
    );
    Ok(())
}

#[derive(Debug)]
struct Counts {
    most: usize,
    fewest_ready: usize,
}

fn update(namespace: &Namespace<'_>, patch: &str) -> Result<Counts> {
    deployment::deploy(namespace)?;
    deployment::patch(namespace, patch)?;
    let watch = Watch::start(namespace)?;
    deployment::update_to(namespace, &namespace.cluster.next)?;
    deployment::rolled_out(namespace)?;
    deployment::ready_pods(namespace, 3)?;
    Ok(count(&watch.end()))
}

/// Pods that stop don't count, neither for the Deployment nor here.
fn count(changes: &[Change]) -> Counts {
    let mut pods: BTreeMap<&str, &Value> = BTreeMap::new();
    let mut counts = Counts {
        most: 0,
        fewest_ready: usize::MAX,
    };
    for change in changes {
        if change.kind == "DELETED" || is_stopping(&change.pod) {
            pods.remove(name(&change.pod));
        } else {
            pods.insert(name(&change.pod), &change.pod);
        }
        let ready = pods.values().filter(|pod| is_ready(pod)).count();
        // The watch begins by reporting the three existing pods, one by one.
        if pods.len() >= 3 || counts.most > 0 {
            counts.most = counts.most.max(pods.len());
            counts.fewest_ready = counts.fewest_ready.min(ready);
        }
    }
    counts
}
