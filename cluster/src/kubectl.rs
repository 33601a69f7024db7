//! kubectl for one cluster: that of a kube context, or that of a kubeconfig.

use std::{
    ffi::{OsStr, OsString},
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::wait::{SOON, until};

/// How long a call may take. None waits for longer by its arguments; one that hangs is killed, so
/// that the test that made it fails.
const TIMEOUT: Duration = Duration::from_secs(300);

/// kubectl, and which cluster it talks to.
#[derive(Clone, Debug)]
pub struct Kubectl {
    /// What stands before all other arguments.
    arguments: Vec<OsString>,
    /// For a sentence: `kube context kind-kind`.
    which: String,
}

impl Kubectl {
    /// For a kube context; empty: the current one.
    pub fn of_context(context: &str) -> Self {
        if context.is_empty() {
            return Self {
                arguments: Vec::new(),
                which: "current kube context".to_owned(),
            };
        }
        Self {
            arguments: vec!["--context".into(), context.into()],
            which: format!("kube context {context}"),
        }
    }

    /// For the current context of a kubeconfig.
    pub fn of_file(kubeconfig: &Path) -> Self {
        Self {
            arguments: vec!["--kubeconfig".into(), kubeconfig.into()],
            which: format!("kubeconfig {}", kubeconfig.display()),
        }
    }

    /// The command, without arguments of its own so far.
    pub fn command(&self) -> Command {
        let mut command = Command::new("kubectl");
        command.args(&self.arguments);
        command
    }

    /// Runs it with these arguments and with `input` as its standard input.
    ///
    /// # Errors
    /// When it can't be started. That it fails is no error here.
    pub fn output(
        &self,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        input: &str,
    ) -> Result<Output> {
        let mut child = self
            .command()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("kubectl can't be started: is it installed?")?;
        let mut stdin = child.stdin.take().expect("it is piped");
        // If kubectl ends without reading it, its own error says more than this one.
        drop(stdin.write_all(input.as_bytes()));
        drop(stdin);
        let id = child.id();
        let (done, waiting) = mpsc::channel::<()>();
        thread::spawn(move || {
            if waiting.recv_timeout(TIMEOUT) == Err(RecvTimeoutError::Timeout) {
                drop(Command::new("kill").arg(id.to_string()).status());
            }
        });
        let output = child.wait_with_output();
        drop(done);
        Ok(output?)
    }

    /// Its standard output.
    ///
    /// # Errors
    /// When it fails, with its standard error.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        printed(&arguments.join(" "), &self.output(arguments, "")?)
    }

    /// Checks that the cluster answers.
    ///
    /// # Errors
    /// A sentence when there is no kubectl, or when no cluster answers it.
    pub fn check(&self) -> Result<()> {
        let output = self.output(["get", "--raw", "/readyz", "--request-timeout=10s"], "")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().last().unwrap_or_default();
            bail!("No cluster answers in the {}: {last}", self.which);
        }
        Ok(())
    }

    /// Waits until a new namespace has its service account, which a controller makes. Until then
    /// its pods are rejected.
    ///
    /// # Errors
    /// When it takes too long.
    pub fn wait_for_account(&self, namespace: &str) -> Result<()> {
        let what = format!("{namespace} has its service account");
        until(&what, SOON, || {
            let found = self.run(&[
                "get",
                "serviceaccount",
                "default",
                "--namespace",
                namespace,
                "--ignore-not-found",
                "--output=name",
            ])?;
            Ok((!found.is_empty()).then_some(()))
        })
    }
}

/// The standard output of a call, if it has succeeded.
pub(crate) fn printed(words: &str, output: &Output) -> Result<String> {
    ensure!(
        output.status.success(),
        "kubectl {words}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_cluster_is_one_sentence() {
        let nowhere = Path::new("/nowhere/kubeconfig");
        let error = Kubectl::of_file(nowhere).check().unwrap_err().to_string();
        assert!(
            error.starts_with("No cluster answers in the kubeconfig /nowhere/kubeconfig: ")
                || error == "kubectl can't be started: is it installed?",
            "{error}"
        );
    }
}
