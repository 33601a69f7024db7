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

    /// Waits until it is shut, or open.
    pub(super) async fn is(&mut self, shut: bool) {
        let reached = match &mut self.0 {
            Some(value) => value.wait_for(|value| *value == shut).await.is_ok(),
            None => !shut,
        };
        // Nobody is there to shut it any more, or to open it: the former is as if it were open.
        if !reached && shut {
            std::future::pending::<()>().await;
        }
    }
}
