//! What a known load shows: a limit and its throttling, requests under contention.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use cluster::{
    Namespace, SOON, ask, deployment,
    pods::{self, name, restarts},
};

/// Below the limit nothing is throttled, at the limit the kernel does it; `/info` shows it. Neither
/// restarts the container, although its liveness probe would notice within the time of a burn.
pub fn limit(namespace: &Namespace<'_>) -> Result<()> {
    deployment::deploy(namespace)?;
    deployment::patch(namespace, "k8s/lessons/eager-liveness.patch.yaml")?;
    // So that the process can be halted below.
    deployment::patch(namespace, "k8s/lessons/shared-processes.patch.yaml")?;
    deployment::rolled_out(namespace)?;
    deployment::ready_pods(namespace, 3)?;
    let pod = name(&deployment::pods(namespace)?[0]).to_owned();

    let kept = ask::burn(namespace, &pod, "minutes=0.2&millicores=1000")?;
    ensure!(
        kept["granted_millicores"] == 475,
        "5 % below the limit of 500: {kept}"
    );
    let share = kept["throttled_share"]
        .as_f64()
        .context("there is a limit")?;
    // A few hundredths on a quiet machine; on a busy one what was held back is made up for.
    ensure!(
        share < 0.2,
        "so the kernel has next to nothing to throttle: {kept}"
    );

    let forced = ask::burn(namespace, &pod, "minutes=0.2&millicores=1000&force=true")?;
    ensure!(forced["granted_millicores"] == 1000, "as asked: {forced}");
    let share = forced["throttled_share"]
        .as_f64()
        .context("there is a limit")?;
    ensure!(share > 0.8, "nearly every period is throttled: {forced}");
    let achieved = forced["achieved_seconds"].as_f64().unwrap_or(0.0);
    let wall = forced["wall_seconds"].as_f64().unwrap_or(f64::MAX);
    ensure!(
        (0.45..0.52).contains(&(achieved / wall)),
        "the limit holds, at half a core: {forced}"
    );

    let info = ask::json(namespace, &pod, 5000, "/info")?;
    let throttled = &info["usage"]["throttling"]["throttled_periods"];
    ensure!(
        throttled.as_u64() > Some(50),
        "/info shows the throttled periods: {info}"
    );
    let restarts = restarts(&pods::get(namespace, &pod)?, "oneapi");
    ensure!(restarts == 0, "a CPU limit slows down, it doesn't kill");
    let killing = format!("involvedObject.name={pod},reason=Killing");
    let killed = namespace.kubectl(&format!("get events --field-selector {killing} -o name"))?;
    ensure!(killed.is_empty(), "no restart has begun either: {killed}");

    // The control: a process that answers nothing is noticed in less time than a burn took.
    namespace.kubectl(&format!("exec {pod} -c oneapi -- /oneapi kill STOP"))?;
    let halted = Instant::now();
    pods::event(namespace, &pod, "Killing", "failed liveness probe")?;
    let noticed = halted.elapsed().as_secs_f64();
    ensure!(
        noticed < wall,
        "it took {noticed:.1} s to notice a halted process, and a burn {wall:.1} s"
    );
    Ok(())
}

/// Two pods on one node that both want all CPUs get shares in the ratio of their requests, 1 to 3.
pub fn requests(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/cpu-requests.yaml")?;
    pods::ready(namespace, "cpu-third")?;
    pods::ready(namespace, "cpu-rest")?;
    let cpus = ask::json(namespace, "cpu-third", 5000, "/info")?["limits"]["cpus"]
        .as_f64()
        .context("/info says the CPUs")?;
    let query = format!("minutes=2&millicores={}", cpus * 1000.0);
    let (third, rest) = thread::scope(|scope| {
        let burns = ["cpu-third", "cpu-rest"].map(|pod| {
            let query = &query;
            scope.spawn(move || ask::burn(namespace, pod, query))
        });
        // From when both run to before either ends: whoever is alone has it all.
        let shares = while_both_burn(namespace);
        for (pod, burn) in ["cpu-third", "cpu-rest"].into_iter().zip(burns) {
            ask::end_burns(namespace, pod)?;
            burn.join().expect("asking doesn't panic")?;
        }
        shares
    })?;
    let ratio = rest / third;
    namespace.note(&format!("{third:.2} and {rest:.2} CPUs: {ratio:.2}"));
    ensure!(
        (ratio / 3.0 - 1.0).abs() <= 0.1,
        "requests of 300m and 100m promise three times as much, to within 10 %: {ratio:.2}"
    );
    Ok(())
}

/// The CPUs that each of the two uses. The clock is the pods' own: on a node whose CPUs all burn, asking
/// takes seconds.
fn while_both_burn(namespace: &Namespace<'_>) -> Result<(f64, f64)> {
    let used_and_left = |pod| {
        namespace.until("it burns", SOON, || {
            let burn = ask::first_burn(namespace, pod)?;
            let left = burn["left_seconds"].as_f64();
            Ok(burn["achieved_seconds"].as_f64().zip(left))
        })
    };
    let both = || -> Result<_> { Ok([used_and_left("cpu-third")?, used_and_left("cpu-rest")?]) };
    both()?;
    let before = both()?;
    thread::sleep(Duration::from_secs(15));
    let after = both()?;
    let [third, rest] = [0, 1].map(|pod| {
        let ((used, left), (used_after, left_after)) = (before[pod], after[pod]);
        (used_after - used) / (left - left_after)
    });
    Ok((third, rest))
}
