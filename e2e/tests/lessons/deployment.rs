//! A Deployment of three pods behind a Service, in a namespace from `k8s/ns.yaml`.

use std::collections::BTreeSet;

use e2e::{Context, Namespace, Result, ask, deployment, ensure, namespace::SOON, pods::name};

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    let pods = deployment::deploy(namespace)?;

    let mut said = BTreeSet::new();
    for pod in &pods {
        let ip = pod["status"]["podIP"].as_str().context("a pod has an IP")?;
        let answer = ask::pod(namespace, name(pod), 5001, "/test/calloneapi")?;
        ensure!(
            answer == format!("one api response is ip is {ip}"),
            "{} says its own IP {ip}: {answer}",
            name(pod)
        );
        said.insert(format!("ip is {ip}"));

        let info = ask::info(namespace, name(pod), 5000)?;
        let tag = &namespace.cluster.tag;
        ensure!(
            info["version"] == tag.as_str(),
            "/info says the version {tag}: {info}"
        );
        ensure!(info["pod"] == name(pod), "/info says the pod: {info}");
        ensure!(
            info["namespace"] == namespace.name.as_str(),
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
    namespace.until("the Service has reached all three", SOON, || {
        heard.insert(ask::service(namespace, "chesterservice", 5000, "/test")?);
        Ok((heard.len() == 3).then_some(()))
    })?;
    ensure!(
        heard == said,
        "the Service reaches these and no other: {heard:?}"
    );
    Ok(())
}
