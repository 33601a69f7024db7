//! A process that runs beside a test, such as `kubectl logs --follow`, and what it prints. It is
//! killed when its value is dropped, so that a test that fails or panics leaves none behind.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// How often to check whether a process has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A running process, and the lines that it has printed so far.
#[derive(Debug)]
pub struct Background {
    child: Child,
    reader: Option<JoinHandle<()>>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Background {
    /// Starts a process.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} can't be started", command.get_program().display()))?;
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let reader = {
            let lines = Arc::clone(&lines);
            thread::spawn(move || {
                for line in output.lines().map_while(Result::ok) {
                    lines.lock().expect("nobody panics with it").push(line);
                }
            })
        };
        Ok(Self {
            child,
            reader: Some(reader),
            lines,
        })
    }

    /// Looks at the lines so far.
    pub fn so_far<R>(&self, look: impl FnOnce(&[String]) -> R) -> R {
        look(&self.lines.lock().expect("nobody panics with it"))
    }

    /// Waits until the process has ended by itself; returns all lines.
    ///
    /// # Errors
    /// When it is still running after `timeout`; it is killed then.
    pub fn wait(mut self, timeout: Duration) -> Result<Vec<String>> {
        let start = Instant::now();
        while self.child.try_wait()?.is_none() {
            if start.elapsed() > timeout {
                bail!("the process is still running after {timeout:?}");
            }
            thread::sleep(POLL_INTERVAL);
        }
        let lines = Arc::clone(&self.lines);
        drop(self); // the reader comes to its end
        Ok(std::mem::take(
            &mut *lines.lock().expect("nobody panics with it"),
        ))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Both fail only if the process has ended already. The reader then comes to its end too,
        // since nobody else holds the other side of the pipe.
        drop(self.child.kill());
        drop(self.child.wait());
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that would run for an hour, and its ID.
    fn sleeper() -> (Background, u32) {
        let background = Background::start(Command::new("sleep").arg("3600")).unwrap();
        let id = background.child.id();
        assert!(is_running(id), "it has been started");
        (background, id)
    }

    fn is_running(id: u32) -> bool {
        let mut kill = Command::new("kill");
        kill.args(["-0", &id.to_string()]).stderr(Stdio::null());
        kill.status().unwrap().success()
    }

    #[test]
    fn a_process_ends_with_its_value() {
        let (background, id) = sleeper();
        drop(background);
        assert!(!is_running(id), "it was killed");
    }

    #[test]
    fn a_process_that_runs_for_too_long_is_killed() {
        let (background, id) = sleeper();
        let error = background.wait(Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("still running"), "{error}");
        assert!(!is_running(id), "it was killed");
    }

    #[test]
    fn all_output_has_been_read_when_the_process_has_ended() {
        let background = Background::start(Command::new("echo").arg("a\nb")).unwrap();
        assert_eq!(background.wait(SOON).unwrap(), ["a", "b"]);
    }

    const SOON: Duration = Duration::from_secs(30);
}
