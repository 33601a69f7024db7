//! Step 7: a good update, from one version to the next: each pod is replaced by one that says the
//! new version.

use e2e::{
    Result, Story, ensure,
    pods::{image, name},
};

pub fn tell(story: &Story<'_>) -> Result<()> {
    let old = story.deploy()?;
    let cluster = story.cluster;
    let oneapi = cluster.image("oneapi", &cluster.next);
    story.update_to(&cluster.next)?;
    story.rolled_out()?;
    for pod in &story.ready_pods(3)? {
        ensure!(
            old.iter().all(|before| name(before) != name(pod)),
            "{} is a new pod",
            name(pod)
        );
        ensure!(
            image(pod, "oneapi") == oneapi,
            "{} has the new image",
            name(pod)
        );
        for port in [5000, 5001] {
            let info = story.info(name(pod), port)?;
            ensure!(
                info["version"] == cluster.next.as_str(),
                "/info on port {port} says {}: {info}",
                cluster.next
            );
        }
    }
    Ok(())
}
