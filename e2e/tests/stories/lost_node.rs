//! A node is lost: what callers see from then on, second by second, until other pods have taken the place
//! of its pods, and what becomes of them when it is back. `NODE` is its name, and the commands `NODE_OFF`
//! and `NODE_ON` take it off and bring it back. With the shipped Deployment it takes seven minutes, since a
//! lost node's pods are replaced after five.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use cluster::{
    Namespace, deployment,
    life::Skipped,
    pods::{is_ready, is_stopping},
    set,
    wait::until,
};
use e2e::{
    faults::shell,
    load::{Count, Load},
    nodes,
};
use serde_json::Value;

/// Until the node is NotReady: 50 s, 40 s before Kubernetes 1.32. Then its pods are tolerated for 300 s.
const LOST: Duration = Duration::from_secs(100);
const REPLACED: Duration = Duration::from_secs(400);

/// For 120 s Linux sends a connection from the same port to the pod that it has chosen before
/// (`nf_conntrack_tcp_timeout_syn_sent`). So some requests fail late, within their own time of 5 s.
const FORGOTTEN: Duration = Duration::from_secs(130);

const RATE: u32 = 200;

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    let variable = |name| {
        let why = "NODE, NODE_OFF and NODE_ON say which node to lose, and how";
        set(name).ok_or_else(|| Skipped(why.to_owned()))
    };
    let (node, off, on) = (
        variable("NODE")?,
        variable("NODE_OFF")?,
        variable("NODE_ON")?,
    );
    let nodes = nodes::schedulable(namespace)?;
    ensure!(
        nodes.len() > 2 && nodes.contains(&node),
        "{node} is one of three nodes: {nodes:?}"
    );
    deployment::deploy(namespace)?;
    let on_node = |pod: &Value| pod["spec"]["nodeName"] == node.as_str();
    let all = || deployment::all_pods(namespace);
    ensure!(all()?.iter().any(on_node), "a pod is on {node}");
    let sender = nodes
        .iter()
        .find(|it| **it != node)
        .expect("there are three");
    let load = Load::start(namespace, RATE, &[sender])?;

    let begun = load.now()?;
    let start = Instant::now();
    let wait = |what: &str, limit, are: &dyn Fn(&[Value]) -> bool| -> Result<()> {
        until(what, limit, || Ok(are(&all()?).then_some(())))?;
        println!("{:>6.1} s  {what}", start.elapsed().as_secs_f64());
        Ok(())
    };
    let of_node =
        |all: &[Value], is: fn(&Value) -> bool| all.iter().filter(|it| on_node(it)).all(is);
    let elsewhere = |all: &[Value]| all.iter().filter(|it| is_ready(it) && !on_node(it)).count();
    shell(&off)?;
    let lost = || -> Result<[Count; 3]> {
        wait("the node's pods are not Ready", LOST, &|all| {
            of_node(all, |it| !is_ready(it))
        })?;
        // With what was sent before, and fails when its time is over.
        let suffered = load.since(&begun)?;
        let known = load.now()?;
        sleep(FORGOTTEN);
        let late = load.since(&known)?;
        let well = load.now()?;
        wait("the node's pods are deleted", REPLACED, &|all| {
            of_node(all, is_stopping)
        })?;
        wait("three others are Ready", LOST, &|all| elsewhere(all) == 3)?;
        Ok([suffered, late, load.since(&well)?])
    };
    let lost = lost();
    // Whatever came of it, the node is somebody's.
    shell(&on)?;
    let [suffered, late, afterwards] = lost?;
    let back = load.now()?;
    wait("the node is back, and its pods are gone", LOST, &|all| {
        !all.iter().any(is_stopping)
    })?;
    let back = load.since(&back)?;
    load.end(namespace)?;
    for (when, count) in [
        ("until then", &suffered),
        ("late", &late),
        ("afterwards", &afterwards),
        ("back", &back),
    ] {
        let (requests, failed, kinds) = (count.requests, count.failures(), count.kinds());
        println!(
            "{when}: {failed} of {requests} failed, within {} s: {kinds}",
            count.bad_seconds
        );
    }
    let failed = afterwards.failures() + back.failures();
    let asked = afterwards.requests + back.requests;
    // An entry that such a connection uses again lives for another 120 s.
    ensure!(
        failed * 200 < asked,
        "{failed} of {asked} requests failed when the pods had left the Service"
    );
    Ok(())
}
