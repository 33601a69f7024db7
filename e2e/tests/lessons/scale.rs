//! Step 9: from three pods to ten, and back.

use std::collections::BTreeSet;

use e2e::{Result, Story, ensure, pods::name};

pub fn tell(story: &Story<'_>) -> Result<()> {
    story.deploy()?;
    story.kubectl("scale deployment chesterdeployment --replicas=10")?;
    let mut said = BTreeSet::new();
    for pod in &story.ready_pods(10)? {
        said.insert(story.ask(name(pod), 5001, "/test/calloneapi")?);
    }
    ensure!(said.len() == 10, "ten pods say ten IPs: {said:?}");

    story.kubectl("scale deployment chesterdeployment --replicas=3")?;
    for pod in &story.ready_pods(3)? {
        story.ask(name(pod), 5001, "/test/calloneapi")?;
    }
    Ok(())
}
