//! What `make prove` proves: under load, rolling updates, a rollback, scaling and evictions lose no
//! request; and each twin of the Deployment, which differs in one thing, does, or may if that is a race.
//! The story `nobody_notices` and those of the twins are a shorter run of the same.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use cluster::{
    Namespace, deployment,
    pods::{self, is_ready, name},
};

use crate::{
    load::{Count, Load},
    nodes,
};

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
    /// What was asked from the command until the last old pod was gone, except that of an update it isn't
    /// waited for.
    pub count: Count,
    /// Why requests were lost, if any were expected to be.
    pub why: Option<&'static str>,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (action, took) = (&self.action, self.took.as_secs_f64());
        let (requests, failed) = (self.count.requests, self.count.failures());
        write!(f, "{action:<42} {took:>6.1} s {requests:>9} {failed:>7}")?;
        if failed > 0 {
            let (kinds, seconds) = (self.count.kinds(), self.count.bad_seconds);
            write!(f, "\n    {kinds}, within {seconds} s")?;
        }
        if let Some(why) = self.why {
            write!(f, ": {why}")?;
        }
        Ok(())
    }
}

/// What each of the load's containers counted in all.
pub type Counts = Vec<(String, Count)>;

/// The columns of a [`Row`].
pub const HEADER: &str = "action                                         took  requests  failed";

/// A Deployment that loses requests, by one thing.
#[derive(Clone, Copy, Debug)]
pub struct Twin {
    /// The story of it.
    pub story: &'static str,
    /// In what it differs from the shipped one.
    pub name: &'static str,
    /// The last one makes the difference. Those before it alone lose nothing, and let the loss show.
    patches: &'static [&'static str],
    /// What makes it lose requests: an update, or all processes' death.
    act: fn(&Namespace<'_>) -> Result<()>,
    why: &'static str,
    /// Whether it always loses requests: otherwise that is a race, which a slow cluster loses more often.
    always: bool,
}

/// Pods that take 3 s to start, as many do. Ours start in milliseconds, which would hide the loss.
const SLOW_START: &str = "e2e/patches/slow-start.yaml";

/// All twins. Each reason explains the kinds of failure that are printed beside it.
pub const TWINS: &[Twin] = &[
    Twin {
        story: "twin_never_asked",
        name: "no readiness probe",
        patches: &[SLOW_START, "k8s/lessons/no-readiness.patch.yaml"],
        act: update,
        why: "a new pod got requests, and the old ones went, while it was still starting",
        always: true,
    },
    Twin {
        story: "twin_no_drain",
        name: "no drain delay",
        patches: &["k8s/lessons/no-drain.patch.yaml"],
        act: update,
        why: "requests still came to pods that had stopped listening: endpoints lag behind the signal",
        always: false,
    },
    Twin {
        story: "twin_recreate",
        name: "Recreate",
        patches: &["k8s/lessons/recreate.patch.yaml"],
        act: update,
        why: "nobody answered from when the old pods stopped serving until a new one was ready",
        always: true,
    },
    Twin {
        story: "twin_all_at_once",
        name: "maxUnavailable: 100%",
        patches: &[SLOW_START, "k8s/lessons/all-at-once.patch.yaml"],
        act: update,
        why: "all old pods were gone before a new one was ready",
        always: true,
    },
    Twin {
        story: "twin_no_grace",
        name: "grace period 0",
        patches: &["k8s/lessons/no-grace.patch.yaml"],
        act: update,
        why: "the kubelet killed pods with requests in flight and connections open",
        always: false,
    },
    Twin {
        story: "twin_killed",
        name: "kill -9 of each process",
        patches: &["k8s/lessons/shared-processes.patch.yaml"],
        act: kill_all,
        why: "what was in flight is lost, and nobody listens until the kubelet has restarted it",
        always: true,
    },
];

/// Deploys three pods, puts load on them, and does all that must go unnoticed; with three nodes two of them
/// are drained, otherwise each pod is evicted. Calls `report` with each row as soon as it is known.
/// Returns the rows, and what each container counted in all. A request that fails is no error here, but a
/// figure in a row.
pub fn good(
    namespace: &Namespace<'_>,
    plan: Plan,
    mut report: impl FnMut(&Row),
) -> Result<(Vec<Row>, Counts)> {
    deployment::deploy(namespace)?;
    let (tag, next) = (&namespace.cluster.tag, &namespace.cluster.next);
    let nodes = nodes::schedulable(namespace)?;
    // From a node without any pod of the Deployment, and from one that has some, if there are enough for a
    // drain besides.
    let mut senders = Vec::new();
    if let [without, with, _, ..] = &nodes[..] {
        nodes::keep_off(namespace, without)?;
        senders = vec![without.as_str(), with.as_str()];
    }
    let load = Load::start(namespace, plan.rate, &senders)?;
    let mut rows = Vec::new();
    let mut measured = |action: &str, pods, act: &dyn Fn() -> Result<()>| -> Result<()> {
        let row = measure(namespace, &load, action, pods, act)?;
        report(&row);
        rows.push(row);
        Ok(())
    };
    // Each begins while the old pods of the one before still stop.
    let there_and_back = [(tag, next), (next, tag)].into_iter().cycle();
    for (from, to) in there_and_back.take(plan.updates as usize) {
        let action = format!("rolling update {from} to {to}");
        measured(&action, None, &|| deployment::update_to(namespace, to))?;
    }
    let mut done =
        |action: &str, pods, act: &dyn Fn() -> Result<()>| measured(action, Some(pods), act);
    done("rollback (rollout undo)", 3, &|| {
        namespace.kubectl("rollout undo deployment/chesterdeployment")?;
        deployment::rolled_out(namespace, deployment::NAME)
    })?;
    for (from, to) in [(3, 10), (10, 3)] {
        let scale = format!("scale deployment chesterdeployment --replicas={to}");
        done(&format!("scale {from} to {to}"), to, &|| {
            namespace.kubectl(&scale)?;
            deployment::ready_pods(namespace, to).map(drop)
        })?;
    }
    if senders.is_empty() {
        done("eviction of every pod", 3, &|| evict_all(namespace))?;
    } else {
        // Each time one with pods, since those of the first have moved.
        for action in ["drain of a node", "drain of another node"] {
            let pods = deployment::ready_pods(namespace, 3)?;
            let node = pods[0]["spec"]["nodeName"].as_str().unwrap_or_default();
            done(action, 3, &|| nodes::drain(namespace, node, 3))?;
        }
    }
    // With all else as it should be, what some twins need besides loses nothing.
    done("rolling update to pods slow to start", 3, &|| {
        deployment::patch(namespace, SLOW_START)?;
        deployment::rolled_out(namespace, deployment::NAME)
    })?;
    let counts = load.end(namespace)?;
    Ok((rows, counts))
}

/// Deploys a twin and does what makes it lose requests.
pub fn twin(namespace: &Namespace<'_>, plan: Plan, twin: &Twin) -> Result<Row> {
    deployment::redeploy(namespace, twin.patches)?;
    settled(namespace, 3)?;
    let load = Load::start(namespace, plan.rate, &[])?;
    let act = || (twin.act)(namespace);
    let mut row = measure(namespace, &load, twin.name, Some(3), &act)?;
    load.end(namespace)?;
    row.why = (row.count.failures() > 0).then_some(twin.why);
    Ok(row)
}

impl Twin {
    /// Whether it lost requests, unless that is a race.
    pub fn is_proven_by(&self, row: &Row) -> bool {
        row.count.failures() > 0 || !self.always
    }
}

/// Does something under load, and counts what the load saw from before it until every pod that had to go is
/// gone and `pods` are left; none: until it is done.
fn measure(
    namespace: &Namespace<'_>,
    load: &Load,
    action: &str,
    pods: Option<usize>,
    act: &dyn Fn() -> Result<()>,
) -> Result<Row> {
    let before = load.now()?;
    let start = Instant::now();
    act()?;
    let took = start.elapsed();
    pods.map_or(Ok(()), |count| settled(namespace, count))?;
    let count = load.since(&before)?;
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
    let what = format!("{count} pods are ready and no other is left");
    namespace.until(&what, || {
        let all = deployment::all_pods(namespace)?;
        let settled = |pod| is_ready(pod) && !pods::is_stopping(pod);
        Ok((all.len() == count && all.iter().all(settled)).then_some(()))
    })
}

fn update(namespace: &Namespace<'_>) -> Result<()> {
    deployment::update_to(namespace, &namespace.cluster.next)
}

/// As a node's drain does it: pod by pod, each when the budget allows.
fn evict_all(namespace: &Namespace<'_>) -> Result<()> {
    for pod in &deployment::ready_pods(namespace, 3)? {
        namespace.until(&format!("{} may be evicted", name(pod)), || {
            Ok(deployment::evict(namespace, name(pod)).ok())
        })?;
    }
    deployment::ready_pods(namespace, 3).map(drop)
}

fn kill_all(namespace: &Namespace<'_>) -> Result<()> {
    let pods = deployment::ready_pods(namespace, 3)?;
    let all = || {
        pods.iter()
            .flat_map(|pod| ["oneapi", "twoapi"].map(|it| (name(pod), it)))
    };
    for (pod, service) in all() {
        namespace.kubectl(&format!("exec {pod} -c {service} -- /{service} kill KILL"))?;
    }
    deployment::ready_pods(namespace, 3)?;
    all().try_for_each(|(pod, service)| pods::restarted(namespace, pod, service).map(drop))
}
