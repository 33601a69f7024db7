//! Faults of the cluster under load: taking a part of it away and bringing it back, by the commands that the
//! environment gives, and what callers see of a fault until all is well again.

use std::{
    fmt,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use cluster::{
    Namespace,
    deployment::{self, NAME},
    life::Skipped,
    pods::{is_ready, is_stopping, name, restarts},
    set,
};
use serde_json::Value;

use crate::{
    load::{Count, Load},
    nodes,
};

/// Short requests per second, in all.
pub const RATE: u32 = 200;

/// For how many seconds hardly a request may fail when all is well again. One in 200 may: for 120 s Linux sends a
/// connection from the same port to the pod that it has chosen before, which may be gone.
const AFTERWARDS: usize = 4;

/// The commands `PART_OFF` and `PART_ON`, to which the part is added: `kubelet node2`, `api-server`.
#[derive(Debug)]
pub struct Parts {
    off: String,
    on: String,
}

impl Parts {
    /// The commands of the environment; without them a story is skipped.
    pub fn from_environment() -> Result<Self> {
        let variable = |name| {
            let why = "PART_OFF and PART_ON say how to take a part of the cluster away";
            set(name).ok_or_else(|| Skipped(why.to_owned()))
        };
        let (off, on) = (variable("PART_OFF")?, variable("PART_ON")?);
        Ok(Self { off, on })
    }

    /// Does something while a part is away, and brings it back whatever came of that. Where the part can't
    /// be taken away, the story is skipped.
    pub fn without<T>(&self, part: &str, act: impl FnOnce() -> Result<T>) -> Result<T> {
        if let Err(why) = shell(&format!("{} {part}", self.off)) {
            return Err(Skipped(why.to_string()).into());
        }
        let result = act();
        shell(&format!("{} {part}", self.on))?;
        result
    }
}

/// Runs a command of the environment.
pub fn shell(command: &str) -> Result<()> {
    let status = Command::new("sh").args(["-c", command]).status()?;
    ensure!(status.success(), "{command}: {status}");
    Ok(())
}

/// What callers saw of a fault.
#[derive(Debug)]
pub struct Seen {
    fault: String,
    /// From the fault until all was well.
    pub took: Duration,
    /// What was asked meanwhile.
    pub count: Count,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, took, count } = self;
        let (requests, failed, took) = (count.requests, count.failures(), took.as_secs_f64());
        write!(f, "{fault}: {failed} of {requests} failed, ")?;
        write!(f, "all well after {took:.1} s")?;
        if failed > 0 {
            let (kinds, seconds) = (count.kinds(), count.bad_seconds);
            write!(f, "; within {seconds} s: {kinds}")?;
        }
        Ok(())
    }
}

/// The shipped Deployment on three nodes, the load from the first of them, and the other two.
pub fn on_three_nodes(namespace: &Namespace<'_>) -> Result<(Load, [String; 2])> {
    let nodes = nodes::schedulable(namespace)?;
    let [sender, one, another, ..] = &nodes[..] else {
        let why = format!("it needs three nodes that take pods, and not {nodes:?}");
        return Err(Skipped(why).into());
    };
    deployment::deploy(namespace)?;
    let load = Load::start(namespace, RATE, &[sender])?;
    Ok((load, [one.clone(), another.clone()]))
}

/// Has a fault happen under load, and waits until all is well by itself. Hardly a request fails from then on.
pub fn under(
    namespace: &Namespace<'_>,
    load: &mut Load,
    fault: &str,
    happen: impl FnOnce() -> Result<()>,
) -> Result<Seen> {
    let begun = load.now()?;
    let start = Instant::now();
    happen()?;
    well(namespace)?;
    let took = start.elapsed();
    load.follow_again(namespace)?;
    let count = load.since(&begun)?;
    let afterwards = load.next(AFTERWARDS)?;
    let seen = Seen {
        fault: fault.to_owned(),
        took,
        count,
    };
    println!("{seen}");
    let (failed, kinds) = (afterwards.failures(), afterwards.kinds());
    ensure!(
        failed * 200 < afterwards.requests,
        "{fault}: when all was well, {failed} failed: {kinds}"
    );
    ensure!(seen.count.requests > 0, "{fault}: the load asked nothing");
    Ok(seen)
}

/// Waits until the nodes are Ready, and three pods, and no other is left but those that were evicted, whose
/// objects stay.
pub fn well(namespace: &Namespace<'_>) -> Result<()> {
    namespace.until("all nodes are Ready, and three pods", || {
        let nodes = namespace.json("get nodes")?;
        let mut nodes = nodes["items"].as_array().into_iter().flatten();
        let deployment = namespace.json(&format!("get deployment {NAME}"))?;
        let seen = &deployment["status"]["observedGeneration"];
        let mut pods = deployment::all_pods(namespace)?;
        pods.retain(|pod| pod["status"]["phase"] != "Failed");
        let settled = |pod: &Value| is_ready(pod) && !is_stopping(pod);
        let well = nodes.all(is_ready)
            && *seen == deployment["metadata"]["generation"]
            && pods.len() == 3
            && pods.iter().all(settled);
        Ok(well.then_some(()))
    })
}

/// Three pods are as they were: none was replaced, and no container restarted.
pub fn untouched(namespace: &Namespace<'_>, before: &[Value]) -> Result<()> {
    let known = |pod| before.iter().any(|it| name(it) == name(pod));
    let restarted = |pod| ["oneapi", "twoapi"].iter().any(|it| restarts(pod, it) > 0);
    let after = deployment::ready_pods(namespace, 3)?;
    let same = after.iter().all(|pod| known(pod) && !restarted(pod));
    ensure!(same, "the same pods, and the same containers");
    Ok(())
}
