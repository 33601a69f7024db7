//! What the lessons stand on: kubectl, the shipped manifests, and asking pods. It links neither
//! service: it sees images and YAML, as a user does.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `cluster` | which cluster, registry and versions; and a sentence when something isn't there |
//! | `manifest` | the shipped files, with the images and the namespace that they are run with |
//! | `story` | one lesson's namespace, its kubectl, its waiting; cleaned up after it, told when it fails |
//! | `ask` | a request to a pod or a Service, from here or through the API server |
//! | `pods` | what the stories read from a pod's JSON |
//! | `watch` | pods coming and going, as the API server tells it |
//! | `logs` | what containers say until they end |
//! | `load` | the load Job, and what it counts |
//! | `prove` | what goes unnoticed under load, and the twins that don't |
//! | `runner` | stories side by side, and the time that each took |

#![allow(clippy::print_stdout)] // what a test run tells is its output

pub mod ask;
pub mod cluster;
pub mod load;
pub mod logs;
pub mod manifest;
pub mod pods;
pub mod prove;
pub mod runner;
pub mod story;
pub mod watch;

pub use anyhow::{Context, Result, anyhow, bail, ensure};
pub use serde_json::Value;
pub use story::Story;
