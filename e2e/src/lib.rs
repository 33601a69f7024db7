//! The end-to-end tests' ground: kubectl, the shipped manifests, and requests to pods. A *story* is
//! an end-to-end test of one lesson of the tutorial. It links neither service: it sees images and
//! YAML, as a user does.
//!
//! A file uses those above it, and none below:
//!
//! | file | what it is for |
//! | --- | --- |
//! | `background` | a process beside a story, which ends with it |
//! | `reach` | whether pods are reached by their IP or through the API server |
//! | `cluster` | which cluster, registry and versions; a sentence when something is missing |
//! | `manifest` | the shipped files, with the images and the namespace of a run |
//! | `namespace` | one namespace: kubectl in it, waiting, and the transcript |
//! | `feature` | what a lesson needs of the cluster; without it the story is skipped |
//! | `ask` | a request to a pod or a Service |
//! | `pods` | what the stories read from a pod's JSON; waiting for one pod |
//! | `deployment` | the shipped Deployment: up, changed, rolled out |
//! | `watch` | how pods come and go, as the API server reports it |
//! | `logs` | what containers log until they end |
//! | `load` | the load Job, and what it counts |
//! | `prove` | what goes unnoticed under load, and the twins that don't |
//! | `story` | the life of a story: its namespace, its report, its end |
//! | `runner` | stories side by side, and how long each took |

#![allow(clippy::print_stdout)] // the output of a test run is what it is for

pub mod ask;
pub mod background;
pub mod cluster;
pub mod deployment;
pub mod feature;
pub mod load;
pub mod logs;
pub mod manifest;
pub mod namespace;
pub mod pods;
pub mod prove;
pub mod reach;
pub mod runner;
pub mod story;
pub mod watch;

pub use anyhow::{Context, Result, anyhow, bail, ensure};
pub use namespace::Namespace;
pub use serde_json::Value;
