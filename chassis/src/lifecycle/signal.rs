//! The signals that ask a process to stop. They are passed in, so that a test can send its own.

use tokio::sync::mpsc;

/// A request to stop: what may be set as `stopSignal` of a container or as `STOPSIGNAL` of an image,
/// and isn't needed for anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// What Kubernetes and `docker stop` send.
    Terminate,
    /// Ctrl-C.
    Interrupt,
    /// What images of nginx are stopped with.
    Quit,
    /// A terminal that is closed.
    Hangup,
    /// For whatever a program makes of it.
    User1,
    /// For whatever a program makes of it, as [`User1`](Self::User1) is.
    User2,
}

impl Signal {
    const ALL: [Self; 6] = [
        Self::Terminate,
        Self::Interrupt,
        Self::Quit,
        Self::Hangup,
        Self::User1,
        Self::User2,
    ];

    /// Its name, for logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Hangup => "SIGHUP",
            Self::User1 => "SIGUSR1",
            Self::User2 => "SIGUSR2",
        }
    }

    fn number(self) -> libc::c_int {
        match self {
            Self::Terminate => libc::SIGTERM,
            Self::Interrupt => libc::SIGINT,
            Self::Quit => libc::SIGQUIT,
            Self::Hangup => libc::SIGHUP,
            Self::User1 => libc::SIGUSR1,
            Self::User2 => libc::SIGUSR2,
        }
    }

    /// What a process that such a signal ended at once exits with: 128 and its number.
    pub fn exit_code(self) -> u8 {
        u8::try_from(128 + self.number()).unwrap_or(u8::MAX)
    }
}

/// The stop signals, held back until somebody handles them.
///
/// A process that is PID 1, as in a container, ignores a signal that it has no handler for; one that
/// it holds back waits instead.
#[derive(Debug)]
#[must_use]
pub struct HeldSignals(());

impl HeldSignals {
    /// Call it first of all, before there are other threads.
    pub fn hold() -> Self {
        system::change_mask(libc::SIG_BLOCK);
        Self(())
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        system::change_mask(libc::SIG_UNBLOCK);
    }
}

#[allow(unsafe_code)] // the standard library knows no signals
mod system {
    use super::Signal;

    /// Holds the stop signals back from the calling thread and those that it starts, or no more.
    pub(super) fn change_mask(how: libc::c_int) {
        // SAFETY: each call reads or writes the set alone, which is initialised by the first.
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            for signal in Signal::ALL {
                libc::sigaddset(&raw mut set, signal.number());
            }
            libc::pthread_sigmask(how, &raw const set, std::ptr::null_mut());
        }
    }

    /// Whether the process was started with the signal ignored.
    pub(super) fn is_ignored(signal: Signal) -> bool {
        // SAFETY: the call only writes what is asked for, and zeros are a value of it.
        unsafe {
            let mut now: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal.number(), std::ptr::null(), &raw mut now) == 0
                && now.sa_sigaction == libc::SIG_IGN
        }
    }
}

/// The stop signals as they come in.
#[derive(Debug)]
pub struct Signals(mpsc::UnboundedReceiver<Signal>);

impl Signals {
    /// The process's own, those that were held back included.
    pub fn of_process(held: HeldSignals) -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (send, signals) = mpsc::unbounded_channel();
        for stop in Signal::ALL {
            if stop == Signal::Hangup && system::is_ignored(stop) {
                continue; // `nohup` means what it says
            }
            let mut handler = signal(SignalKind::from_raw(stop.number()))?;
            let send = send.clone();
            tokio::spawn(async move {
                while handler.recv().await.is_some() && send.send(stop).is_ok() {}
            });
        }
        drop(held);
        Ok(Self(signals))
    }

    /// Signals that come from elsewhere, such as a test.
    pub fn manual() -> (mpsc::UnboundedSender<Signal>, Self) {
        let (send, signals) = mpsc::unbounded_channel();
        (send, Self(signals))
    }

    /// The next one; for ever, if there can't be one any more.
    pub async fn next(&mut self) -> Signal {
        match self.0.recv().await {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}
