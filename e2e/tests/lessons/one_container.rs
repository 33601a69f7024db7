//! One pod with one container, created by hand.

use e2e::{Context, Namespace, Result, ask, ensure, pods};

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    let image = namespace.cluster.image("oneapi", &namespace.cluster.tag);
    namespace.kubectl(&format!("run oneapi --image={image} --port=5000"))?;
    let pod = pods::ready(namespace, "oneapi")?;
    let ip = pod["status"]["podIP"]
        .as_str()
        .context("the pod has an IP")?;

    let wide = namespace.kubectl("get pod oneapi -o wide")?;
    ensure!(wide.contains(ip), "kubectl shows the pod's IP {ip}: {wide}");
    let description = namespace.kubectl("describe pod oneapi")?;
    for words in [image.as_str(), ip, "Started", "5000/TCP"] {
        ensure!(
            description.contains(words),
            "describe says {words}: {description}"
        );
    }

    let answer = ask::pod(namespace, "oneapi", 5000, "/test")?;
    ensure!(
        answer == format!("ip is {ip}"),
        "/test says the pod's own IP, {ip}: {answer}"
    );

    let log = namespace.kubectl("logs oneapi")?;
    let first = log.lines().next().unwrap_or_default();
    ensure!(
        first.contains(&format!(r#""version":"{}""#, namespace.cluster.tag)),
        "the log's first line says the version: {first}"
    );
    namespace.kubectl("delete pod oneapi")?;
    Ok(())
}
