//! What a burn of a known size shows: a limit and its throttling, requests under contention.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use cluster::{
    Namespace, ask, deployment,
    pods::{self, name, restarts},
};
use e2e::cpu_share;
use serde_json::Value;

/// Below the limit nothing is throttled, at the limit the kernel does it; `/info` shows it. Neither
/// restarts the container, although its liveness probe would notice within the time of a burn.
pub fn limit(namespace: &Namespace<'_>) -> Result<()> {
    deployment::deploy(namespace)?;
    deployment::patch(namespace, "e2e/patches/eager-liveness.yaml")?;
    // So that the process can be halted below.
    deployment::patch(namespace, "k8s/lessons/shared-processes.patch.yaml")?;
    deployment::rolled_out(namespace, deployment::NAME)?;
    let pod = name(&deployment::ready_pods(namespace, 3)?[0]).to_owned();

    let number = |report: &Value, key: &str| {
        let number = report[key].as_f64();
        number.with_context(|| format!("{key} is a number: {report}"))
    };
    let kept = ask::burn(namespace, &pod, "minutes=0.2&millicores=1000")?;
    let granted = number(&kept, "granted_millicores")?;
    ensure!(granted == 475.0, "5 % below the limit of 500: {kept}");
    // A few hundredths on a quiet machine; on a busy one what was held back is made up for.
    ensure!(
        number(&kept, "throttled_share")? < 0.2,
        "so the kernel has next to nothing to throttle: {kept}"
    );

    let forced = ask::burn(namespace, &pod, "minutes=0.2&millicores=1000&force=true")?;
    let granted = number(&forced, "granted_millicores")?;
    ensure!(granted == 1000.0, "as asked: {forced}");
    let share = number(&forced, "throttled_share")?;
    ensure!(share > 0.8, "nearly every period is throttled: {forced}");
    let wall = number(&forced, "wall_seconds")?;
    let achieved = number(&forced, "achieved_seconds")? / wall;
    ensure!(
        (0.45..0.52).contains(&achieved),
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

/// Two pods on one node that both want all CPUs get shares by their requests, in the ratio that the kubelet
/// has told the kernel.
pub fn requests(namespace: &Namespace<'_>) -> Result<()> {
    const PODS: [&str; 2] = ["cpu-third", "cpu-rest"];
    namespace.apply("k8s/lessons/cpu-requests.yaml")?;
    for pod in PODS {
        pods::ready(namespace, pod)?;
    }
    let told = cpu_share::ratio(namespace, PODS)?;
    let cpus = ask::json(namespace, PODS[0], 5000, "/info")?["limits"]["cpus"]
        .as_f64()
        .context("/info says the CPUs")?;
    let query = &format!("minutes=2&millicores={}", cpus * 1000.0);
    let [third, rest] = thread::scope(|scope| {
        let burns = PODS.map(|pod| scope.spawn(move || ask::burn(namespace, pod, query)));
        // From when both run to before either ends: whoever is alone has it all.
        let used = while_both_burn(namespace, PODS);
        for (pod, burn) in PODS.into_iter().zip(burns) {
            ask::end_burns(namespace, pod)?;
            burn.join().expect("asking doesn't panic")?;
        }
        used
    })?;
    let ratio = rest / third;
    let said = format!("{third:.2} and {rest:.2} CPUs: {ratio:.2} times, of {told:.2}");
    namespace.note(&said);
    ensure!((ratio / told - 1.0).abs() <= 0.1, "to within 10 %: {said}");
    Ok(())
}

/// The CPUs that each of the two uses.
fn while_both_burn(namespace: &Namespace<'_>, pods: [&str; 2]) -> Result<[f64; 2]> {
    let both = || -> Result<Vec<_>> {
        let both = pods.map(|pod| ask::used_and_left(namespace, pod));
        both.into_iter().collect()
    };
    both()?;
    let before = both()?;
    thread::sleep(Duration::from_secs(15));
    let after = both()?;
    Ok([0, 1].map(|pod| {
        let ((used, left), (used_after, left_after)) = (before[pod], after[pod]);
        (used_after - used) / (left - left_after)
    }))
}
