//! In which ratio the kernel shares CPUs among pods that all want them. It goes by a number that the kubelet
//! gives to each pod's cgroup: on cgroup v1 the requests themselves, and on v2 a weight that the kubelet makes
//! of them. Older kubelets make 4 and 12 of requests of 100m and 300m; newer ones 17 and 40, by another
//! formula, as runc does since 1.3.2 for the containers of one pod:
//! <https://github.com/opencontainers/cgroups/pull/20>. A container can't see the number of its pod, and the
//! kubelet's metrics have it.

use anyhow::{Context, Result};
use cluster::{Namespace, pods};

/// How many times the CPU of the first pod the second one on the same node gets, requests being 1 to 3.
pub fn ratio(namespace: &Namespace<'_>, pods: [&str; 2]) -> Result<f64> {
    let pod = pods::get(namespace, pods[0])?;
    let node = pod["spec"]["nodeName"].as_str().context("it runs")?;
    let get = format!("get --raw /api/v1/nodes/{node}/proxy/metrics/cadvisor");
    let name = &namespace.name;
    namespace.until("the kubelet's metrics have both pods", || {
        let metrics = namespace.kubectl(&get)?;
        let [first, second] = pods.map(|pod| shares(&metrics, name, pod));
        Ok(first.zip(second).map(of_shares))
    })
}

/// What the metrics say of a pod itself: its containers have names.
fn shares(metrics: &str, namespace: &str, pod: &str) -> Option<f64> {
    let labels = format!("name=\"\",namespace=\"{namespace}\",pod=\"{pod}\"}} ");
    metrics
        .lines()
        .filter_map(|line| line.strip_prefix("container_spec_cpu_shares{container=\"\","))
        .find_map(|line| line.split_once(&labels)?.1.split(' ').next()?.parse().ok())
}

fn of_shares((first, second): (f64, f64)) -> f64 {
    // On v1 they are there as they were asked for. On v2 the metrics show weights as the shares that older
    // kubelets would have made them of.
    if (first, second) == (102.0, 307.0) {
        return second / first;
    }
    let weight = |shares: f64| (1.0 + (shares - 2.0) * 9999.0 / 262_142.0).round();
    weight(second) / weight(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_that_of_the_numbers_which_the_kernel_was_given() {
        for (of, shares, ratio) in [
            ("cgroup v1", (102.0, 307.0), 3.01),
            ("weights 4 and 12", (80.0, 290.0), 3.0),
            ("weights 17 and 40", (421.0, 1024.0), 2.353),
        ] {
            assert!((of_shares(shares) - ratio).abs() < 0.001, "{of}");
        }
    }

    #[test]
    fn a_pod_is_told_from_its_containers_and_from_others() {
        let metrics = r#"
container_spec_cpu_shares{container="",id="/a",image="",name="",namespace="ns",pod="cpu-rest"} 307
container_spec_cpu_shares{container="oneapi",id="/b/c",image="i",name="1f",namespace="ns",pod="cpu-third"} 1
container_spec_cpu_shares{container="",id="/b/d",image="p",name="2e",namespace="ns",pod="cpu-third"} 2
container_spec_cpu_shares{container="",id="/b",image="",name="",namespace="ns",pod="cpu-third"} 102
"#;
        assert_eq!(shares(metrics, "ns", "cpu-third"), Some(102.0));
        assert_eq!(shares(metrics, "other", "cpu-third"), None);
    }
}
