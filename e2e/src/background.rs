//! A process that runs beside a story, such as `kubectl logs --follow`, and what it prints. It is
//! killed when its value is dropped, so that a story that fails or panics leaves none behind.

use std::{
    process::{Child, ChildStdout, Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// How often to check whether a process has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A running process, and the thread that reads its standard output.
#[derive(Debug)]
pub struct Background {
    child: Child,
    reader: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts a process; `read` gets its standard output, on a thread of its own.
    ///
    /// # Errors
    /// When the process can't be started.
    pub fn start(
        command: &mut Command,
        read: impl FnOnce(ChildStdout) + Send + 'static,
    ) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} can't be started", command.get_program().display()))?;
        let output = child.stdout.take().expect("it is piped");
        Ok(Self {
            child,
            reader: Some(thread::spawn(move || read(output))),
        })
    }

    /// Waits until the process has ended by itself and all of its output has been read.
    ///
    /// # Errors
    /// When it is still running after `timeout`; it is killed then.
    pub fn wait(mut self, timeout: Duration) -> Result<()> {
        let start = Instant::now();
        while self.child.try_wait()?.is_none() {
            if start.elapsed() > timeout {
                bail!("the process is still running after {timeout:?}");
            }
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Both fail only when the process has ended already. The reader then comes to its end too,
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
    use std::{
        io::{BufRead, BufReader},
        panic::{self, AssertUnwindSafe},
        sync::{Arc, Mutex, mpsc},
    };

    use super::*;

    /// A process that would run for an hour, and its ID.
    fn sleeper() -> (Background, u32) {
        let background = Background::start(Command::new("sleep").arg("3600"), drop).unwrap();
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
    fn a_process_ends_with_the_story_that_started_it() {
        let (background, id) = sleeper();
        drop(background);
        assert!(!is_running(id), "it was killed");
    }

    #[test]
    fn a_process_ends_with_a_story_that_panics() {
        let (tell, id) = mpsc::channel();
        let panicked = panic::catch_unwind(AssertUnwindSafe(|| {
            let (_background, id) = sleeper();
            tell.send(id).unwrap();
            panic!("this panic is part of the test");
        }));
        assert!(panicked.is_err());
        assert!(!is_running(id.recv().unwrap()), "it was killed");
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
        let lines = Arc::new(Mutex::new(Vec::new()));
        let read = {
            let lines = lines.clone();
            move |output| {
                let read = BufReader::new(output).lines().map_while(Result::ok);
                lines.lock().unwrap().extend(read);
            }
        };
        let background = Background::start(Command::new("echo").arg("a\nb"), read).unwrap();
        background.wait(Duration::from_secs(30)).unwrap();
        assert_eq!(*lines.lock().unwrap(), ["a", "b"]);
    }
}
