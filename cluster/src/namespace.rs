//! One namespace of the cluster: kubectl in it, waiting for something to become true, and a
//! transcript of all that was run, which is printed when the test fails.

use std::{
    fmt::Write as _,
    process::{Command, Output},
    sync::Mutex,
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    images::Cluster,
    kubectl::printed,
    manifest,
    wait::{self, SOON},
};

/// A namespace, and the transcript of what was done in it.
#[derive(Debug)]
pub struct Namespace<'a> {
    /// The cluster and the images.
    pub cluster: &'a Cluster,
    /// Its name.
    pub name: String,
    transcript: Mutex<String>,
}

impl<'a> Namespace<'a> {
    /// A namespace of that name, which need not exist yet.
    pub fn new(cluster: &'a Cluster, name: &str) -> Self {
        Self {
            cluster,
            name: name.to_owned(),
            transcript: Mutex::default(),
        }
    }

    /// Runs `kubectl` with these arguments, separated by spaces, in the namespace; returns its
    /// standard output.
    pub fn kubectl(&self, words: &str) -> Result<String> {
        self.kubectl_with(words, "")
    }

    /// The same, with `input` as its standard input.
    pub fn kubectl_with(&self, words: &str, input: &str) -> Result<String> {
        printed(words, &self.run(words, input)?)
    }

    /// An object, or a list's objects, as JSON.
    pub fn json(&self, words: &str) -> Result<Value> {
        let text = self.kubectl(&format!("{words} -o json"))?;
        serde_json::from_str(&text).with_context(|| format!("kubectl {words} printed no JSON"))
    }

    /// `kubectl apply -f` of a shipped file. A warning of Pod Security's is an error.
    pub fn apply(&self, file: &str) -> Result<()> {
        self.apply_text(file, &self.shipped(file)?)
    }

    /// The text of a shipped file, with the images of the cluster and in this namespace.
    pub fn shipped(&self, file: &str) -> Result<String> {
        let Cluster { registry, tag, .. } = self.cluster;
        manifest::read(file, registry, tag, &self.name)
    }

    /// `kubectl apply -f` of the text of a shipped file after a change.
    pub fn apply_text(&self, file: &str, text: &str) -> Result<()> {
        self.note(&format!("# {file}:"));
        let output = self.run("apply -f -", text)?;
        printed(&format!("apply -f {file}"), &output)?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(!said.contains("Warning: would violate"), "{file}: {said}");
        Ok(())
    }

    /// [Waits](wait::until), and notes how long it took.
    pub fn until<T>(&self, what: &str, look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        let start = Instant::now();
        let found = wait::until(what, SOON, look)?;
        self.note(&format!("# {what} (after {:.1?})", start.elapsed()));
        Ok(found)
    }

    /// kubectl in this namespace, for a process in the background.
    pub fn command(&self) -> Command {
        let mut kubectl = self.cluster.kubectl.command();
        kubectl.args(["-n", &self.name]);
        kubectl
    }

    /// Adds a line to the transcript.
    pub fn note(&self, line: &str) {
        let mut transcript = self.transcript.lock().expect("nobody panics while noting");
        // Waiting repeats the same command: one of the same lines is enough to read.
        if !transcript.trim_end().ends_with(line.trim_end()) {
            writeln!(transcript, "{line}").expect("a string takes what it is given");
        }
    }

    fn run(&self, words: &str, input: &str) -> Result<Output> {
        let arguments = ["-n", &self.name].into_iter();
        let arguments = arguments.chain(words.split_whitespace());
        let output = self.cluster.kubectl.output(arguments, input)?;
        let [said, errors] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
        let said = match said.len() {
            0..=2000 => said.trim(),
            _ => "…",
        };
        self.note(&format!("$ kubectl {words}\n{said}{errors}"));
        Ok(output)
    }

    /// The standard output of a command that may fail, for a report.
    pub fn output(&self, words: &str) -> String {
        match self.run(words, "") {
            Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// The transcript so far, which is empty afterwards.
    pub fn take_transcript(&self) -> String {
        std::mem::take(&mut *self.transcript.lock().expect("nobody panics while noting"))
    }
}
