//! A version that never becomes ready: the rollout stops with all old pods in place, fails when
//! `progressDeadlineSeconds` are over, and an undo clears it away.

use e2e::{
    Result, Story, ensure,
    pods::{is_ready, name},
    story::SOON,
};

pub fn tell(story: &Story<'_>) -> Result<()> {
    let good = story.deploy()?;
    story.patch("k8s/lessons/never-ready.patch.yaml")?;
    let status = story.fails("rollout status deployment/chesterdeployment --timeout=60s")?;
    ensure!(
        status.contains("exceeded its progress deadline"),
        "the rollout fails when its deadline is over: {status}"
    );
    let (old, new): (Vec<_>, Vec<_>) = story
        .pods()?
        .into_iter()
        .partition(|pod| good.iter().any(|before| name(before) == name(pod)));
    ensure!(
        old.len() == 3 && old.iter().all(is_ready),
        "the three old pods are in place, ready"
    );
    ensure!(
        !new.is_empty() && !new.iter().any(is_ready),
        "the new ones are there, none ready"
    );
    story.event(
        name(&new[0]),
        "Unhealthy",
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
    )?;
    story.ask_service("chesterservice", 5001, "/test/calloneapi")?;

    story.kubectl("rollout undo deployment/chesterdeployment")?;
    // Until the controller has seen it, `rollout status` still tells of the failure.
    story.until("the rollout is well again", SOON, || {
        Ok(story.rolled_out().ok())
    })?;
    let pods = story.ready_pods(3)?;
    ensure!(
        pods.iter()
            .all(|pod| good.iter().any(|before| name(before) == name(pod))),
        "the same three pods as before, none of which ever stopped"
    );
    Ok(())
}
