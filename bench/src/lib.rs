//! Measures the two services: `make bench`, `make size`, `make instructions`, `make bench-cluster`.
//! What is measured are the binaries that are shipped, from outside; this crate links neither.
//!
//! A file uses those above it, and none below:
//!
//! | file | what it is for |
//! | --- | --- |
//! | `bare` | the servers that do as little as possible: the reference |
//! | `shipped` | builds what is shipped, and the reference |
//! | `affinity` | which CPUs a process may use |
//! | `account` | the kernel's account of a process: CPU time, memory |
//! | `http` | a plain request |
//! | `server` | a program under measurement: from its start to its end |
//! | `steady` | a load at a fixed rate, and how late its answers were |
//! | `load` | the load on a server, and what it found |
//! | `figures` | what was measured: samples, medians, ratios; the table and the JSON |
//! | `serve` | what serving costs |
//! | `burn` | how exactly oneapi burns |
//! | `record` | numbers that are kept in the repository |
//! | `size` | what a binary is made of |
//! | `instructions` | how many instructions a request takes |
//! | `cluster` | how long a start and an update take on a cluster |
//! | `picture` | the figures as a picture |
//! | `document` | the figures in docs/performance.md |

#![allow(clippy::print_stdout)] // tables are what it is for

pub mod account;
pub mod affinity;
pub mod bare;
pub mod burn;
pub mod cluster;
pub mod document;
pub mod figures;
pub mod http;
pub mod instructions;
pub mod load;
pub mod picture;
pub mod record;
pub mod serve;
pub mod server;
pub mod shipped;
pub mod size;
pub mod steady;
