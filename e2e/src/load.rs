//! The load Job of `k8s/lessons/load.yaml`, one for each node that is to send requests, and what it
//! counts. Its containers print a line each second; the lines between two moments belong to what was
//! done between them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use cluster::{Namespace, SOON, background::Background, pods, wait::until};
use serde::Deserialize;

/// The pods of all Jobs of the namespace, which has no others.
const SELECTOR: &str = "batch.kubernetes.io/job-name";

const FILE: &str = "k8s/lessons/load.yaml";

/// As the file has them: its name, what its node's name is put behind, and the requests per second of each
/// container that sends short ones, of which there are four.
const NAME: &str = "  name: load\n";
const SPEC: &str = "    spec:\n";
const RATE: &str = "--rate=50";
const SHORT: u32 = 4;

/// What was asked, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Those that were due.
    pub requests: u64,
    /// Those that failed, by how; also those that the load couldn't send, of which nobody can say that
    /// they would have been answered.
    pub failed: BTreeMap<String, u64>,
    /// In how many seconds something failed; of several containers, the most.
    pub bad_seconds: u64,
}

/// A line of a container's. The summary at its end says the same once more.
#[derive(Debug, Deserialize)]
struct Line {
    kind: String,
    requests: u64,
    failed: BTreeMap<String, u64>,
    not_sent: BTreeMap<String, u64>,
}

impl Count {
    /// The number of those that failed.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// How they failed, as text: `12 refused, 3 status 503`.
    pub fn kinds(&self) -> String {
        let kinds = self.failed.iter();
        let kinds = kinds.map(|(kind, count)| format!("{count} {kind}"));
        kinds.collect::<Vec<_>>().join(", ")
    }

    /// What one container has printed.
    fn of(lines: &[String]) -> Self {
        let mut count = Self::default();
        count.add(lines);
        count
    }

    /// Adds what another container has printed.
    fn add(&mut self, lines: &[String]) {
        let mut bad_seconds = 0;
        let lines = lines.iter();
        let lines = lines.filter_map(|line| serde_json::from_str(line).ok());
        for mut second in lines.filter(|line: &Line| line.kind == "second") {
            let not_sent: u64 = second.not_sent.values().sum();
            if not_sent > 0 {
                second.failed.insert("not sent".to_owned(), not_sent);
            }
            self.requests += second.requests + not_sent;
            bad_seconds += u64::from(!second.failed.is_empty());
            for (kind, count) in second.failed {
                *self.failed.entry(kind).or_default() += count;
            }
        }
        self.bad_seconds = self.bad_seconds.max(bad_seconds);
    }
}

/// The Jobs while they run: their containers, with what they print.
#[derive(Debug)]
pub struct Load(Vec<Container>);

#[derive(Debug)]
struct Container {
    /// What it sends, and from which node if the nodes were chosen.
    name: String,
    /// For kubectl.
    logs: [String; 5],
    lines: Background,
}

impl Load {
    /// Starts a Job on each of these nodes, or one wherever the scheduler puts it if there are none, with
    /// `rate` short requests per second in all; returns when every container has had answers.
    pub fn start(namespace: &Namespace<'_>, rate: u32, nodes: &[&str]) -> Result<Self> {
        let jobs = nodes.len().max(1);
        let each = f64::from(rate) / f64::from(SHORT) / jobs as f64;
        let text = namespace.shipped(FILE)?;
        for shipped in [RATE, NAME, SPEC] {
            ensure!(text.contains(shipped), "{FILE} says {shipped}");
        }
        let text = text.replace(RATE, &format!("--rate={each}"));
        if nodes.is_empty() {
            namespace.apply_text(FILE, &text)?;
        }
        for (number, node) in (1..).zip(nodes) {
            let named = text.replacen(NAME, &format!("{}-{number}\n", NAME.trim_end()), 1);
            let placed = named.replace(SPEC, &format!("{SPEC}      nodeName: {node}\n"));
            namespace.apply_text(FILE, &placed)?;
        }
        let pods = namespace.until("the load runs", || {
            let mut pods = pods::list(namespace, SELECTOR)?;
            pods.retain(|pod| pod["status"]["phase"] == "Running");
            Ok((pods.len() == jobs).then_some(pods))
        })?;
        let mut load = Self(Vec::new());
        for pod in &pods {
            let containers = pod["spec"]["containers"].as_array();
            for container in containers.context("it has containers")? {
                let name = container["name"].as_str().context("it has a name")?;
                // The log of a deleted pod is gone with it, so its last lines have to be followed.
                let logs = ["logs", "--follow", pods::name(pod), "-c", name].map(str::to_owned);
                let lines = Background::start(namespace.command().args(&logs))?;
                let of_node = nodes.first().and(pod["spec"]["nodeName"].as_str());
                let name = of_node.map_or(name.to_owned(), |node| format!("{name} on {node}"));
                load.0.push(Container { name, logs, lines });
            }
        }
        namespace.until("each container has had answers", || {
            let mut counts = load.0.iter().map(|it| it.lines.so_far(Count::of));
            Ok(counts.all(|count| count.requests > 0).then_some(()))
        })?;
        Ok(load)
    }

    /// Follows the logs anew, which end with the API server or the kubelet that they come through. They are read
    /// from their beginning, so that moments stay what they are.
    pub fn follow_again(&mut self, namespace: &Namespace<'_>) -> Result<()> {
        for container in &mut self.0 {
            let before = container.lines.so_far(<[String]>::len);
            container.lines = Background::start(namespace.command().args(&container.logs))?;
            namespace.until("its log has been read again", || {
                let now = container.lines.so_far(<[String]>::len);
                Ok((now > before).then_some(()))
            })?;
        }
        Ok(())
    }

    /// Ends the Jobs when their requests in flight are over; returns what each container counted.
    pub fn end(self, namespace: &Namespace<'_>) -> Result<Vec<(String, Count)>> {
        namespace.kubectl("delete jobs --all --wait=false")?;
        let mut counts = Vec::new();
        for container in self.0 {
            counts.push((container.name, Count::of(&container.lines.wait(SOON)?)));
        }
        namespace.kubectl(&format!(
            "wait --for=delete pod -l {SELECTOR} --timeout=60s"
        ))?;
        Ok(counts)
    }

    /// Whether a container has complained with these words.
    pub fn says(&self, words: &str) -> bool {
        let says = |it: &Container| {
            it.lines
                .so_far(|all| all.iter().any(|line| line.contains(words)))
        };
        self.0.iter().any(says)
    }

    /// This moment, as the number of lines of each container; all that is over by now is in them.
    pub fn now(&self) -> Result<Vec<usize>> {
        // The current second, and the one in which its failures are reported.
        self.after(2)
    }

    /// All that was counted since then, and what fails late because of it: a request that is lost
    /// now is reported when it has timed out, 5 s after it was due.
    pub fn since(&self, then: &[usize]) -> Result<Count> {
        self.count(then, 7)
    }

    /// What is counted within the next seconds.
    pub fn next(&self, seconds: usize) -> Result<Count> {
        self.count(&self.after(0)?, seconds)
    }

    fn count(&self, then: &[usize], more: usize) -> Result<Count> {
        let mut total = Count::default();
        for ((container, from), to) in self.0.iter().zip(then).zip(self.after(more)?) {
            container.lines.so_far(|lines| total.add(&lines[*from..to]));
        }
        Ok(total)
    }

    /// How many lines each container has printed, once it has printed so many more.
    fn after(&self, more: usize) -> Result<Vec<usize>> {
        let lengths = || -> Vec<usize> {
            let lengths = self.0.iter().map(|it| it.lines.so_far(<[String]>::len));
            lengths.collect()
        };
        let before = lengths();
        until("each container has printed more", SOON, || {
            let now = lengths();
            let mut both = now.iter().zip(&before);
            let all = both.all(|(now, before)| *now >= before + more);
            Ok(all.then_some(now))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_summed_and_the_summary_is_not_counted_again() {
        let quiet = r#"{"kind":"second","requests":50,"failed":{},"not_sent":{}}"#;
        let lines = [
            quiet,
            r#"{"kind":"second","requests":50,"failed":{"refused":2,"status 503":1},"not_sent":{}}"#,
            r#"{"kind":"second","requests":48,"failed":{"refused":1},"not_sent":{"connections busy":2}}"#,
            r#"{"kind":"summary","requests":148,"failed":{"refused":3,"status 503":1},"not_sent":{}}"#,
            "something else",
        ]
        .map(str::to_owned);
        let mut count = Count::of(&lines);
        assert_eq!(
            (count.requests, count.failures(), count.bad_seconds),
            (150, 6, 2)
        );
        assert_eq!(count.kinds(), "2 not sent, 3 refused, 1 status 503");
        count.add(&[quiet.to_owned()]);
        assert_eq!(
            (count.requests, count.failures(), count.bad_seconds),
            (200, 6, 2)
        );
        let late = Count::of(&lines[2..]);
        assert_eq!(late.kinds(), "2 not sent, 1 refused");
    }
}
