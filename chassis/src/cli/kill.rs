//! The subcommand `kill`: sends a signal to the running service, for an image that has no shell.
//! `kubectl exec POD -c oneapi -- /oneapi kill KILL` is a crash at will; `STOP` is a service that
//! hangs until `CONT`.
//!
//! A container's first process is process 1 of its container, and Linux lets nothing in there
//! kill or halt that one. A pod with `shareProcessNamespace: true` has another process 1.

use std::{fmt::Display, fs, io, process::ExitCode};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, Signal, System};

use crate::config::{Build, complain};

/// Send a signal to the service that runs here (for an image without a shell)
#[derive(Clone, Debug, clap::Args)]
pub struct Kill {
    /// Which signal
    #[arg(value_enum, ignore_case = true, default_value = "TERM")]
    signal: SignalName,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
#[value(rename_all = "UPPER")]
enum SignalName {
    /// Asks it to stop
    Term,
    /// As Ctrl-C does
    Int,
    /// Stops it as TERM does, as do the next three
    Quit,
    /// What a closed terminal sends
    Hup,
    /// For a container's `stopSignal`
    Usr1,
    /// As USR1
    Usr2,
    /// Ends it at once: nothing is answered any more, nothing is logged
    Kill,
    /// Halts it: it keeps its port, and hangs
    Stop,
    /// Lets it go on
    Cont,
}

impl Kill {
    /// Sends it, and says on stderr why it could not.
    pub fn run(&self, build: Build) -> ExitCode {
        match self.send(build.service) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                complain(why);
                ExitCode::FAILURE
            }
        }
    }

    fn send(&self, service: &str) -> Result<(), String> {
        let unreadable = |error| format!("the processes can't be listed: {error}");
        let mut system = System::new().map_err(unreadable)?;
        system.refresh_processes_specifics(
            ProcessesToUpdate::All,
            true,
            ProcessRefreshKind::nothing().without_tasks(),
        );
        let own = sysinfo::get_current_pid().map_err(unreadable)?;
        // The service itself is the first of that name in this container; others are probes, or this program.
        let process = system
            .processes_by_exact_name(service.as_ref())
            .filter(|process| process.pid() != own && is_here(process.pid()))
            .min_by_key(|process| process.pid())
            .ok_or_else(|| format!("{service} doesn't run here"))?;
        let (signal, name, is_kept_from_first) = match self.signal {
            SignalName::Term => (Signal::Term, "SIGTERM", false),
            SignalName::Int => (Signal::Interrupt, "SIGINT", false),
            SignalName::Quit => (Signal::Quit, "SIGQUIT", false),
            SignalName::Hup => (Signal::Hangup, "SIGHUP", false),
            SignalName::Usr1 => (Signal::User1, "SIGUSR1", false),
            SignalName::Usr2 => (Signal::User2, "SIGUSR2", false),
            SignalName::Kill => (Signal::Kill, "SIGKILL", true),
            SignalName::Stop => (Signal::Stop, "SIGSTOP", true),
            SignalName::Cont => (Signal::Continue, "SIGCONT", false),
        };
        if is_kept_from_first && process.pid().as_u32() == 1 {
            return Err(format!(
                "{service} is process 1 of its container, which Linux keeps from a {name} from inside: \
                 a pod with shareProcessNamespace: true has another process 1"
            ));
        }
        match process.kill_with(signal) {
            Some(true) => Ok(()),
            _ => Err(format!("{service} can't be sent {name}: may you?")),
        }
    }
}

/// Whether a process sees the same files as this one: with `shareProcessNamespace: true` those of other
/// containers are there too.
fn is_here(pid: Pid) -> bool {
    let files_of = |pid: &dyn Display| fs::read_link(format!("/proc/{pid}/ns/mnt"));
    match (files_of(&"self"), files_of(&pid)) {
        (Ok(own), Ok(files)) => own == files,
        // One of another user may not be looked at, and of one that has ended nothing is left.
        (Ok(_), Err(error)) => error.kind() == io::ErrorKind::PermissionDenied,
        // Some sandboxes don't show it, and other systems have none.
        (Err(_), _) => true,
    }
}
