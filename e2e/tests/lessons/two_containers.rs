//! One pod with two containers, which share its IP and its localhost.

use e2e::{Context, Namespace, Result, ask, ensure, pods};

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/pod.yaml")?;
    let pod = pods::ready(namespace, "chesterapi")?;
    let ip = pod["status"]["podIP"]
        .as_str()
        .context("the pod has an IP")?;
    let listed = namespace.kubectl("get pod chesterapi")?;
    ensure!(
        listed.contains("2/2"),
        "both containers are ready: {listed}"
    );

    let one = ask::pod(namespace, "chesterapi", 5000, "/test")?;
    ensure!(
        one == format!("ip is {ip}"),
        "oneapi says the pod's IP {ip}: {one}"
    );
    let two = ask::pod(namespace, "chesterapi", 5001, "/test/calloneapi")?;
    ensure!(
        two == format!("one api response is ip is {ip}"),
        "twoapi reaches oneapi on the shared localhost: {two}"
    );

    namespace.delete("k8s/pod.yaml")?;
    let gone = namespace.kubectl("get pods -o name")?;
    ensure!(gone.is_empty(), "delete -f removed the pod: {gone}");
    Ok(())
}
