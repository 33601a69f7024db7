//! `make deploy` and `make undeploy` neither change nor delete what somebody else has created.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use cluster::{Namespace, life, manifest};

/// In a namespace that exists, deploy changes nothing but its own objects, and undeploy deletes
/// nothing else.
pub fn into_a_namespace_that_exists(namespace: &Namespace<'_>) -> Result<()> {
    let name = &namespace.name;
    namespace.kubectl("create configmap foreign --from-literal=key=value")?;
    let labels = namespace.json(&format!("get namespace {name}"))?["metadata"]["labels"].clone();

    make(namespace, "deploy", name)?;
    namespace.kubectl("rollout status deployment/chesterdeployment --timeout=120s")?;
    let after = &namespace.json(&format!("get namespace {name}"))?["metadata"]["labels"];
    ensure!(
        *after == labels,
        "deploy doesn't label it: {labels} and then {after}"
    );

    let output = make(namespace, "undeploy", name)?;
    ensure!(
        output.contains("was not made by deploy and stays"),
        "undeploy says that it stays: {output}"
    );
    namespace.kubectl("get configmap foreign")?;
    let own = "deployments,replicasets,pods,services,poddisruptionbudgets";
    let left = namespace.kubectl(&format!("get {own} -o name"))?;
    ensure!(left.is_empty(), "all that deploy made is gone: {left}");

    namespace.kubectl("create service clusterip chesterservice --tcp=80")?;
    let Err(refused) = make(namespace, "deploy", name) else {
        bail!("deploy took over a Service of somebody else's");
    };
    ensure!(
        refused
            .to_string()
            .contains("Somebody else has made service/chesterservice"),
        "it says why it doesn't: {refused}"
    );
    let service = namespace.json("get service chesterservice")?;
    ensure!(
        service["spec"]["ports"][0]["port"] == 80,
        "it is as it was: {service}"
    );
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
    let made = namespace.json(&format!("get namespace {name}"))?;
    ensure!(
        made["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted",
        "it is as k8s/ns.yaml has it: {made}"
    );
    let elsewhere = Namespace::new(namespace.cluster, name);
    elsewhere.kubectl("create configmap foreign --from-literal=key=value")?;

    let output = make(namespace, "undeploy", name)?;
    ensure!(
        output.contains("stays") && output.contains("ConfigMap/foreign"),
        "undeploy says what keeps it: {output}"
    );
    elsewhere.kubectl("get configmap foreign")?;

    elsewhere.kubectl("delete configmap foreign")?;
    make(namespace, "undeploy", name)?;
    let left = namespace.kubectl(&format!("get namespace {name} --ignore-not-found"))?;
    ensure!(
        left.is_empty(),
        "nothing of anybody else's was in it: {left}"
    );
    make(namespace, "undeploy", name).context("once more, there is nothing to do")?;
    Ok(())
}

/// The output of a verb of the Makefile, for a namespace.
fn make(namespace: &Namespace<'_>, verb: &str, name: &str) -> Result<String> {
    let cluster = namespace.cluster;
    let output = Command::new("make")
        .current_dir(manifest::path(""))
        .args([verb, &format!("NAMESPACE={name}")])
        .args([
            &format!("REGISTRY={}", cluster.registry),
            &format!("TAG={}", cluster.tag),
        ])
        // Those of the `make e2e` that runs this are not meant for this one.
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .output()
        .context("make can't be started: is it installed?")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    namespace.note(&format!("$ make {verb} NAMESPACE={name}\n{text}"));
    ensure!(output.status.success(), "make {verb}: {text}");
    Ok(text)
}
