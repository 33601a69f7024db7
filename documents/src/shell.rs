//! A bash that is kept alive, so that variables last from block to block, as in a reader's terminal.
//! Each block is sourced; a command in it that fails ends the block, and not the shell.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};

/// The most that a block may print: a reader wants less, and memory is bounded.
const MOST_OUTPUT: u64 = 1 << 20;

/// How much of it is shown if it prints more: enough to see what it is.
const SHOWN_OF_TOO_MUCH: u64 = 2000;

/// How often a block is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// What a block printed, and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// Standard output and standard error, as they came.
    pub output: String,
    /// Its exit code, or a sentence that says what else became of it. After that its shell is gone.
    pub end: Result<i32, String>,
}

/// A bash. Its processes are killed when it is dropped.
#[derive(Debug)]
pub struct Shell {
    bash: Child,
    folder: PathBuf,
    gone: bool,
}

impl Shell {
    /// Starts a bash. Scripts and outputs of the blocks are files in a folder.
    pub fn start(mut bash: Command, folder: &Path) -> Result<Self> {
        bash.stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        let mut bash = bash.spawn().context("bash can't be started")?;
        // As `set -e` does, but returning from the block; functions, subshells and pipes too. Outside
        // of a block there is nothing to return from.
        let input = bash.stdin.as_mut().expect("it is piped");
        let trap = "set -E -o pipefail; trap 'return \"$?\" 2>/dev/null' ERR";
        writeln!(input, "{trap}")?;
        Ok(Self {
            bash,
            folder: folder.to_owned(),
            gone: false,
        })
    }

    /// Runs a block.
    pub fn run(&mut self, code: &str, limit: Duration, interrupted: &AtomicBool) -> Result<Ran> {
        let path = |name| self.folder.join(name);
        let (script, output, end) = (path("block.sh"), path("output"), path("end"));
        fs::write(&script, code)?;
        fs::write(&output, "")?;
        let line = format!(
            "{{ . '{}' </dev/null; }} >>'{}' 2>&1; echo $? $(jobs -rp | wc -l) >'{}'\n",
            script.display(),
            output.display(),
            end.display(),
        );
        let input = self.bash.stdin.as_mut().expect("it is piped");
        // If the shell is gone, that is seen below.
        drop(input.write_all(line.as_bytes()));
        let deadline = Instant::now() + limit;
        let mut shown = MOST_OUTPUT;
        let end = loop {
            if let Some(ended) = ended(&end) {
                fs::remove_file(&end)?;
                break ended;
            }
            let sentence = if fs::metadata(&output)?.len() > MOST_OUTPUT {
                shown = SHOWN_OF_TOO_MUCH;
                "It printed more than 1 MiB, and was ended.".to_owned()
            } else if interrupted.load(Ordering::Relaxed) {
                "It was interrupted.".to_owned()
            } else if self.bash.try_wait()?.is_some() {
                "It ended the shell in which the document runs.".to_owned()
            } else if Instant::now() >= deadline {
                let seconds = limit.as_secs_f64();
                format!("It took longer than {seconds:.0} s, and was ended; `within` allows more.")
            } else {
                thread::sleep(GLANCE);
                continue;
            };
            self.kill();
            break Err(sentence);
        };
        let mut printed = Vec::new();
        File::open(&output)?.take(shown).read_to_end(&mut printed)?;
        Ok(Ran {
            output: String::from_utf8_lossy(&printed).into_owned(),
            end,
        })
    }

    /// Kills what still runs.
    fn kill(&mut self) {
        // Once, since another process may get its number afterwards.
        if !std::mem::replace(&mut self.gone, true) {
            // It fails only if there are none.
            let _ = kill_process_group(Pid::from_child(&self.bash), Signal::KILL);
            drop(self.bash.wait());
        }
    }
}

/// How a block ended, once it has and its line is whole.
fn ended(file: &Path) -> Option<Result<i32, String>> {
    let text = fs::read_to_string(file).ok()?;
    let (code, jobs) = text.strip_suffix('\n')?.split_once(' ')?;
    Some(match jobs {
        "0" => Ok(code.parse().ok()?),
        _ => Err(format!(
            "It ends with {code} and leaves {jobs} job(s) in the background: end them, or wait for \
             them, in the same block."
        )),
    })
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.kill();
    }
}
