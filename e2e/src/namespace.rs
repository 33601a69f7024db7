//! One namespace of the cluster: kubectl in it, waiting for something to become true, and a
//! transcript of all that was run, which is printed when the story fails.

use std::{
    fmt::Write as _,
    io::Write as _,
    process::{Command, Output, Stdio},
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

/// How often to look whether something has become true.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// How long to wait for what takes seconds: an image is pulled, pods start and stop. It is this
/// long because a busy cluster is slow, and a story that fails for being slow teaches nothing.
pub const SOON: Duration = Duration::from_secs(120);

/// How long a call of kubectl may take. None waits for longer by its arguments; one that hangs is killed,
/// so that its story fails.
const KUBECTL_TIMEOUT: Duration = Duration::from_secs(300);

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
    ///
    /// # Errors
    /// When it fails, with its standard error.
    pub fn kubectl(&self, words: &str) -> Result<String> {
        self.kubectl_with(words, "")
    }

    /// The same, with `input` as its standard input.
    ///
    /// # Errors
    /// When it fails, with its standard error.
    pub fn kubectl_with(&self, words: &str, input: &str) -> Result<String> {
        let output = self.run(words, input)?;
        ensure!(
            output.status.success(),
            "kubectl {words}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs a command that must fail; returns its whole output.
    ///
    /// # Errors
    /// When it succeeds.
    pub fn fails(&self, words: &str) -> Result<String> {
        let output = self.run(words, "")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        ensure!(
            !output.status.success(),
            "kubectl {words} should have failed: {said}"
        );
        Ok(said)
    }

    /// An object, or a list's objects, as JSON.
    ///
    /// # Errors
    /// When kubectl fails.
    pub fn json(&self, words: &str) -> Result<Value> {
        let text = self.kubectl(&format!("{words} -o json"))?;
        serde_json::from_str(&text).with_context(|| format!("kubectl {words} printed no JSON"))
    }

    /// `kubectl apply -f` of a shipped file.
    ///
    /// # Errors
    /// When kubectl fails, or Pod Security warns.
    pub fn apply(&self, file: &str) -> Result<()> {
        self.with_file("apply", file)
    }

    /// `kubectl delete -f` of a shipped file; returns when its objects are gone.
    ///
    /// # Errors
    /// When kubectl fails.
    pub fn delete(&self, file: &str) -> Result<()> {
        self.with_file("delete", file)
    }

    /// `kubectl apply -f` of the text of a shipped file after a change.
    ///
    /// # Errors
    /// As for [`apply`](Self::apply).
    pub fn apply_text(&self, file: &str, text: &str) -> Result<()> {
        self.with_text("apply", file, text)
    }

    fn with_file(&self, verb: &str, file: &str) -> Result<()> {
        let text = manifest::read(file, self.cluster, &self.name)?;
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

    /// Calls `look` again and again until it returns something; `what` completes the sentence
    /// "waits until …".
    ///
    /// # Errors
    /// When `look` has returned nothing for as long as `timeout`, or fails.
    pub fn until<T>(
        &self,
        what: &str,
        timeout: Duration,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let start = Instant::now();
        loop {
            match look().with_context(|| format!("while waiting until {what}"))? {
                Some(found) => {
                    self.note(&format!("# {what} (after {:.1?})", start.elapsed()));
                    return Ok(found);
                }
                None if start.elapsed() > timeout => {
                    bail!("waited {timeout:?} in vain until {what}")
                }
                None => thread::sleep(POLL_INTERVAL),
            }
        }
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
        let mut child = self
            .cluster
            .kubectl()
            .args(["-n", &self.name])
            .args(words.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("kubectl can't be started")?;
        let mut stdin = child.stdin.take().expect("it is piped");
        // Where kubectl ends without reading it, its own error says more than this one.
        drop(stdin.write_all(input.as_bytes()));
        drop(stdin);
        let id = child.id();
        let (done, waiting) = mpsc::channel::<()>();
        thread::spawn(move || {
            if waiting.recv_timeout(KUBECTL_TIMEOUT) == Err(RecvTimeoutError::Timeout) {
                drop(Command::new("kill").arg(id.to_string()).status());
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

    /// The standard output of a command that may fail, for a report.
    pub fn output(&self, words: &str) -> String {
        self.run(words, "").map_or_else(
            |error| error.to_string(),
            |output| String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    }

    /// The transcript so far, which is empty afterwards.
    pub fn take_transcript(&self) -> String {
        std::mem::take(&mut *self.transcript.lock().expect("nobody panics while noting"))
    }
}
