//! Step 3: the three kinds of probe, each seen passing and failing. In each file the first pod's
//! probe passes and the second's fails; failing shows as an event `Unhealthy` and a restart.

use e2e::{Result, Story, ensure, pods::restarts};

pub fn http(story: &Story<'_>) -> Result<()> {
    story.apply("k8s/lessons/probe-http.yaml")?;
    fails(story, "probe-http-fails", "statuscode: 404")?;
    passes(story, "probe-http", &["oneapi", "twoapi"])
}

pub fn tcp(story: &Story<'_>) -> Result<()> {
    story.apply("k8s/lessons/probe-tcp.yaml")?;
    fails(story, "probe-tcp-fails", "connection refused")?;
    passes(story, "probe-tcp", &["oneapi"])
}

pub fn exec(story: &Story<'_>) -> Result<()> {
    story.apply("k8s/lessons/probe-exec.yaml")?;
    fails(
        story,
        "probe-exec-fails",
        "http://localhost:5000/test1 answered 404 Not Found",
    )?;
    passes(story, "probe-exec", &["oneapi"])
}

fn fails(story: &Story<'_>, pod: &str, words: &str) -> Result<()> {
    story.event(pod, "Unhealthy", words)?;
    story.event(pod, "Killing", "failed liveness probe")?;
    story.restarted(pod, "oneapi")?;
    Ok(())
}

/// Called when the other pod, of the same age, has been probed to death.
fn passes(story: &Story<'_>, pod: &str, containers: &[&str]) -> Result<()> {
    let seen = story.ready(pod)?;
    for container in containers {
        ensure!(
            restarts(&seen, container) == 0,
            "{container} of {pod} is never restarted"
        );
    }
    let unhealthy = story.kubectl(&format!(
        "get events --field-selector involvedObject.name={pod},reason=Unhealthy -o name"
    ))?;
    ensure!(
        unhealthy.is_empty(),
        "{pod}'s probes never fail: {unhealthy}"
    );
    Ok(())
}
