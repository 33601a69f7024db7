//! A HorizontalPodAutoscaler under a known total: from 1 pod to the number that can be computed,
//! and back when the total is gone.

use std::time::Duration;

use e2e::{Namespace, Result, deployment, ensure};

/// metrics-server measures and the autoscaler reads every 15 s, and it takes several rounds.
const TIMEOUT: Duration = Duration::from_secs(180);

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    deployment::deploy(namespace)?;
    namespace.kubectl("scale deployment chesterdeployment --replicas=1")?;
    deployment::ready_pods(namespace, 1)?;
    namespace.apply("k8s/lessons/headless.yaml")?;
    namespace.apply("k8s/lessons/autoscaler.yaml")?;
    namespace.apply("k8s/lessons/burn.yaml")?;

    // 350 millicores in all, 100 a pod: 3.5, and there are no half pods.
    namespace.until("there are 4 pods", TIMEOUT, || replicas_are(namespace, 4))?;
    deployment::ready_pods(namespace, 4)?;
    let events = namespace.kubectl("get events --field-selector reason=SuccessfulRescale")?;
    ensure!(
        !events.contains("New size: 5") && !events.contains("New size: 6"),
        "never more than computed: {events}"
    );

    namespace.kubectl("wait --for=condition=Complete job/burn --timeout=180s")?;
    let said = namespace.kubectl("logs job/burn --tail=20")?;
    namespace.note(&said);
    namespace.until("there is 1 pod again", TIMEOUT, || {
        replicas_are(namespace, 1)
    })?;
    Ok(())
}

fn replicas_are(namespace: &Namespace<'_>, count: u64) -> Result<Option<()>> {
    let deployment = namespace.json("get deployment chesterdeployment")?;
    let scaler = namespace.json("get hpa chesterscaler")?;
    Ok(
        (deployment["spec"]["replicas"] == count && scaler["status"]["desiredReplicas"] == count)
            .then_some(()),
    )
}
