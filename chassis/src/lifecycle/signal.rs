//! The signals that ask a process to stop. They are passed in, so that a test can send its own.

use tokio::sync::mpsc;

/// A request to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// What Kubernetes and `docker stop` send.
    Terminate,
    /// Ctrl-C.
    Interrupt,
}

impl Signal {
    /// Its name, for logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
        }
    }

    /// What a process that such a signal ended at once exits with: 128 and its number.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Terminate => 143,
            Self::Interrupt => 130,
        }
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
        mask::change(libc::SIG_BLOCK);
        Self(())
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        mask::change(libc::SIG_UNBLOCK);
    }
}

#[allow(unsafe_code)] // the standard library knows no signals
mod mask {
    /// Holds the stop signals back from the calling thread and those that it starts, or no more.
    pub(super) fn change(how: libc::c_int) {
        // SAFETY: each call reads or writes the set alone, which is initialised by the first.
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGTERM);
            libc::sigaddset(&raw mut set, libc::SIGINT);
            libc::pthread_sigmask(how, &raw const set, std::ptr::null_mut());
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
        for (kind, name) in [
            (SignalKind::terminate(), Signal::Terminate),
            (SignalKind::interrupt(), Signal::Interrupt),
        ] {
            let mut handler = signal(kind)?;
            let send = send.clone();
            tokio::spawn(async move {
                while handler.recv().await.is_some() && send.send(name).is_ok() {}
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
