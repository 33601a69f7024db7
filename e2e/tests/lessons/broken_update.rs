//! Step 6: the tutorial's broken update: twoapi's container gets oneapi's image, so that two
//! programs want port 5000 in one pod. The rollout gets stuck, the old pods go on answering, and
//! an undo brings everything back.

use e2e::{
    Result, Story, ensure,
    pods::{ended, image, is_ready, name},
    story::SOON,
};

pub fn tell(story: &Story<'_>) -> Result<()> {
    let good = story.deploy()?;
    let cluster = story.cluster;
    let twoapi = cluster.image("twoapi", &cluster.tag);
    let wrong = cluster.image("oneapi", &cluster.tag);

    let update = format!("set image deployment/chesterdeployment twoapi={wrong} --record");
    story.kubectl(&update)?;
    let new = story.until("a container of a new pod has ended", SOON, || {
        Ok(story
            .pods()?
            .into_iter()
            .find(|pod| image(pod, "twoapi") == wrong && ended(pod, "twoapi").is_some()))
    })?;
    let end = ended(&new, "twoapi").unwrap_or(&e2e::Value::Null);
    ensure!(
        end["exitCode"] == 1,
        "it could not start, which is exit code 1: {end}"
    );
    let said = end["message"].as_str().unwrap_or_default();
    ensure!(
        said.contains("port 5000 is taken"),
        "its last words name the port: {said}"
    );

    let status = story.fails("rollout status deployment/chesterdeployment --timeout=5s")?;
    ensure!(
        status.contains("Waiting for deployment"),
        "the rollout does not finish: {status}"
    );
    for pod in &good {
        let pod = story.pod(name(pod))?;
        ensure!(is_ready(&pod), "the old pod {} is still Ready", name(&pod));
        story.ask(name(&pod), 5001, "/test/calloneapi")?;
    }
    story.ask_service("chesterservice", 5001, "/test/calloneapi")?;

    let history = story.kubectl("rollout history deployment/chesterdeployment")?;
    ensure!(
        history.contains("set image deployment/chesterdeployment"),
        "--record has put the command into the history: {history}"
    );
    let first = story.kubectl("rollout history deployment/chesterdeployment --revision=1")?;
    ensure!(
        first.contains(&twoapi),
        "revision 1 has twoapi's image: {first}"
    );
    let second = story.kubectl("rollout history deployment/chesterdeployment --revision=2")?;
    ensure!(
        second.contains(&wrong),
        "revision 2 has oneapi's image twice: {second}"
    );

    story.kubectl("rollout undo deployment/chesterdeployment --to-revision=1")?;
    same_as_before(story, &good)?;

    // What was revision 1 is the newest now, under a new number.
    let gone = story.fails("rollout undo deployment/chesterdeployment --to-revision=1")?;
    ensure!(
        gone.contains("unable to find specified revision 1"),
        "an undo takes a revision's number away: {gone}"
    );
    let history = story.kubectl("rollout history deployment/chesterdeployment")?;
    ensure!(
        revisions(&history) == [2, 3],
        "and gives it the next one: {history}"
    );

    // Broken once more, and undone without a number: back to the one before.
    story.kubectl(&update)?;
    story.kubectl("rollout undo deployment/chesterdeployment")?;
    same_as_before(story, &good)
}

fn same_as_before(story: &Story<'_>, good: &[e2e::Value]) -> Result<()> {
    story.rolled_out()?;
    let mut names: Vec<String> = story
        .ready_pods(3)?
        .iter()
        .map(|pod| name(pod).to_owned())
        .collect();
    names.sort_unstable();
    let mut before: Vec<&str> = good.iter().map(name).collect();
    before.sort_unstable();
    ensure!(
        names == before,
        "the pods that never stopped are all there is: {names:?}"
    );
    Ok(())
}

/// The numbers in the first column.
fn revisions(history: &str) -> Vec<u32> {
    history
        .lines()
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
        .collect()
}
