//! `make deploy` and `make undeploy` neither change nor delete what somebody else has created.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use cluster::{Namespace, life, manifest};
use serde_json::Value;

/// In a namespace that exists, deploy changes nothing but its own objects, and undeploy deletes
/// nothing else.
pub fn into_a_namespace_that_exists(namespace: &Namespace<'_>) -> Result<()> {
    let name = &namespace.name;
    namespace.kubectl("create configmap foreign --from-literal=key=value")?;
    let labels = || labels(namespace, name);
    let before = labels()?;

    make(namespace, "deploy", name)?;
    namespace.kubectl("rollout status deployment/chesterdeployment --timeout=120s")?;
    ensure!(labels()? == before, "deploy doesn't label it: {before}");

    let said = make(namespace, "undeploy", name)?;
    let stays = said.contains("was not made by deploy and stays");
    ensure!(stays, "undeploy says that it stays: {said}");
    namespace.kubectl("get configmap foreign")?;
    let own = "deployments,replicasets,pods,services,poddisruptionbudgets";
    let left = namespace.kubectl(&format!("get {own} -o name"))?;
    ensure!(left.is_empty(), "all that deploy made is gone: {left}");

    namespace.kubectl("create service clusterip chesterservice --tcp=80")?;
    let Err(refused) = make(namespace, "deploy", name) else {
        bail!("deploy took over a Service of somebody else's");
    };
    let why = "Somebody else has made service/chesterservice";
    let says_why = refused.to_string().contains(why);
    ensure!(says_why, "it says why it doesn't: {refused}");
    let service = namespace.json("get service chesterservice")?;
    let port = &service["spec"]["ports"][0]["port"];
    ensure!(*port == 80, "it is as it was: {service}");
    Ok(())
}

/// Undeploy deletes a namespace that deploy has created, but not if others have put something into
/// it.
pub fn into_a_new_namespace(namespace: &Namespace<'_>) -> Result<()> {
    // The story's own namespace is there already; this one is deploy's.
    let name = format!("{}-made", namespace.name);
    let result = made_by_deploy(namespace, &name);
    namespace.kubectl(&format!(
        "delete namespace {name} --ignore-not-found --wait=false"
    ))?;
    result
}

fn made_by_deploy(namespace: &Namespace<'_>, name: &str) -> Result<()> {
    make(namespace, "deploy", name)?;
    let (label, run) = (life::LABEL, &namespace.cluster.run);
    namespace.kubectl(&format!("label namespace {name} {label}={run}"))?;
    let made = labels(namespace, name)?;
    let enforced = &made["pod-security.kubernetes.io/enforce"];
    ensure!(*enforced == "restricted", "as k8s/ns.yaml has it: {made}");
    let elsewhere = Namespace::new(namespace.cluster, name);
    elsewhere.kubectl("create configmap foreign --from-literal=key=value")?;

    let said = make(namespace, "undeploy", name)?;
    let says_why = said.contains("stays") && said.contains("ConfigMap/foreign");
    ensure!(says_why, "undeploy says what keeps it: {said}");
    elsewhere.kubectl("get configmap foreign")?;

    elsewhere.kubectl("delete configmap foreign")?;
    make(namespace, "undeploy", name)?;
    let left = namespace.kubectl(&format!("get namespace {name} --ignore-not-found"))?;
    ensure!(left.is_empty(), "nobody else had anything in it: {left}");
    make(namespace, "undeploy", name).context("once more, there is nothing to do")?;
    Ok(())
}

fn labels(namespace: &Namespace<'_>, name: &str) -> Result<Value> {
    let mut found = namespace.json(&format!("get namespace {name}"))?;
    Ok(found["metadata"]["labels"].take())
}

/// The output of a command of the Makefile, for a namespace.
fn make(namespace: &Namespace<'_>, command: &str, name: &str) -> Result<String> {
    let cluster = namespace.cluster;
    let output = Command::new("make")
        .current_dir(manifest::path(""))
        .args([command, &format!("NAMESPACE={name}")])
        .arg(format!("REGISTRY={}", cluster.registry))
        .arg(format!("TAG={}", cluster.tag))
        // Those of the `make e2e` that runs this are not meant for this one.
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .output()
        .context("make can't be started: is it installed?")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    namespace.note(&format!("$ make {command} NAMESPACE={name}\n{text}"));
    ensure!(output.status.success(), "make {command}: {text}");
    Ok(text)
}
