//! A program under measurement: how it is started, until it ends with its value.

use std::{
    env,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{account, affinity, http::Url};

/// How long a program may take to answer: peers take tens of milliseconds.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// A program that can be measured.
#[derive(Clone, Debug)]
pub struct Program {
    /// What it is called in the results.
    pub name: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// What it is asked for.
    pub path: String,
    /// What it is asked for when only its start is of interest.
    pub start_path: String,
    /// `HOST:PORT`; none: it is told where to listen.
    pub authority: Option<String>,
}

impl Program {
    /// One that has `--listen`.
    pub fn new(name: &str, binary: PathBuf, arguments: &[&str], path: &str) -> Self {
        let binary = binary.to_string_lossy().into_owned();
        let arguments = arguments.iter().map(|it| (*it).to_owned());
        Self {
            name: name.to_owned(),
            command: std::iter::once(binary).chain(arguments).collect(),
            path: path.to_owned(),
            start_path: path.to_owned(),
            authority: None,
        }
    }

    /// The binary's path.
    pub fn binary(&self) -> PathBuf {
        PathBuf::from(&self.command[0])
    }

    /// `name=command|url …`: a command may have spaces, a URL has none.
    ///
    /// # Errors
    /// A sentence about the first one that is written otherwise.
    pub fn peers(text: &str) -> Result<Vec<Self>> {
        let mut peers = Vec::new();
        let mut words: Vec<&str> = Vec::new();
        for word in text.split_whitespace() {
            words.push(word);
            if !word.contains('|') {
                continue;
            }
            let peer = std::mem::take(&mut words).join(" ");
            let parts = peer
                .split_once('|')
                .and_then(|(start, url)| Some((start.split_once('=')?, url)));
            let ((name, command), url) = parts.with_context(|| wrong(&peer))?;
            let url = Url::parse(url)?;
            let mut command: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
            let program = command.first_mut().with_context(|| wrong(&peer))?;
            // Its size is measured too, so where it is has to be known.
            *program = found(program)?;
            peers.push(Self {
                name: name.to_owned(),
                command,
                path: url.path.clone(),
                start_path: url.path,
                authority: Some(url.authority),
            });
        }
        ensure!(words.is_empty(), wrong(&words.join(" ")));
        Ok(peers)
    }

    /// Starts it on these CPUs, and waits until it answers.
    ///
    /// # Errors
    /// When it can't be started or doesn't answer.
    pub fn start(&self, cpus: &[usize], workers: Option<usize>) -> Result<Server> {
        let (server, url) = self.spawn(cpus, workers)?;
        let begun = Instant::now();
        while !url.is_ok() {
            if begun.elapsed() > START_TIMEOUT {
                bail!("{} doesn't answer {} with 200", self.name, url.text());
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(server)
    }

    /// From exec to its first 200, in seconds.
    ///
    /// # Errors
    /// When it can't be started or doesn't answer.
    pub fn first_answer(&self, cpus: &[usize]) -> Result<f64> {
        let begun = Instant::now();
        let (_server, url) = self.spawn(cpus, None)?;
        while !url.is_ok() {
            if begun.elapsed() > START_TIMEOUT {
                bail!("{} doesn't answer {} with 200", self.name, url.text());
            }
        }
        Ok(begun.elapsed().as_secs_f64())
    }

    fn spawn(&self, cpus: &[usize], workers: Option<usize>) -> Result<(Server, Url)> {
        let authority = match &self.authority {
            Some(authority) => authority.clone(),
            None => {
                let free = TcpListener::bind("127.0.0.1:0")?;
                free.local_addr()?.to_string()
            }
        };
        let mut command = Command::new(&self.command[0]);
        command
            .args(&self.command[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if self.authority.is_none() {
            command.args(["--listen", &authority]);
        }
        if let Some(workers) = workers {
            command.env("WORKER_THREADS", workers.to_string());
        }
        let load = affinity::current()?;
        affinity::pin(cpus)?;
        let child = command.spawn();
        affinity::pin(&load)?;
        let child = child.with_context(|| format!("{} can't be started", self.command[0]))?;
        let url = |path: &str| Url {
            authority: authority.clone(),
            path: path.to_owned(),
        };
        let server = Server {
            child,
            url: url(&self.path),
        };
        Ok((server, url(&self.start_path)))
    }
}

/// The path of a program, which a shell would look for in the folders of `PATH`.
fn found(program: &str) -> Result<String> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let candidates: Vec<PathBuf> = if program.contains('/') {
        vec![program.into()]
    } else {
        let folders = env::split_paths(&folders);
        folders.map(|folder| folder.join(program)).collect()
    };
    let path = candidates.into_iter().find(|path| path.is_file());
    let path = path.with_context(|| format!("PEERS: there is no program {program}"))?;
    Ok(path.to_string_lossy().into_owned())
}

fn wrong(peer: &str) -> String {
    format!("PEERS is written as name=command|http://host:port/path, and not as \"{peer}\"")
}

/// A program that runs, until this value is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// What to ask it for.
    pub url: Url,
}

impl Server {
    /// CPU seconds so far.
    pub fn cpu(&self) -> f64 {
        account::cpu(self.child.id())
    }

    /// Resident memory in bytes.
    ///
    /// # Errors
    /// When it has ended.
    pub fn resident(&self) -> Result<f64> {
        account::resident(self.child.id()).context("the program has ended")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_separated_by_spaces_and_their_commands_may_have_some() {
        let peers = Program::peers(
            "whoami=/bin/sh --port 81|http://127.0.0.1:81/bench  podinfo=sh|http://127.0.0.1:9898/",
        )
        .unwrap();
        assert_eq!(peers.len(), 2);
        assert_eq!(peers[0].name, "whoami");
        assert_eq!(peers[0].command, ["/bin/sh", "--port", "81"]);
        assert!(peers[1].binary().is_file(), "{:?}", peers[1].command);
        assert_eq!(peers[0].path, "/bench");
        assert_eq!(peers[1].authority.as_deref(), Some("127.0.0.1:9898"));
        assert!(Program::peers("").unwrap().is_empty());
    }

    #[test]
    fn a_peer_that_is_not_there_is_told_before_anything_is_measured() {
        for program in ["no-such-program", "/no/such/program"] {
            let peer = format!("a={program}|http://127.0.0.1:81/");
            let error = Program::peers(&peer).unwrap_err().to_string();
            assert_eq!(error, format!("PEERS: there is no program {program}"));
        }
    }

    #[test]
    fn a_peer_written_otherwise_is_named() {
        for text in ["whoami", "whoami=whoami", "|http://a:1/", "a=|http://a:1/"] {
            let error = Program::peers(text).unwrap_err().to_string();
            assert!(error.contains(&format!("\"{text}\"")), "{error}");
        }
    }
}
