//! A HorizontalPodAutoscaler under a known total: from 1 pod to the number that can be computed,
//! and back when the total is gone. And its tolerance: 108 of 100 is within 10 %, and not within 5 %.

use std::{
    thread,
    time::{Duration, Instant},
};

use e2e::{Namespace, Result, Value, ask, deployment, ensure, feature, manifest, pods::name};

/// metrics-server measures and the autoscaler reads every 15 s, and it takes several rounds.
const TIMEOUT: Duration = Duration::from_secs(180);

/// How long 108 of 100 must leave the number of pods as it is: longer than the 30 s in autoscaler.yaml
/// for which all figures have to agree, and a round more.
const STAYS_FOR: Duration = Duration::from_secs(50);

pub fn run(namespace: &Namespace<'_>) -> Result<()> {
    deployment::deploy(namespace)?;
    namespace.kubectl("scale deployment chesterdeployment --replicas=1")?;
    deployment::ready_pods(namespace, 1)?;
    namespace.apply("k8s/lessons/headless.yaml")?;
    namespace.apply("k8s/lessons/autoscaler.yaml")?;
    namespace.apply("k8s/lessons/burn.yaml")?;

    // 350 millicores in all, 100 a pod: 3.5, and there are no half pods.
    namespace.until("there are 4 pods", TIMEOUT, || replicas_are(namespace, 4))?;
    deployment::ready_pods(namespace, 4)?;
    let events = namespace.kubectl("get events --field-selector reason=SuccessfulRescale")?;
    ensure!(
        !events.contains("New size: 5") && !events.contains("New size: 6"),
        "never more than computed: {events}"
    );

    namespace.kubectl("wait --for=condition=Complete job/burn --timeout=180s")?;
    let said = namespace.kubectl("logs job/burn --tail=20")?;
    namespace.note(&said);
    namespace.until("there is 1 pod again", TIMEOUT, || {
        replicas_are(namespace, 1)
    })?;
    Ok(())
}

pub fn tolerance(namespace: &Namespace<'_>) -> Result<()> {
    feature::since(namespace, 33, "The autoscaler's field tolerance")?;
    deployment::deploy(namespace)?;
    namespace.kubectl("scale deployment chesterdeployment --replicas=1")?;
    let pods = deployment::ready_pods(namespace, 1)?;
    let pod = name(&pods[0]);
    namespace.apply("k8s/lessons/autoscaler.yaml")?;
    thread::scope(|scope| {
        let burn = scope.spawn(|| ask::burn(namespace, pod, "minutes=4&millicores=108"));
        let scaled = (|| {
            namespace.until("the autoscaler measures 108 of 100", TIMEOUT, || {
                ensure!(!burn.is_finished(), "the burn is over already");
                Ok(measured(namespace)?.filter(|used| (104..=109).contains(used)))
            })?;
            let start = Instant::now();
            while start.elapsed() < STAYS_FOR {
                ensure!(
                    replicas_are(namespace, 1)?.is_some(),
                    "108 of 100 is within the default tolerance of 10 %"
                );
                thread::sleep(Duration::from_secs(1));
            }
            patch_tolerance(namespace)?;
            namespace.until("there are 2 pods", TIMEOUT, || replicas_are(namespace, 2))
        })();
        // Where the burn has not begun, there is none to end, and the reason is in `scaled`.
        let ended = ask::end_burns(namespace, pod);
        let report = burn.join().expect("asking doesn't panic");
        scaled?;
        ended?;
        report.map(drop)
    })
}

fn patch_tolerance(namespace: &Namespace<'_>) -> Result<()> {
    namespace.kubectl(&format!(
        "patch hpa chesterscaler --type merge --patch-file {}",
        manifest::path("k8s/lessons/tolerance.patch.yaml").display()
    ))?;
    let scaler = namespace.json("get hpa chesterscaler")?;
    feature::has_field(
        &scaler,
        "/spec/behavior/scaleUp/tolerance",
        "HPAConfigurableTolerance",
    )
}

/// What the autoscaler has measured, in millicores; none before it has.
fn measured(namespace: &Namespace<'_>) -> Result<Option<u64>> {
    let scaler: Value = namespace.json("get hpa chesterscaler")?;
    let value =
        &scaler["status"]["currentMetrics"][0]["containerResource"]["current"]["averageValue"];
    let millicores = value.as_str().and_then(|text| text.strip_suffix('m'));
    Ok(millicores.and_then(|number| number.parse().ok()))
}

fn replicas_are(namespace: &Namespace<'_>, count: u64) -> Result<Option<()>> {
    let deployment = namespace.json("get deployment chesterdeployment")?;
    let scaler = namespace.json("get hpa chesterscaler")?;
    Ok(
        (deployment["spec"]["replicas"] == count && scaler["status"]["desiredReplicas"] == count)
            .then_some(()),
    )
}
