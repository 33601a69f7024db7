//! Step 1: one pod with one container, made by hand.

use e2e::{Context, Result, Story, ensure};

pub fn tell(story: &Story<'_>) -> Result<()> {
    let image = story.cluster.image("oneapi", &story.cluster.tag);
    story.kubectl(&format!("run oneapi --image={image} --port=5000"))?;
    let pod = story.ready("oneapi")?;
    let ip = pod["status"]["podIP"]
        .as_str()
        .context("the pod has an IP")?;

    let wide = story.kubectl("get pod oneapi -o wide")?;
    ensure!(wide.contains(ip), "kubectl shows the pod's IP {ip}: {wide}");
    let told = story.kubectl("describe pod oneapi")?;
    for words in [image.as_str(), ip, "Started", "5000/TCP"] {
        ensure!(told.contains(words), "describe says {words}: {told}");
    }

    let answer = story.ask("oneapi", 5000, "/test")?;
    ensure!(
        answer == format!("ip is {ip}"),
        "/test says the pod's own IP, {ip}: {answer}"
    );

    let log = story.kubectl("logs oneapi")?;
    let first = log.lines().next().unwrap_or_default();
    ensure!(
        first.contains(&format!(r#""version":"{}""#, story.cluster.tag)),
        "the log's first line says the version: {first}"
    );
    story.kubectl("delete pod oneapi")?;
    Ok(())
}
