//! A bash that is kept alive, so that variables last from block to block, as in a reader's terminal.
//! Each block is sourced; a command in it that fails ends the block, and not the shell.

use std::{
    ffi::OsString,
    fs,
    io::{Read, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};

/// The most that a block may print: a reader wants less, and memory is bounded.
const MOST_OUTPUT: usize = 1 << 20;

/// How much of it is shown if it prints more: enough to see what it is.
const SHOWN_OF_TOO_MUCH: usize = 2000;

/// How often a waiting runner looks whether it was interrupted.
const GLANCE: Duration = Duration::from_millis(100);

/// What a block printed, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Standard output and standard error, as they came.
    pub output: String,
    /// How it ended.
    pub end: End,
}

/// How a block ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this code.
    Exit(i32),
    /// It left background jobs behind, so many.
    Jobs(usize),
    /// It ended the shell.
    ShellGone,
    /// It took too long; its processes were killed.
    TimedOut,
    /// It printed too much; its processes were killed.
    TooMuch,
    /// The runner was told to stop; its processes were killed.
    Interrupted,
}

/// A bash. Its processes are killed when it is dropped.
#[derive(Debug)]
pub struct Shell {
    bash: Child,
    chunks: Receiver<Vec<u8>>,
    script: PathBuf,
    token: String,
    gone: bool,
}

impl Shell {
    /// Starts a bash in a folder, with variables added to (or, with none, taken from) the
    /// environment. The script of each block is written to `script`.
    pub fn start(
        folder: &Path,
        script: PathBuf,
        environment: &[(&str, Option<OsString>)],
    ) -> Result<Self> {
        let (mut reader, writer) = std::io::pipe()?;
        let mut command = Command::new("bash");
        command
            .args(["--noprofile", "--norc"])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stderr(writer.try_clone()?)
            .stdout(writer)
            .process_group(0);
        for (name, value) in environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut bash = command.spawn().context("bash can't be started")?;
        drop(command); // it holds the pipe's other end
        // As `set -e` does, but returning from the block; functions, subshells and pipes too. Outside
        // of a block there is nothing to return from.
        let input = bash.stdin.as_mut().expect("it is piped");
        writeln!(
            input,
            "set -E -o pipefail; trap 'return \"$?\" 2>/dev/null' ERR"
        )?;
        let (sender, chunks) = mpsc::sync_channel(16);
        thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(count) = reader.read(&mut buffer) {
                if count == 0 || sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        // Nothing else prints this: it is a path of this run's own, between ASCII record separators.
        let token = format!("\u{1e}{}\u{1e}", script.display());
        Ok(Self {
            bash,
            chunks,
            script,
            token,
            gone: false,
        })
    }

    /// Runs a block. After any end but `Exit` and `Jobs` the shell is gone.
    pub fn run(&mut self, code: &str, limit: Duration, interrupted: &AtomicBool) -> Result<Ran> {
        fs::write(&self.script, code)?;
        let script = self.script.display();
        let token = &self.token;
        let input = self.bash.stdin.as_mut().expect("it is piped");
        // All of it on one line, so that bash has read it before the block runs.
        let line = format!(
            ". '{script}' </dev/null; printf '%s%s %s\\n' '{token}' \"$?\" \"$(jobs -rp | wc -l)\"\n"
        );
        if input.write_all(line.as_bytes()).is_err() {
            return Ok(self.kill(Vec::new(), End::ShellGone));
        }
        let deadline = Instant::now() + limit;
        let mut output: Vec<u8> = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.chunks.recv_timeout(left.min(GLANCE)) {
                Ok(chunk) => {
                    let from = output.len().saturating_sub(token_window(&self.token));
                    output.extend(chunk);
                    if let Some(ran) = self.ended(&output, from) {
                        return Ok(ran);
                    }
                    if output.len() > MOST_OUTPUT {
                        output.truncate(SHOWN_OF_TOO_MUCH);
                        return Ok(self.kill(output, End::TooMuch));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Ok(self.kill(output, End::ShellGone));
                }
                Err(RecvTimeoutError::Timeout) => {
                    if interrupted.load(Ordering::Relaxed) {
                        return Ok(self.kill(output, End::Interrupted));
                    }
                    // A job in the background can hold the pipe open after the shell has ended.
                    if self.bash.try_wait()?.is_some() {
                        return Ok(self.kill(output, End::ShellGone));
                    }
                }
            }
            if Instant::now() >= deadline {
                return Ok(self.kill(output, End::TimedOut));
            }
        }
    }

    /// What ran, if its end is in the output.
    fn ended(&self, output: &[u8], from: usize) -> Option<Ran> {
        let token = self.token.as_bytes();
        let at = from
            + output[from..]
                .windows(token.len())
                .position(|part| part == token)?;
        let end = output[at..].strip_suffix(b"\n")?;
        let end = String::from_utf8_lossy(&end[token.len()..]);
        let mut words = end.split_whitespace();
        let code = words.next()?.parse().ok()?;
        let jobs = words.next()?.parse().ok()?;
        Some(Ran {
            output: String::from_utf8_lossy(&output[..at]).into_owned(),
            end: if jobs > 0 {
                End::Jobs(jobs)
            } else {
                End::Exit(code)
            },
        })
    }

    fn kill(&mut self, output: Vec<u8>, end: End) -> Ran {
        // Once, since another process may get its number afterwards.
        if !std::mem::replace(&mut self.gone, true) {
            // It fails only if there are none.
            let _ = kill_process_group(Pid::from_child(&self.bash), Signal::KILL);
            drop(self.bash.wait());
        }
        Ran {
            output: String::from_utf8_lossy(&output).into_owned(),
            end,
        }
    }
}

/// How far back a token can begin that was cut off by a chunk's end, with what follows it.
fn token_window(token: &str) -> usize {
    token.len() + 32
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.kill(Vec::new(), End::ShellGone);
    }
}
