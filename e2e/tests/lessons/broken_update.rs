//! An update that fails: twoapi's container gets oneapi's image, so that two programs in one
//! pod need port 5000. The rollout gets stuck, the old pods still answer, and an undo restores all.

use e2e::{
    Namespace, Result, ask, deployment, ensure,
    namespace::SOON,
    pods::{self, ended, image, is_ready, name},
};

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    let good = deployment::deploy(namespace)?;
    let cluster = namespace.cluster;
    let twoapi = cluster.image("twoapi", &cluster.tag);
    let wrong = cluster.image("oneapi", &cluster.tag);

    let update = format!("set image deployment/chesterdeployment twoapi={wrong} --record");
    namespace.kubectl(&update)?;
    let new = namespace.until("a container of a new pod has ended", SOON, || {
        Ok(deployment::pods(namespace)?
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
        "its termination message names the port: {said}"
    );

    let status = namespace.fails("rollout status deployment/chesterdeployment --timeout=5s")?;
    ensure!(
        status.contains("Waiting for deployment"),
        "the rollout does not finish: {status}"
    );
    for pod in &good {
        let pod = pods::get(namespace, name(pod))?;
        ensure!(is_ready(&pod), "the old pod {} is still Ready", name(&pod));
        ask::pod(namespace, name(&pod), 5001, "/test/calloneapi")?;
    }
    ask::service(namespace, "chesterservice", 5001, "/test/calloneapi")?;

    let history = namespace.kubectl("rollout history deployment/chesterdeployment")?;
    ensure!(
        history.contains("set image deployment/chesterdeployment"),
        "--record has put the command into the history: {history}"
    );
    let first = namespace.kubectl("rollout history deployment/chesterdeployment --revision=1")?;
    ensure!(
        first.contains(&twoapi),
        "revision 1 has twoapi's image: {first}"
    );
    let second = namespace.kubectl("rollout history deployment/chesterdeployment --revision=2")?;
    ensure!(
        second.contains(&wrong),
        "revision 2 has oneapi's image twice: {second}"
    );

    namespace.kubectl("rollout undo deployment/chesterdeployment --to-revision=1")?;
    same_as_before(namespace, &good)?;

    // What was revision 1 is the newest now, under a new number.
    let gone = namespace.fails("rollout undo deployment/chesterdeployment --to-revision=1")?;
    ensure!(
        gone.contains("unable to find specified revision 1"),
        "an undo takes a revision's number away: {gone}"
    );
    let history = namespace.kubectl("rollout history deployment/chesterdeployment")?;
    ensure!(
        revisions(&history) == [2, 3],
        "and gives it the next one: {history}"
    );

    // Broken once more, and undone without a number: back to the one before.
    namespace.kubectl(&update)?;
    namespace.kubectl("rollout undo deployment/chesterdeployment")?;
    same_as_before(namespace, &good)
}

fn same_as_before(namespace: &Namespace<'_>, good: &[e2e::Value]) -> Result<()> {
    deployment::rolled_out(namespace)?;
    let mut names: Vec<String> = deployment::ready_pods(namespace, 3)?
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
