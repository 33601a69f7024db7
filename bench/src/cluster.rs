//! `make bench-cluster`: how long pods take from `kubectl create` to Ready, beside a container that
//! does nothing; and how long a rolling update of ten replicas takes, part by part. The times are
//! those at which the API server tells of a change, since what it records is in whole seconds.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use cluster::{
    Cluster, Namespace, SOON, deployment,
    life::{self, Security},
    pods::{is_ready, name},
    watch::{self, Change},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    account::Machine,
    figures::{Samples, Unit},
    shipped,
};

/// How often each is measured in turn.
const ROUNDS: usize = 5;

/// How many pods are created at once.
const PODS: [usize; 2] = [1, 30];

/// The replicas of the rolling update.
const REPLICAS: usize = 10;

/// Rolling updates, to the next version and back.
const UPDATES: usize = 4;

/// All that was measured on a cluster.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Run {
    /// On what.
    pub on: On,
    /// Pods that are created.
    pub starts: Vec<Starts>,
    /// Rolling updates.
    pub updates: Updates,
}

/// On what it was measured.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct On {
    /// `2026-11-25`.
    pub date: String,
    /// The version of the images.
    pub tag: String,
    /// The version of Kubernetes.
    pub version: String,
    /// How many nodes it has.
    pub nodes: usize,
    /// The CPUs of this machine.
    pub cpus: usize,
    /// How much of them was used meanwhile, in percent.
    pub others: f64,
}

/// Pods that are created at once.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Starts {
    /// How many.
    pub pods: usize,
    /// From `kubectl create` until all are Ready, in seconds.
    pub samples: Samples,
}

/// Rolling updates of the shipped Deployment with ten replicas: the parts of one, in seconds.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Updates {
    /// From `kubectl set image` until the rollout is complete.
    pub complete: Samples,
    /// … until a new pod has been created and given to a node; of all new pods.
    pub scheduled: Samples,
    /// From then until oneapi's first log line: sandbox, images, containers, and the exec.
    pub started: Samples,
    /// From then until the pod is Ready: probes, and the kubelet's report.
    pub ready: Samples,
    /// From the completion until the last old pod has gone: it drains.
    pub drained: Samples,
}

impl Updates {
    fn new() -> Self {
        let samples = || Samples {
            name: "update".to_owned(),
            values: Vec::new(),
        };
        Self {
            complete: samples(),
            scheduled: samples(),
            started: samples(),
            ready: samples(),
            drained: samples(),
        }
    }

    /// Each with its label in English and in Chinese.
    pub fn parts(&self) -> [([&'static str; 2], &Samples); 5] {
        [
            (
                [
                    "the whole rollout, from `kubectl set image`",
                    "整个上线过程，从 `kubectl set image` 开始",
                ],
                &self.complete,
            ),
            (
                [
                    "until a new pod is created and scheduled",
                    "到新 Pod 创建并调度完成",
                ],
                &self.scheduled,
            ),
            (
                [
                    "from then to its first log line (sandbox, containers, exec)",
                    "从那时到它的第一行日志（沙箱、容器、exec）",
                ],
                &self.started,
            ),
            (
                [
                    "from then to Ready (probes, the kubelet's report)",
                    "从那时到 Ready（探针、kubelet 上报）",
                ],
                &self.ready,
            ),
            (
                [
                    "from the end of the rollout until the last old pod is gone (drain)",
                    "从上线完成到最后一个旧 Pod 消失（排空）",
                ],
                &self.drained,
            ),
        ]
    }
}

/// Measures on the cluster of the environment, and prints it.
///
/// # Errors
/// When something can't be done.
pub fn run() -> Result<Run> {
    let cluster = Cluster::from_environment()?;
    push_pause(&cluster)?;
    let machine = Machine::now();
    let namespace = life::namespace_name(&cluster, "bench");
    let (starts, updates) = life::run(&cluster, &namespace, Security::Restricted, |namespace| {
        Ok((starts(namespace)?, updates(namespace)?))
    })?;
    let version: Value = serde_json::from_str(&output(
        cluster.kubectl.command().args(["version", "-o", "json"]),
    )?)?;
    let nodes = output(
        cluster
            .kubectl
            .command()
            .args(["get", "nodes", "-o", "name"]),
    )?;
    let version = version["serverVersion"]["gitVersion"].as_str();
    let on = On {
        date: output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?
            .trim()
            .to_owned(),
        tag: cluster.tag.clone(),
        version: version
            .unwrap_or("unknown")
            .trim_start_matches('v')
            .to_owned(),
        nodes: nodes.lines().count(),
        cpus: thread::available_parallelism().map_or(1, usize::from),
        others: Machine::now().others(&machine, 0.0),
    };
    for (labels, samples) in updates.parts() {
        println!("{:<70} {}", labels[0], text(samples));
    }
    Ok(Run {
        on,
        starts,
        updates,
    })
}

fn text(samples: &Samples) -> String {
    let (low, high) = samples.spread();
    let [low, median, high] = [low, samples.median(), high].map(|it| Unit::Seconds.text(it));
    format!("{median:>8}  ({low} to {high})")
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{}: {}",
        command.get_program().display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn pause_image(cluster: &Cluster) -> String {
    cluster.image("bench-pause", "1")
}

/// Builds the image of the container that does nothing, and pushes it.
fn push_pause(cluster: &Cluster) -> Result<()> {
    let folder = shipped::results()?.join("pause-image");
    fs::create_dir_all(&folder)?;
    fs::copy(shipped::bare("pause")?, folder.join("pause"))?;
    fs::write(
        folder.join("Dockerfile"),
        "FROM scratch\nCOPY pause /pause\nUSER 65532:65532\nENTRYPOINT [\"/pause\"]\n",
    )?;
    let image = pause_image(cluster);
    let docker = |words: &[&str], last: &Path| output(Command::new("docker").args(words).arg(last));
    docker(&["build", "-q", "-t", &image], &folder)?;
    docker(&["push", "-q"], Path::new(&image))?;
    Ok(())
}

fn starts(namespace: &Namespace<'_>) -> Result<Vec<Starts>> {
    let cluster = namespace.cluster;
    let containers = [
        ("oneapi", cluster.image("oneapi", &cluster.tag)),
        ("pause", pause_image(cluster)),
    ];
    // The node has both images then.
    for (name, image) in &containers {
        start(namespace, name, image, 1)?;
    }
    let mut all = Vec::new();
    for count in PODS {
        let mut of_count = containers.clone().map(|(name, _)| Starts {
            pods: count,
            samples: Samples {
                name: name.to_owned(),
                values: Vec::new(),
            },
        });
        for round in 0..ROUNDS {
            for turn in 0..2 {
                let which = (round + turn) % 2;
                let (name, image) = &containers[which];
                let took = start(namespace, name, image, count)?;
                of_count[which].samples.values.push(took);
            }
        }
        for starts in &of_count {
            println!(
                "{:>2} pods of {:<60} {}",
                count,
                starts.samples.name,
                text(&starts.samples)
            );
        }
        all.extend(of_count);
    }
    Ok(all)
}

/// Creates so many pods, waits until all are Ready, and deletes them; returns the seconds from
/// `kubectl create` to the last one's being Ready.
fn start(namespace: &Namespace<'_>, kind: &str, image: &str, count: usize) -> Result<f64> {
    let pods: Vec<Value> = (0..count).map(|number| pod(kind, image, number)).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": pods}).to_string();
    let watch = watch::pods(namespace, deployment::SELECTOR)?;
    let begun = Instant::now();
    namespace.kubectl_with("create -f -", &list)?;
    let ready = namespace.until(&format!("{count} pods are Ready"), SOON, || {
        let ready = watch.so_far(|changes| first(changes, is_ready));
        Ok((ready.len() == count).then_some(ready))
    })?;
    drop(watch);
    namespace.kubectl("delete pods -l app=chesterapi --wait")?;
    let last = ready.values().max().context("there is one")?;
    Ok(last.duration_since(begun).as_secs_f64())
}

/// A pod with one container. One that does nothing has nothing to probe, and is Ready when it runs.
fn pod(kind: &str, image: &str, number: usize) -> Value {
    let mut container = json!({
        "name": kind,
        "image": image,
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        },
    });
    if kind == "oneapi" {
        container["readinessProbe"] =
            json!({"httpGet": {"path": "/readyz", "port": 5000}, "periodSeconds": 1});
    }
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": format!("{kind}-{number}"), "labels": {"app": "chesterapi"}},
        "spec": {
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
        },
    })
}

/// When each pod was first told to be so, by its name.
fn first(changes: &[Change], is: impl Fn(&Value) -> bool) -> BTreeMap<String, Instant> {
    let mut first = BTreeMap::new();
    for change in changes.iter().filter(|change| is(&change.pod)) {
        first
            .entry(name(&change.pod).to_owned())
            .or_insert(change.at);
    }
    first
}

fn updates(namespace: &Namespace<'_>) -> Result<Updates> {
    namespace.apply("k8s/deployment.yaml")?;
    namespace.kubectl(&format!(
        "scale deployment chesterdeployment --replicas={REPLICAS}"
    ))?;
    deployment::rolled_out(namespace)?;
    let (tag, next) = (&namespace.cluster.tag, &namespace.cluster.next);
    let mut updates = Updates::new();
    // The first one, which isn't counted, has the node pull the next version's images.
    for number in 0..=UPDATES {
        let to = if number % 2 == 0 { next } else { tag };
        let counted = update(namespace, to)?;
        if number > 0 {
            for (all, new) in [
                (&mut updates.complete, counted.complete),
                (&mut updates.scheduled, counted.scheduled),
                (&mut updates.started, counted.started),
                (&mut updates.ready, counted.ready),
                (&mut updates.drained, counted.drained),
            ] {
                all.values.extend(new.values);
            }
        }
    }
    Ok(updates)
}

fn update(namespace: &Namespace<'_>, to: &str) -> Result<Updates> {
    let old = first(&now(namespace)?, |_| true);
    let watch = watch::pods(namespace, deployment::SELECTOR)?;
    let (begun, begun_at) = (Instant::now(), SystemTime::now());
    deployment::update_to(namespace, to)?;
    deployment::rolled_out(namespace)?;
    let complete = begun.elapsed();
    // While the new pods are there, and with them their logs.
    let mut logged = BTreeMap::new();
    for pod in deployment::ready_pods(namespace, REPLICAS)? {
        let name = name(&pod);
        let log = namespace.kubectl(&format!("logs {name} -c oneapi --timestamps"))?;
        let at = log_time(&log).with_context(|| format!("the first log line of {name}"))?;
        logged.insert(name.to_owned(), begun + at.duration_since(begun_at)?);
    }
    namespace.until("the old pods are gone", SOON, || {
        Ok((deployment::all_pods(namespace)?.len() == REPLICAS).then_some(()))
    })?;
    let changes = watch.end();
    let gone = changes
        .iter()
        .filter(|change| change.kind == "DELETED")
        .map(|change| change.at)
        .max()
        .context("the old pods are gone")?;
    let mut updates = Updates::new();
    updates.complete.values.push(complete.as_secs_f64());
    let drained = gone.saturating_duration_since(begun + complete);
    updates.drained.values.push(drained.as_secs_f64());
    let scheduled = first(&changes, |pod| pod["spec"]["nodeName"].is_string());
    let ready = first(&changes, is_ready);
    for (name, started) in &logged {
        if old.contains_key(name) {
            continue;
        }
        let at = |times: &BTreeMap<String, Instant>| {
            times
                .get(name)
                .copied()
                .with_context(|| format!("{name} was not seen"))
        };
        let (scheduled, ready) = (at(&scheduled)?, at(&ready)?);
        let between = |from: Instant, to: Instant| {
            to.checked_duration_since(from)
                .unwrap_or(Duration::ZERO)
                .as_secs_f64()
        };
        updates.scheduled.values.push(between(begun, scheduled));
        updates.started.values.push(between(scheduled, *started));
        updates.ready.values.push(between(*started, ready));
    }
    Ok(updates)
}

/// The pods that exist, as changes.
fn now(namespace: &Namespace<'_>) -> Result<Vec<Change>> {
    let pods = deployment::all_pods(namespace)?;
    Ok(pods
        .into_iter()
        .map(|pod| Change {
            at: Instant::now(),
            kind: "ADDED".to_owned(),
            pod,
        })
        .collect())
}

/// When the first line of a log was written, as the container runtime has it:
/// `2026-11-25T11:05:12.942608123Z …`. The node's clock is taken to be this machine's.
fn log_time(log: &str) -> Option<SystemTime> {
    let stamp = log.split_whitespace().next()?.strip_suffix('Z')?;
    let (date, time) = stamp.split_once('T')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let numbers = |text: &str, by: char| -> Option<Vec<i64>> {
        text.split(by).map(|it| it.parse().ok()).collect()
    };
    let (date, time) = (numbers(date, '-')?, numbers(time, ':')?);
    let ([year, month, day], [hour, minute, second]) =
        (date[..].try_into().ok()?, time[..].try_into().ok()?);
    let (year, month, day): (i64, i64, i64) = (year, month, day);
    let (hour, minute, second): (i64, i64, i64) = (hour, minute, second);
    // Days since 1970 of a date of the Gregorian calendar, whose years begin here in March, so
    // that the leap day is the last one: the algorithm of Howard Hinnant's days_from_civil.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    let fraction: f64 = format!("0.{fraction}").parse().ok()?;
    Some(
        UNIX_EPOCH
            + Duration::from_secs(seconds.try_into().ok()?)
            + Duration::from_secs_f64(fraction),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_log_line_is_read() {
        for (stamp, seconds) in [
            ("1970-01-01T00:00:00Z", 0.0),
            ("2000-02-29T12:00:00.5Z", 951_825_600.5),
            ("2026-11-25T11:05:12.942608123Z", 1_795_604_712.942_608),
        ] {
            let time = log_time(&format!("{stamp} started\nmore")).unwrap();
            let since = time.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
            assert!((since - seconds).abs() < 1e-5, "{stamp}: {since}");
        }
        assert!(log_time("").is_none() && log_time("started").is_none());
    }

    #[test]
    fn a_pod_counts_from_its_first_change_to_ready() {
        let change = |name: &str, ready: &str, at| Change {
            at,
            kind: "MODIFIED".to_owned(),
            pod: json!({"metadata": {"name": name},
                "status": {"conditions": [{"type": "Ready", "status": ready}]}}),
        };
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let changes = [
            change("a", "False", start),
            change("a", "True", later),
            change("a", "True", later + Duration::from_secs(1)),
            change("b", "False", later),
        ];
        assert_eq!(
            first(&changes, is_ready),
            BTreeMap::from([("a".to_owned(), later)])
        );
    }
}
