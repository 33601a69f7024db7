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

/// The card of a pod both of whose containers answer `/info`, `/probes`, `/faults` and `/burns` with these, for
/// cargo fuzz.
#[cfg(fuzzing)]
pub(super) fn card([info, probes, faults, burns]: [&[u8]; 4]) -> serde_json::Value {
    use super::containers::ContainerName;
    use serde_json::from_slice;

    let mut containers =
        [ContainerName::Oneapi, ContainerName::Twoapi].map(container::PodContainer::new);
    for container in &mut containers {
        container.take_probes(&from_slice(probes).unwrap_or_default());
        container.take_faults(from_slice(faults).unwrap_or_default());
        if let Ok(info) = from_slice(info) {
            container.take_info(info);
        }
        container.take_burns(from_slice(burns).unwrap_or_default());
    }
    card::card("", 0, [127, 0, 0, 1].into(), &containers, false)
}
