//! `kubectl rollout pause`, `resume` and `restart`; and the old pods that are still there when
//! `rollout status` is done; and a pod that a quota refuses.

use e2e::{
    Namespace, Result, deployment, ensure, feature,
    namespace::SOON,
    pods::{self, image, name},
};

const DEPLOYMENT: &str = "deployment/chesterdeployment";

pub fn pause_resume_restart(namespace: &Namespace<'_>) -> Result<()> {
    let old = deployment::deploy(namespace)?;
    namespace.kubectl(&format!("rollout pause {DEPLOYMENT}"))?;
    deployment::update_to(namespace, &namespace.cluster.next)?;
    namespace.until("the controller has seen the change", SOON, || {
        let deployment = namespace.json(&format!("get {DEPLOYMENT}"))?;
        let seen = &deployment["status"]["observedGeneration"];
        Ok((*seen == deployment["metadata"]["generation"]).then_some(()))
    })?;
    let sets = namespace.json(&format!("get replicasets -l {}", deployment::SELECTOR))?;
    ensure!(
        sets["items"].as_array().map_or(0, Vec::len) == 1,
        "a change of what is paused creates no new ReplicaSet"
    );
    let status = namespace.fails(&format!("rollout status {DEPLOYMENT} --timeout=2s"))?;
    ensure!(
        status.contains("0 out of 3 new replicas have been updated"),
        "rollout status waits: {status}"
    );
    ensure!(
        same(&old, &deployment::ready_pods(namespace, 3)?),
        "the pods are those from before"
    );

    namespace.kubectl(&format!("rollout resume {DEPLOYMENT}"))?;
    deployment::rolled_out(namespace)?;
    let updated = deployment::ready_pods(namespace, 3)?;
    let next = namespace.cluster.image("oneapi", &namespace.cluster.next);
    ensure!(
        updated.iter().all(|pod| image(pod, "oneapi") == next),
        "the change that waited is rolled out"
    );

    namespace.kubectl(&format!("rollout restart {DEPLOYMENT}"))?;
    deployment::rolled_out(namespace)?;
    let restarted = deployment::ready_pods(namespace, 3)?;
    ensure!(
        !restarted
            .iter()
            .any(|pod| updated.iter().any(|old| name(old) == name(pod))),
        "a restart replaces every pod"
    );
    for pod in &restarted {
        ensure!(
            image(pod, "oneapi") == next && pods::restarts(pod, "oneapi") == 0,
            "with another pod of the same version, and not by a restart of its containers"
        );
        ensure!(
            pod["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"].is_string(),
            "what has changed is an annotation of the template"
        );
    }
    Ok(())
}

/// `rollout status` counts the new pods. The old ones drain for 6 s more.
pub fn terminating_replicas(namespace: &Namespace<'_>) -> Result<()> {
    feature::since(namespace, 35, "status.terminatingReplicas")?;
    deployment::deploy(namespace)?;
    feature::has_field(
        &namespace.json(&format!("get {DEPLOYMENT}"))?,
        "/status/terminatingReplicas",
        "DeploymentReplicaSetTerminatingReplicas",
    )?;
    namespace.kubectl(&format!("rollout restart {DEPLOYMENT}"))?;
    deployment::rolled_out(namespace)?;
    let status = namespace.json(&format!("get {DEPLOYMENT}"))?["status"].take();
    ensure!(
        status["readyReplicas"] == 3 && status["terminatingReplicas"] == 3,
        "three are ready, and three are still stopping: {status}"
    );
    namespace.until("the old pods are gone", SOON, || {
        let status = namespace.json(&format!("get {DEPLOYMENT}"))?["status"].take();
        Ok((status["terminatingReplicas"] == 0).then_some(()))
    })
}

fn same(before: &[e2e::Value], after: &[e2e::Value]) -> bool {
    after
        .iter()
        .all(|pod| before.iter().any(|old| name(old) == name(pod)))
}

/// A quota of four pods and a Deployment of five: the fifth is refused, and so never exists.
pub fn never_created(namespace: &Namespace<'_>) -> Result<()> {
    deployment::deploy(namespace)?;
    namespace.kubectl("create quota chesterquota --hard=pods=4")?;
    namespace.until("the quota counts the pods that are there", SOON, || {
        let quota = namespace.json("get quota chesterquota")?;
        Ok((quota["status"]["used"]["pods"] == "3").then_some(()))
    })?;
    namespace.kubectl(&format!("scale {DEPLOYMENT} --replicas=5"))?;
    namespace.until("the Deployment says why a pod is missing", SOON, || {
        let deployment = namespace.json(&format!("get {DEPLOYMENT}"))?;
        let failure = &pods::condition(&deployment, "ReplicaFailure")["message"];
        Ok((failure.as_str())
            .is_some_and(|message| message.contains("exceeded quota: chesterquota"))
            .then_some(()))
    })?;
    let pods = deployment::ready_pods(namespace, 4)?;
    ensure!(
        deployment::all_pods(namespace)?.len() == pods.len(),
        "no pod waits for being created"
    );
    namespace.kubectl("delete quota chesterquota")?;
    deployment::ready_pods(namespace, 5)?; // by itself: the controller tries again
    Ok(())
}
