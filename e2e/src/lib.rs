//! End-to-end tests on a real cluster, of what no document can show. A *story* is one such test. It
//! links no service: it sees images and YAML, as a user does, through the crate `cluster`.
//!
//! A file uses those above it, and none below:
//!
//! | file | what it is for |
//! | --- | --- |
//! | `probes` | the probes that a pod has seen, read from its table |
//! | `cpu_share` | how the kernel shares CPUs among pods |
//! | `load` | the load Job, and what it counts |
//! | `nodes` | the nodes that take pods, and the drain of one |
//! | `faults` | parts of the cluster that are taken away, and what callers see of a fault |
//! | `lag` | how long after the stop signal a pod still gets connections, from each node |
//! | `prove` | what goes unnoticed under load, and the twins that don't |
//! | `runner` | stories side by side, and how long each took |

#![allow(clippy::print_stdout)] // the output of a test run is what it is for

pub mod cpu_share;
pub mod faults;
pub mod lag;
pub mod load;
pub mod nodes;
pub mod probes;
pub mod prove;
pub mod runner;
