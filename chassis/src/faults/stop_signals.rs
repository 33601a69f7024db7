//! The switch `stop`: SIGTERM is ignored, or taken later, as is any other signal that a container may
//! be stopped with. SIGINT isn't concerned, so that Ctrl-C still stops what runs on a terminal.

use tracing::warn;

use super::{action::Action, name::Name, table::Faults};
use crate::lifecycle::{Signal, Signals};

impl Faults {
    /// The signals that the switch lets through.
    pub fn filter(&self, mut signals: Signals) -> Signals {
        let faults = self.clone();
        let (pass, filtered) = Signals::manual();
        tokio::spawn(async move {
            loop {
                let signal = signals.next().await;
                let hit = match signal {
                    Signal::Interrupt => None,
                    _ => faults.hit(Name::Stop),
                };
                let Some(hit) = hit else {
                    let _ = pass.send(signal);
                    continue;
                };
                match hit.action {
                    Action::SlowStop(slow) => {
                        warn!(fault = "stop", ?slow, "{} is taken later", signal.name());
                        let pass = pass.clone();
                        tokio::spawn(async move {
                            hit.hold(slow).await;
                            let _ = pass.send(signal);
                        });
                    }
                    _ => warn!(fault = "stop", "{} is ignored", signal.name()),
                }
            }
        });
        filtered
    }
}
