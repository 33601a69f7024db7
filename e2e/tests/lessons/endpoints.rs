//! Readiness and liveness, each failing by a switch in a pod behind a Service: one takes the pod out
//! of the Service and back, the other has its container restarted.

use e2e::{
    Namespace, Result, Value, ask, ensure,
    namespace::SOON,
    pods::{self, condition, is_ready, restarts},
};

const POD: &str = "switches";

pub fn readiness(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/switches.yaml")?;
    pods::ready(namespace, POD)?;
    endpoint_is(namespace, "ready", [true, true, false])?;
    ask::service(namespace, POD, 5000, "/test")?;

    ask::set_fault(namespace, POD, 5000, "readiness?mode=fail&for=10s")?;
    endpoint_is(namespace, "not ready", [false, false, false])?;
    pods::event(
        namespace,
        POD,
        "Unhealthy",
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
    )?;
    let line = namespace.kubectl(&format!("get pod {POD} --no-headers"))?;
    ensure!(
        line.split_whitespace()
            .skip(1)
            .take(2)
            .eq(["0/1", "Running"]),
        "it runs and isn't ready: {line}"
    );
    let refused = namespace.fails(&format!(
        "get --raw /api/v1/namespaces/{}/services/{POD}:5000/proxy/test",
        namespace.name
    ))?;
    ensure!(
        refused.contains("no endpoints available"),
        "nobody is behind the Service: {refused}"
    );
    ask::pod(namespace, POD, 5000, "/test")?; // the pod itself answers as before

    endpoint_is(namespace, "ready again, by itself", [true, true, false])?;
    ask::service(namespace, POD, 5000, "/test")?;
    let pod = pods::get(namespace, POD)?;
    ensure!(
        restarts(&pod, "oneapi") == 0,
        "readiness never restarts anything"
    );

    namespace.kubectl(&format!("delete pod {POD} --wait=false"))?;
    // Its readiness probe fails three times before it counts: so long it still serves.
    endpoint_is(namespace, "stopping, and serving", [false, true, true])?;
    endpoint_is(namespace, "stopping, and not serving", [false, false, true])
}

pub fn liveness(namespace: &Namespace<'_>) -> Result<()> {
    namespace.apply("k8s/lessons/switches.yaml")?;
    pods::ready(namespace, POD)?;
    ask::set_fault(namespace, POD, 5000, "liveness?mode=fail&for=ever")?;
    pods::event(
        namespace,
        POD,
        "Unhealthy",
        "Liveness probe failed: HTTP probe failed with statuscode: 503",
    )?;
    pods::event(namespace, POD, "Killing", "failed liveness probe")?;
    let pod = pods::restarted(namespace, POD, "oneapi")?;
    let end = pods::ended(&pod, "oneapi").unwrap_or(&Value::Null);
    ensure!(
        end["exitCode"] == 0,
        "the kubelet sends SIGTERM first, and the service stops gracefully: {end}"
    );
    let pod = namespace.until("it is ready again", SOON, || {
        Ok(Some(pods::get(namespace, POD)?).filter(is_ready))
    })?;
    ensure!(restarts(&pod, "oneapi") == 1, "one restart was enough");
    let faults = ask::pod(namespace, POD, 5000, "/faults")?;
    ensure!(
        faults.trim() == "[]",
        "a switch ends with its process: {faults}"
    );
    Ok(())
}

pub fn readiness_gate(namespace: &Namespace<'_>) -> Result<()> {
    let name = "readiness-gate";
    namespace.apply("k8s/lessons/readiness-gate.yaml")?;
    let pod = namespace.until("its containers are ready", SOON, || {
        let pod = pods::get(namespace, name)?;
        let ready = condition(&pod, "ContainersReady")["status"] == "True";
        Ok(ready.then_some(pod))
    })?;
    let ready = condition(&pod, "Ready");
    ensure!(
        ready["status"] == "False" && ready["reason"] == "ReadinessGatesNotReady",
        "the pod is not: {ready}"
    );
    let line = namespace.kubectl(&format!("get pod {name} -o wide --no-headers"))?;
    let words: Vec<_> = line.split_whitespace().collect();
    ensure!(
        words.get(1) == Some(&"1/1") && words.last() == Some(&"0/1"),
        "only kubectl get -o wide shows that: {line}"
    );
    namespace.kubectl(&format!(
        r#"patch pod {name} --subresource status --patch {{"status":{{"conditions":[{{"type":"example.com/registered","status":"True"}}]}}}}"#
    ))?;
    pods::ready(namespace, name)?;
    Ok(())
}

/// Waits until the conditions of the pod's endpoint are these: ready, serving, terminating.
fn endpoint_is(namespace: &Namespace<'_>, what: &str, conditions: [bool; 3]) -> Result<()> {
    let get = format!("get endpointslices -l kubernetes.io/service-name={POD}");
    namespace.until(&format!("the endpoint is {what}"), SOON, || {
        let slices = namespace.json(&get)?;
        let endpoint = &slices["items"][0]["endpoints"][0]["conditions"];
        let all = ["ready", "serving", "terminating"]
            .iter()
            .zip(conditions)
            .all(|(condition, value)| endpoint[condition] == value);
        Ok(all.then_some(()))
    })
}
