//! What `make prove` proves: under load, rolling updates, a rollback, scaling and evictions lose no
//! request; and each twin of the Deployment, which lacks one thing, does. The story
//! `nobody_notices` and those of the twins are a shorter run of the same.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use cluster::{
    Namespace, SOON, deployment,
    pods::{self, is_ready, name},
};

use crate::load::{Count, Load};

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Short requests per second, in all.
    pub rate: u32,
    /// Rolling updates, back and forth.
    pub updates: u32,
}

/// Something that was done under load, and what the load saw of it.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was done.
    pub action: String,
    /// From the command until kubectl said that it was done.
    pub took: Duration,
    /// What was asked from the command until the last old pod was gone.
    pub count: Count,
    /// Why requests were lost, if any were expected to be.
    pub why: Option<&'static str>,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<42} {:>6.1} s {:>9} {:>7}",
            self.action,
            self.took.as_secs_f64(),
            self.count.requests,
            self.count.failures()
        )?;
        if let Some(why) = self.why {
            let (kinds, seconds) = (self.count.kinds(), self.count.bad_seconds);
            write!(f, "\n    {kinds}, within {seconds} s: {why}")?;
        }
        Ok(())
    }
}

/// What each of the load's containers counted in all.
pub type Counts = Vec<(String, Count)>;

/// The columns of a [`Row`].
pub fn header() -> String {
    format!(
        "{:<42} {:>8} {:>9} {:>7}",
        "action", "took", "requests", "failed"
    )
}

/// A Deployment that loses requests, by one thing.
#[derive(Clone, Copy, Debug)]
pub struct Twin {
    /// What it lacks.
    pub name: &'static str,
    /// A patch that alone loses nothing, and without which the loss would not show.
    ground: Option<&'static str>,
    /// The one thing.
    patch: &'static str,
    action: Action,
    why: &'static str,
    /// Whether it always loses requests: otherwise that is a race, which a slow cluster loses more often.
    pub always: bool,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Update,
    Kill,
}

/// Pods that take 3 s to start, as many do. Ours start in milliseconds, which would hide the loss.
const SLOW_START: &str = "k8s/lessons/slow-start.patch.yaml";

/// All twins. Each reason explains the kinds of failure that are printed beside it.
pub const TWINS: &[Twin] = &[
    Twin {
        name: "no readiness probe",
        ground: Some(SLOW_START),
        patch: "k8s/lessons/no-readiness.patch.yaml",
        action: Action::Update,
        why: "a new pod got requests, and the old ones went, while it was still starting",
        always: true,
    },
    Twin {
        name: "no drain delay",
        ground: None,
        patch: "k8s/lessons/no-drain.patch.yaml",
        action: Action::Update,
        why: "requests still came to pods that had stopped listening: endpoints lag behind the signal",
        always: false,
    },
    Twin {
        name: "Recreate",
        ground: None,
        patch: "k8s/lessons/recreate.patch.yaml",
        action: Action::Update,
        why: "nobody answered from when the old pods stopped serving until a new one was ready",
        always: true,
    },
    Twin {
        name: "maxUnavailable: 100%",
        ground: Some(SLOW_START),
        patch: "k8s/lessons/all-at-once.patch.yaml",
        action: Action::Update,
        why: "all old pods were gone before a new one was ready",
        always: true,
    },
    Twin {
        name: "grace period 0",
        ground: None,
        patch: "k8s/lessons/no-grace.patch.yaml",
        action: Action::Update,
        why: "the kubelet killed pods with requests in flight and connections open",
        always: false,
    },
    Twin {
        name: "kill -9 of each process",
        ground: None,
        patch: "k8s/lessons/shared-processes.patch.yaml",
        action: Action::Kill,
        why: "what was in flight is lost, and nobody listens until the kubelet has restarted it",
        always: true,
    },
];

/// Deploys three pods, puts load on them, and does all that must go unnoticed; calls `report` with
/// each row as soon as it is known. Returns the rows, and what each load counted in all.
///
/// # Errors
/// When something can't be done; a request that fails is no error here, but a figure in a row.
pub fn good(
    namespace: &Namespace<'_>,
    plan: Plan,
    mut report: impl FnMut(&Row),
) -> Result<(Vec<Row>, Counts)> {
    deployment::deploy(namespace)?;
    let (tag, next) = (&namespace.cluster.tag, &namespace.cluster.next);
    let load = Load::start(namespace, plan.rate)?;
    let mut rows = Vec::new();
    let mut done = |row: Row| {
        report(&row);
        rows.push(row);
    };
    for update in 0..plan.updates {
        let (from, to) = if update % 2 == 0 {
            (tag, next)
        } else {
            (next, tag)
        };
        let action = format!("rolling update {from} to {to}");
        done(measure(namespace, &load, &action, 3, || {
            deployment::update_to(namespace, to)?;
            deployment::rolled_out(namespace)
        })?);
    }
    done(measure(
        namespace,
        &load,
        "rollback (rollout undo)",
        3,
        || {
            namespace.kubectl("rollout undo deployment/chesterdeployment")?;
            deployment::rolled_out(namespace)
        },
    )?);
    for (from, to) in [(3, 10), (10, 3)] {
        done(measure(
            namespace,
            &load,
            &format!("scale {from} to {to}"),
            to,
            || {
                namespace.kubectl(&format!(
                    "scale deployment chesterdeployment --replicas={to}"
                ))?;
                deployment::ready_pods(namespace, to).map(drop)
            },
        )?);
    }
    done(measure(
        namespace,
        &load,
        "eviction of every pod",
        3,
        || evict_all(namespace),
    )?);
    // The ground of those twins that need one: with all else as it should be, it loses nothing.
    let slow = "rolling update to pods slow to start";
    done(measure(namespace, &load, slow, 3, || {
        deployment::patch(namespace, SLOW_START)?;
        deployment::rolled_out(namespace)
    })?);
    let counts = load.end(namespace)?;
    Ok((rows, counts))
}

/// Deploys a twin and does what makes it lose requests.
///
/// # Errors
/// When something can't be done.
pub fn twin(namespace: &Namespace<'_>, plan: Plan, twin: &Twin) -> Result<Row> {
    let patches: Vec<&str> = twin.ground.into_iter().chain([twin.patch]).collect();
    deployment::redeploy(namespace, &patches)?;
    settled(namespace, 3)?;
    let load = Load::start(namespace, plan.rate)?;
    let mut row = measure(namespace, &load, twin.name, 3, || match twin.action {
        Action::Update => {
            deployment::update_to(namespace, &namespace.cluster.next)?;
            deployment::rolled_out(namespace)
        }
        Action::Kill => kill_all(namespace),
    })?;
    load.end(namespace)?;
    row.why = (row.count.failures() > 0).then_some(twin.why);
    Ok(row)
}

/// Does something under load, and counts what the load saw from before it until every pod that
/// had to go is gone.
fn measure(
    namespace: &Namespace<'_>,
    load: &Load,
    action: &str,
    pods: usize,
    act: impl FnOnce() -> Result<()>,
) -> Result<Row> {
    let before = load.total()?;
    let start = Instant::now();
    act()?;
    let took = start.elapsed();
    settled(namespace, pods)?;
    let count = load.total_with_late()? - &before;
    ensure!(count.requests > 0, "{action}: the load asked nothing");
    Ok(Row {
        action: action.to_owned(),
        took,
        count,
        why: None,
    })
}

/// Waits until so many pods are ready and none is stopping any more.
fn settled(namespace: &Namespace<'_>, count: usize) -> Result<()> {
    namespace.until(
        &format!("{count} pods are ready and no other is left"),
        SOON,
        || {
            let all = deployment::all_pods(namespace)?;
            let settled = |pod| is_ready(pod) && !pods::is_stopping(pod);
            Ok((all.len() == count && all.iter().all(settled)).then_some(()))
        },
    )
}

/// As a node's drain does it: pod by pod, each when the budget allows.
fn evict_all(namespace: &Namespace<'_>) -> Result<()> {
    for pod in &deployment::ready_pods(namespace, 3)? {
        namespace.until(&format!("{} may be evicted", name(pod)), SOON, || {
            Ok(deployment::evict(namespace, name(pod)).ok())
        })?;
    }
    deployment::ready_pods(namespace, 3).map(drop)
}

fn kill_all(namespace: &Namespace<'_>) -> Result<()> {
    for pod in &deployment::ready_pods(namespace, 3)? {
        for service in ["oneapi", "twoapi"] {
            let name = name(pod);
            namespace.kubectl(&format!("exec {name} -c {service} -- /{service} kill KILL"))?;
        }
    }
    for pod in &deployment::ready_pods(namespace, 3)? {
        for service in ["oneapi", "twoapi"] {
            pods::restarted(namespace, name(pod), service)?;
        }
    }
    Ok(())
}
