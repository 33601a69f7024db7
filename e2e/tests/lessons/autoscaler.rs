//! A HorizontalPodAutoscaler under a known total: from 1 pod to the number that can be computed,
//! and back when the total is gone.

use std::time::Duration;

use e2e::{Result, Story, ensure};

/// metrics-server and the autoscaler each look every 15 s, and it takes a few looks.
const PATIENCE: Duration = Duration::from_secs(180);

pub fn tell(story: &Story<'_>) -> Result<()> {
    story.deploy()?;
    story.kubectl("scale deployment chesterdeployment --replicas=1")?;
    story.ready_pods(1)?;
    story.apply("k8s/lessons/headless.yaml")?;
    story.apply("k8s/lessons/autoscaler.yaml")?;
    story.apply("k8s/lessons/burn.yaml")?;

    // 350 millicores in all, 100 a pod: 3.5, and there are no half pods.
    story.until("there are 4 pods", PATIENCE, || replicas_are(story, 4))?;
    story.ready_pods(4)?;
    let events = story.kubectl("get events --field-selector reason=SuccessfulRescale")?;
    ensure!(
        !events.contains("New size: 5") && !events.contains("New size: 6"),
        "never more than computed: {events}"
    );

    story.kubectl("wait --for=condition=Complete job/burn --timeout=180s")?;
    let said = story.kubectl("logs job/burn --tail=20")?;
    story.note(&said);
    story.until("there is 1 pod again", PATIENCE, || replicas_are(story, 1))?;
    Ok(())
}

fn replicas_are(story: &Story<'_>, count: u64) -> Result<Option<()>> {
    let deployment = story.json("get deployment chesterdeployment")?;
    let scaler = story.json("get hpa chesterscaler")?;
    Ok(
        (deployment["spec"]["replicas"] == count && scaler["status"]["desiredReplicas"] == count)
            .then_some(()),
    )
}
