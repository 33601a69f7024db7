//! A process that runs beside a test, such as `kubectl logs --follow`, and what it prints. It is
//! killed when its value is dropped, so that a test that fails or panics leaves none behind.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};

use crate::wait::until;

/// A running process, and the lines that it has printed so far.
#[derive(Debug)]
pub struct Background {
    child: Child,
    reader: Option<JoinHandle<()>>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Background {
    /// Starts a process.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} can't be started", command.get_program().display()))?;
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let read = Arc::clone(&lines);
        let reader = thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                read.lock().expect("nobody panics with it").push(line);
            }
        });
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

    /// Waits until the process has ended by itself; returns all lines. One that is still running after
    /// `timeout` is killed, which is an error.
    pub fn wait(mut self, timeout: Duration) -> Result<Vec<String>> {
        until("the process has ended", timeout, || {
            Ok(self.child.try_wait()?)
        })?;
        self.end();
        Ok(self.so_far(<[String]>::to_vec))
    }

    fn end(&mut self) {
        // Both fail only if the process has ended already. The reader then comes to its end too,
        // since nobody else holds the other side of the pipe.
        drop(self.child.kill());
        drop(self.child.wait());
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Pid, test_kill_process};

    use super::*;

    #[test]
    fn a_process_ends_with_its_value_or_when_its_time_is_over() {
        let ends: [fn(Background); 2] = [drop, |background| {
            let error = background.wait(Duration::ZERO).unwrap_err();
            assert!(error.to_string().contains("in vain until"), "{error}");
        }];
        for end in ends {
            let background = Background::start(Command::new("sleep").arg("3600")).unwrap();
            let id = Pid::from_child(&background.child);
            let is_running = || test_kill_process(id).is_ok();
            assert!(is_running(), "it has been started");
            end(background);
            assert!(!is_running(), "it was killed");
        }
    }

    #[test]
    fn all_output_has_been_read_when_the_process_has_ended() {
        let background = Background::start(Command::new("echo").arg("a\nb")).unwrap();
        assert_eq!(
            background.wait(Duration::from_secs(30)).unwrap(),
            ["a", "b"]
        );
    }
}
