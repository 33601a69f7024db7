//! Starts a burn and holds it.

use std::sync::Arc;

use super::{
    registry::{Burns, StartError},
    request::BurnRequest,
    running::RunningBurn,
};

/// How a burn came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It went on for as long as was asked.
    Completed,
    /// It was told to end before that.
    Cancelled,
}

/// Holds a burn: dropping it, as when the client goes away, ends the burn.
#[derive(Debug)]
pub struct Handle {
    /// The burn itself.
    pub burn: Arc<RunningBurn>,
    burns: Burns,
}

impl Burns {
    /// Starts a burn. It goes on until its time is over, it is cancelled, or the handle is
    /// dropped.
    ///
    /// # Errors
    /// Too many burns run, or the system gives no more threads.
    pub fn start(&self, request: BurnRequest) -> Result<Handle, StartError> {
        Ok(Handle {
            burn: self.add(request)?,
            burns: self.clone(),
        })
    }
}

impl Handle {
    /// Ends the burn; [`finished`](Self::finished) then says how it came out.
    pub fn cancel(&self) {
        self.burns.cancel(self.burn.id);
    }

    /// Waits for its end. May be waited for again after having been given up.
    pub async fn finished(&self) -> Outcome {
        self.burn.steering.alive.closed().await;
        if self.burn.is_cancelled() {
            Outcome::Cancelled
        } else {
            Outcome::Completed
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut running = self.burns.running();
        self.burn.stop();
        self.burns.remove(&mut running, &self.burn);
    }
}
