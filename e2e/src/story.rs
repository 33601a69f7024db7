//! One story: a namespace of its own, kubectl in it, and waiting for what is to come. All that it
//! did and saw is kept, and told when it fails. The namespace is deleted afterwards either way.

use std::{
    fmt::Write as _,
    io::Write as _,
    process::{Output, Stdio},
    sync::{
        Mutex,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{cluster::Cluster, manifest};

/// The label by which a namespace is known as a story's, and what an ended run left is removed.
const LABEL: &str = "chesterapi-story";

/// Between two looks at something that is to come.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How long something may take that takes seconds: an image is pulled, pods start and stop. A busy
/// cluster is slow; a story that fails for being slow teaches nothing.
pub const SOON: Duration = Duration::from_secs(120);

/// What a story's namespace enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// As `k8s/ns.yaml`: nothing but what Pod Security `restricted` lets in.
    Restricted,
    /// Nothing, as in the namespace `default`: `kubectl run` asks for no security context.
    AsDefault,
}

/// What a lesson is told with.
#[derive(Debug)]
pub struct Story<'a> {
    /// The cluster and the images.
    pub cluster: &'a Cluster,
    /// The namespace that all of the story is in.
    pub namespace: String,
    transcript: Mutex<String>,
}

impl<'a> Story<'a> {
    /// A story in a namespace that isn't there yet; what an ended run left of it goes first.
    ///
    /// # Errors
    /// When the namespace is there and no story's.
    pub fn begin(cluster: &'a Cluster, namespace: &str) -> Result<Self> {
        let story = Self {
            cluster,
            namespace: namespace.to_owned(),
            transcript: Mutex::default(),
        };
        let there = story.kubectl(&format!(
            "get namespace {namespace} --ignore-not-found --show-labels"
        ))?;
        if !there.is_empty() {
            ensure!(
                there.contains(LABEL) || there.contains("Terminating"),
                "The namespace {namespace} is already there, and not from a story: \
                 `make undeploy` removes it."
            );
            story.kubectl(&format!("delete namespace {namespace} --timeout=180s"))?;
        }
        Ok(story)
    }

    /// The namespace of a story that brings none itself.
    ///
    /// # Errors
    /// When the cluster doesn't make it.
    pub fn make_namespace(&self, security: Security) -> Result<()> {
        let namespace = &self.namespace;
        match security {
            Security::Restricted => {
                self.apply("k8s/ns.yaml")?;
            }
            Security::AsDefault => {
                self.kubectl(&format!("create namespace {namespace}"))?;
            }
        }
        self.own_namespace()
    }

    /// Marks the namespace as this story's.
    ///
    /// # Errors
    /// When it isn't there.
    pub fn own_namespace(&self) -> Result<()> {
        let namespace = &self.namespace;
        self.kubectl(&format!("label namespace {namespace} {LABEL}={namespace}"))?;
        // Pods are turned away until it has its service account.
        self.until("the namespace has its service account", SOON, || {
            Ok(self
                .kubectl("get serviceaccount default --ignore-not-found -o name")
                .map(|name| (!name.is_empty()).then_some(()))
                .unwrap_or_default())
        })
    }

    /// Runs `kubectl` with these words in the story's namespace, and gives what it says.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub fn kubectl(&self, words: &str) -> Result<String> {
        self.kubectl_with(words, "")
    }

    /// The same, with that on its standard input.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub fn kubectl_with(&self, words: &str, input: &str) -> Result<String> {
        let output = self.run(words, input)?;
        ensure!(
            output.status.success(),
            "kubectl {words}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs what is to fail, and gives all that it says.
    ///
    /// # Errors
    /// When it doesn't fail.
    pub fn fails(&self, words: &str) -> Result<String> {
        let output = self.run(words, "")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        ensure!(
            !output.status.success(),
            "kubectl {words} was to fail, and said: {said}"
        );
        Ok(said)
    }

    /// An object, or a list's objects, as JSON.
    ///
    /// # Errors
    /// When kubectl fails.
    pub fn json(&self, words: &str) -> Result<Value> {
        let text = self.kubectl(&format!("{words} -o json"))?;
        serde_json::from_str(&text).with_context(|| format!("kubectl {words} says no JSON"))
    }

    /// `kubectl apply -f` of a shipped file.
    ///
    /// # Errors
    /// When kubectl fails, or Pod Security warns.
    pub fn apply(&self, file: &str) -> Result<()> {
        self.with_file("apply", file)
    }

    /// `kubectl delete -f` of a shipped file; returns when what was in it is gone.
    ///
    /// # Errors
    /// When kubectl fails.
    pub fn delete(&self, file: &str) -> Result<()> {
        self.with_file("delete", file)
    }

    /// `kubectl apply -f` of a shipped file in which something was changed.
    ///
    /// # Errors
    /// As for [`apply`](Self::apply).
    pub fn apply_text(&self, file: &str, text: &str) -> Result<()> {
        self.with_text("apply", file, text)
    }

    fn with_file(&self, verb: &str, file: &str) -> Result<()> {
        let text = manifest::read(file, self.cluster, &self.namespace)?;
        self.with_text(verb, file, &text)
    }

    fn with_text(&self, verb: &str, file: &str, text: &str) -> Result<()> {
        self.note(&format!("# {file}:"));
        let output = self.run(&format!("{verb} -f -"), text)?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "kubectl {verb} -f {file}: {}",
            said.trim()
        );
        ensure!(!said.contains("Warning: would violate"), "{file}: {said}");
        Ok(())
    }

    /// Waits until `look` finds what is to come.
    ///
    /// # Errors
    /// When it hasn't come in that time, or `look` fails.
    pub fn until<T>(
        &self,
        what: &str,
        patience: Duration,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let start = Instant::now();
        loop {
            match look().with_context(|| format!("while waiting until {what}"))? {
                Some(found) => {
                    self.note(&format!("# {what} (after {:.1?})", start.elapsed()));
                    return Ok(found);
                }
                None if start.elapsed() > patience => {
                    bail!("{patience:?} have passed, and it isn't so that {what}")
                }
                None => thread::sleep(LOOK_AGAIN),
            }
        }
    }

    /// A line for whoever reads why a story failed.
    pub fn note(&self, line: &str) {
        let mut transcript = self.transcript.lock().expect("nobody panics while noting");
        // Waiting is looking at the same again and again: once is enough to read.
        if !transcript.trim_end().ends_with(line.trim_end()) {
            writeln!(transcript, "{line}").expect("a string takes what it is given");
        }
    }

    fn run(&self, words: &str, input: &str) -> Result<Output> {
        let mut child = self
            .cluster
            .kubectl()
            .args(["-n", &self.namespace])
            .args(words.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("kubectl can't be started")?;
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(input.as_bytes())?;
        drop(stdin);
        // No call of kubectl waits longer than it is told to; one that hangs is to fail its story.
        let id = child.id();
        let (done, waiting) = mpsc::channel::<()>();
        thread::spawn(move || {
            if waiting.recv_timeout(Duration::from_secs(300)) == Err(RecvTimeoutError::Timeout) {
                drop(
                    std::process::Command::new("kill")
                        .arg(id.to_string())
                        .status(),
                );
            }
        });
        let output = child.wait_with_output()?;
        drop(done);
        let said = String::from_utf8_lossy(&output.stdout);
        let said = if said.len() > 2000 {
            "…"
        } else {
            said.trim()
        };
        self.note(&format!(
            "$ kubectl {words}\n{said}{}",
            String::from_utf8_lossy(&output.stderr)
        ));
        Ok(output)
    }

    fn said(&self, words: &str) -> String {
        self.run(words, "").map_or_else(
            |error| error.to_string(),
            |output| String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    }

    /// The end: when it failed, all that helps to see why; and the namespace goes.
    pub fn end(self, result: &Result<()>) -> Option<String> {
        let told = result.as_ref().err().map(|error| {
            let seen = std::mem::take(&mut *self.transcript.lock().expect("nobody panics in it"));
            let mut told = format!("{error:#}\n\n--- what was done\n{seen}");
            let pods = self.said("get pods -o name");
            let logs = pods
                .lines()
                .map(|pod| format!("logs {pod} --all-containers --prefix --tail=50"));
            for words in [
                "get pods -o wide",
                "get events --sort-by=.lastTimestamp",
                "describe pods",
            ]
            .map(str::to_owned)
            .into_iter()
            .chain(logs)
            {
                let said = self.said(&words);
                writeln!(told, "\n--- kubectl {words}\n{said}").expect("a string takes it");
            }
            told
        });
        let gone = self.kubectl(&format!(
            "delete namespace {} --ignore-not-found --wait=false",
            self.namespace
        ));
        match (told, gone) {
            (Some(told), _) => Some(told),
            (None, Err(error)) => Some(format!("{error:#}")),
            (None, Ok(_)) => None,
        }
    }
}
