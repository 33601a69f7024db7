//! All that the programs beside the services do with a cluster: the stories of `e2e`, the documents
//! that `documents` runs, and the measurements of `bench`. It links neither service: it sees images,
//! YAML and kubectl, as a user does. A function fails when kubectl does, with its standard error, and
//! when what it waits for doesn't come in time.
//!
//! A file uses those above it, and none below:
//!
//! | file | what it is for |
//! | --- | --- |
//! | `wait` | waits until something becomes true |
//! | `background` | a process that runs beside a test, what it prints, and its end |
//! | `side_by_side` | runs jobs side by side |
//! | `kubectl` | runs kubectl for one cluster |
//! | `manifest` | the shipped files, with the images and the namespace of a run |
//! | `images` | the cluster of the environment, its registry, and the versions |
//! | `namespace` | kubectl in one namespace, with a transcript |
//! | `life` | makes a namespace for a test, reports a failure, deletes the namespace |
//! | `ask` | a request to a pod |
//! | `pods` | reads a pod's JSON; waits for one pod |
//! | `deployment` | the shipped Deployment: up, changed, rolled out |

pub mod ask;
pub mod background;
pub mod deployment;
pub mod images;
pub mod kubectl;
pub mod life;
pub mod manifest;
pub mod namespace;
pub mod pods;
pub mod side_by_side;
pub mod wait;

pub use images::{Cluster, may_be_skipped, number, set};
pub use namespace::Namespace;
pub use wait::SOON;

use std::process::ExitCode;

/// The exit code of a program that has found all to be `well` or not. An error is printed, and is a failure.
pub fn exit_code(well: anyhow::Result<bool>) -> ExitCode {
    let well = well.unwrap_or_else(|error| {
        eprintln!("{error:#}");
        false
    });
    ExitCode::from(u8::from(!well))
}
