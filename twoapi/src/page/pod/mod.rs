//! Polls one pod: the identity and readiness of both containers, the burns, the probes that they have
//! answered, and the fault switches that are set. Polling changes nothing: all of it comes from `/info`
//! and from other routes that no fault switch, no mirror and no metric knows of, and no probe is sent.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `poller` | asks both containers again and again, until the pod has left |
//! | `container` | what is known of one container |
//! | `card` | what the page shows of the pod, as one JSON object |

mod card;
mod container;
mod poller;

pub(super) use self::poller::{Poller, client};
