//! kubectl for one cluster: that of a kube context, or that of a kubeconfig.

use std::{
    ffi::OsStr,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{SOON, until};

/// How long a call may take. None waits for longer by its arguments; one that hangs is killed, so
/// that the test that made it fails.
const TIMEOUT: Duration = Duration::from_secs(300);

/// kubectl, and which cluster it talks to.
#[derive(Clone, Debug)]
pub struct Kubectl {
    /// What stands before all other arguments, if anything.
    choice: Option<String>,
}

impl Kubectl {
    /// For a kube context; empty: the current one.
    pub fn of_context(context: &str) -> Self {
        let choice = (!context.is_empty()).then(|| format!("--context={context}"));
        Self { choice }
    }

    /// For the current context of a kubeconfig.
    pub fn of_file(kubeconfig: &Path) -> Self {
        let choice = Some(format!("--kubeconfig={}", kubeconfig.display()));
        Self { choice }
    }

    /// The command, without arguments of its own so far.
    pub fn command(&self) -> Command {
        let mut command = Command::new("kubectl");
        // A user's own defaults, such as `delete --interactive`, would have a test wait for an answer.
        command.env("KUBERC", "off");
        command.args(&self.choice);
        command
    }

    /// Runs it with these arguments and with `input` as its standard input. That it fails is no error
    /// here.
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
        let id = Pid::from_child(&child);
        let (done, waiting) = mpsc::channel::<()>();
        thread::spawn(move || {
            if waiting.recv_timeout(TIMEOUT) == Err(RecvTimeoutError::Timeout) {
                let _ = kill_process(id, Signal::TERM);
            }
        });
        let output = child.wait_with_output();
        drop(done);
        Ok(output?)
    }

    /// Its standard output; when it fails, its standard error is the error.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        printed(&arguments.join(" "), &self.output(arguments, "")?)
    }

    /// Checks that the cluster answers. That there is no kubectl, or no answer, is one sentence.
    pub fn check(&self) -> Result<()> {
        let output = self.output(["get", "--raw", "/readyz", "--request-timeout=10s"], "")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().last().unwrap_or_default();
            let choice = self.choice.as_deref();
            let choice = choice.unwrap_or("in the current kube context");
            bail!("No cluster answers kubectl {choice}: {last}");
        }
        Ok(())
    }

    /// Waits until a new namespace has its service account, which a controller makes. Until then
    /// its pods are rejected.
    pub fn wait_for_account(&self, namespace: &str) -> Result<()> {
        let what = format!("{namespace} has its service account");
        let get = format!("get serviceaccount default -n {namespace} --ignore-not-found -o name");
        let get: Vec<&str> = get.split(' ').collect();
        until(&what, SOON, || {
            Ok((!self.run(&get)?.is_empty()).then_some(()))
        })
    }
}

/// The standard output of a call, if it has succeeded.
pub(crate) fn printed(words: &str, output: &Output) -> Result<String> {
    ensure!(
        output.status.success(),
        "kubectl {words} ends with {}: {}",
        output.status,
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
            error.starts_with("No cluster answers kubectl --kubeconfig=/nowhere/kubeconfig: ")
                || error == "kubectl can't be started: is it installed?",
            "{error}"
        );
    }

    #[test]
    fn no_preferences_of_a_user_s_change_what_a_command_does() {
        let command = Kubectl::of_context("").command();
        let off = ("KUBERC".as_ref(), Some("off".as_ref()));
        assert!(command.get_envs().any(|variable| variable == off));
    }
}
