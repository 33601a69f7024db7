//! Keeps the accept loop from accepting for a while: the listener stays open, its backlog fills, and
//! clients wait as before a program that hangs.

use tokio::sync::watch;

/// Open unless somebody shuts it.
#[derive(Clone, Debug, Default)]
pub struct Gate(Option<watch::Receiver<bool>>);

impl Gate {
    /// Shut for as long as the value is true.
    pub fn shut_while(value: watch::Receiver<bool>) -> Self {
        Self(Some(value))
    }

    /// Waits until it is shut: for ever, if nobody can shut it.
    pub(super) async fn until_shut(&mut self) {
        if let Some(value) = &mut self.0
            && value.wait_for(|is_shut| *is_shut).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }

    /// Waits until it is open. It is, if nobody can shut it any more.
    pub(super) async fn until_open(&mut self) {
        if let Some(value) = &mut self.0 {
            let _ = value.wait_for(|is_shut| !is_shut).await;
        }
    }
}
