//! Step 5: the namespace, and in it a Deployment of three pods behind a Service.

use std::collections::BTreeSet;

use e2e::{Context, Result, Story, ensure, pods::name, story::SOON};

pub fn tell(story: &Story<'_>) -> Result<()> {
    story.apply("k8s/ns.yaml")?;
    story.own_namespace()?;
    let pods = story.deploy()?;

    let mut said = BTreeSet::new();
    for pod in &pods {
        let ip = pod["status"]["podIP"].as_str().context("a pod has an IP")?;
        let answer = story.ask(name(pod), 5001, "/test/calloneapi")?;
        ensure!(
            answer == format!("one api response is ip is {ip}"),
            "{} says its own IP {ip}: {answer}",
            name(pod)
        );
        said.insert(format!("ip is {ip}"));

        let info = story.info(name(pod), 5000)?;
        let tag = &story.cluster.tag;
        ensure!(
            info["version"] == tag.as_str(),
            "/info says the version {tag}: {info}"
        );
        ensure!(info["pod"] == name(pod), "/info says the pod: {info}");
        ensure!(
            info["namespace"] == story.namespace.as_str(),
            "/info says the namespace: {info}"
        );
        ensure!(
            info["node"] == pod["spec"]["nodeName"],
            "/info says the node: {info}"
        );
        ensure!(
            info["limits"]["cpu_millicores"] == 500,
            "/info says the limit of deployment.yaml: {info}"
        );
    }
    ensure!(said.len() == 3, "three pods have three IPs: {said:?}");

    let mut heard = BTreeSet::new();
    story.until("the Service has reached all three", SOON, || {
        heard.insert(story.ask_service("chesterservice", 5000, "/test")?);
        Ok((heard.len() == 3).then_some(()))
    })?;
    ensure!(
        heard == said,
        "the Service reaches these and no other: {heard:?}"
    );
    Ok(())
}
