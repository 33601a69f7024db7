//! A program under measurement: how it is started, until it ends with its value.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::{client::Connection, machine, shipped};

/// How long a program may take to answer. Peers take tens of milliseconds; under valgrind a start
/// takes seconds.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Between two questions whether it answers, unless its start is what is timed.
pub const PAUSE: Duration = Duration::from_millis(2);

/// A program that can be measured.
#[derive(Clone, Debug)]
pub struct Program {
    /// What it is called in the results.
    pub name: String,
    pub binary: PathBuf,
    pub arguments: Vec<String>,
    /// What it is asked for.
    pub path: String,
    /// `HOST:PORT`. `None`: it has `--listen`, and is told.
    pub authority: Option<String>,
}

impl Program {
    pub fn new(name: &str, binary: &Path, arguments: &[&str], path: &str) -> Self {
        Self {
            name: name.to_owned(),
            binary: binary.to_owned(),
            arguments: arguments.iter().map(|&it| it.to_owned()).collect(),
            path: path.to_owned(),
            authority: None,
        }
    }

    /// `name=command|url …`: a command may have spaces, a URL has none.
    pub fn peers(text: &str) -> Result<Vec<Self>> {
        let mut peers = Vec::new();
        let mut words: Vec<&str> = Vec::new();
        for word in text.split_whitespace() {
            words.push(word);
            if word.contains('|') {
                peers.push(Self::peer(&std::mem::take(&mut words).join(" "))?);
            }
        }
        ensure!(words.is_empty(), wrong(&words.join(" ")));
        Ok(peers)
    }

    fn peer(text: &str) -> Result<Self> {
        let parts = || -> Option<_> {
            let (start, url) = text.split_once("|http://")?;
            let (name, command) = start.split_once('=')?;
            let mut command = command.split(' ');
            let (authority, path) = url.split_once('/')?;
            let (_, port) = authority.rsplit_once(':')?;
            port.parse::<u16>().ok()?;
            let binary = command.next().filter(|binary| !binary.is_empty())?;
            Some((name, binary, command.collect::<Vec<_>>(), authority, path))
        };
        let (name, binary, arguments, authority, path) = parts().with_context(|| wrong(text))?;
        // Its size is measured too, so where it is has to be known.
        let found = shipped::output(Command::new("which").arg(binary));
        let found = found.with_context(|| format!("PEERS: there is no program {binary}"))?;
        let (found, path) = (Path::new(found.trim()), format!("/{path}"));
        let mut peer = Self::new(name, found, &arguments, &path);
        peer.authority = Some(authority.to_owned());
        Ok(peer)
    }

    /// Starts it on these CPUs, and asks again and again until it answers with 200.
    pub fn start(&self, cpus: &[usize], pause: Duration) -> Result<Server> {
        let authority = self.authority.clone().map_or_else(free_authority, Ok)?;
        let mut command = Command::new(&self.binary);
        command.args(&self.arguments).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        if self.authority.is_none() {
            command.args(["--listen", &authority]);
        }
        // It has the CPUs of the thread that starts it: nothing stands between exec and the program.
        let own = machine::pin(cpus)?;
        let begun = Instant::now();
        let child = command.spawn();
        machine::pin(&own)?;
        let mut server = Server {
            child: child.with_context(|| format!("{} can't be started", self.binary.display()))?,
            begun,
            path: self.path.clone(),
            authority,
        };
        // What is told where to listen is one of ours or bare, and answers this without calling anybody.
        let told = self.authority.is_none();
        let path = if told { "/livez" } else { &self.path };
        let ask = |server: &Server| server.connect()?.get(path);
        while let Err(error) = ask(&server) {
            if let Some(status) = server.child.try_wait()? {
                bail!("{} ended at once: {status}", self.name);
            }
            let in_time = begun.elapsed() < START_TIMEOUT;
            ensure!(in_time, "{} doesn't answer: {error:#}", self.name);
            thread::sleep(pause);
        }
        Ok(server)
    }
}

/// Where nothing listens just now.
pub fn free_authority() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

fn wrong(peer: &str) -> String {
    format!("PEERS is written as name=command|http://host:port/path, and not as \"{peer}\"")
}

/// A program that runs, until this value is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Before exec.
    pub begun: Instant,
    /// `HOST:PORT`.
    pub authority: String,
    /// What to ask it for.
    pub path: String,
}

impl Server {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn url(&self) -> String {
        format!("http://{}{}", self.authority, self.path)
    }

    pub fn connect(&self) -> Result<Connection> {
        Ok(Connection::open(&self.authority)?)
    }

    /// Tells it to stop, does this meanwhile, and waits until it has.
    pub fn stop(mut self, meanwhile: impl FnOnce() -> Result<()>) -> Result<ExitStatus> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        meanwhile()?;
        Ok(self.child.wait()?)
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
    fn peers_are_separated_by_spaces_and_one_that_is_not_there_or_written_otherwise_is_told() {
        let text = "a=/bin/sh --port 81|http://a:81/x  b=sh|http://b:82/";
        let peers = Program::peers(text).unwrap();
        assert_eq!((&*peers[0].name, &*peers[0].path), ("a", "/x"));
        assert_eq!(peers[0].arguments, ["--port", "81"]);
        assert_eq!(peers[1].authority.as_deref(), Some("b:82"));
        assert!(peers[1].binary.is_file(), "{:?}", peers[1].binary);

        let error = |text: &str| Program::peers(text).unwrap_err().to_string();
        let missing = error("a=no-such-program|http://a:1/");
        assert_eq!(missing, "PEERS: there is no program no-such-program");
        for text in ["a=a", "|http://a:1/", "a=|http://a:1/", "a=b|http://a/"] {
            assert!(error(text).ends_with(&format!("\"{text}\"")), "{text}");
        }
    }

    #[test]
    fn a_program_that_ends_at_once_is_told_with_its_status() {
        let program = Program::new("gone", Path::new("false"), &[], "/");
        let error = program.start(&[0], PAUSE).unwrap_err().to_string();
        assert_eq!(error, "gone ended at once: exit status: 1");
    }
}
