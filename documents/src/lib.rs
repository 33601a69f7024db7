//! Runs the documents: their commands, in order, on a cluster, and compares what they print with what
//! the documents say. And checks, without a cluster, that they agree with each other, with the source tree
//! and with the programs. `make docs` does the one, `make test` and `make lint` the other.
//!
//! | module | what it is for |
//! | --- | --- |
//! | `elements` | all that a document is made of |
//! | `document` | the blocks of a document, and what hidden comments say about them |
//! | `names` | the namespaces, registry and nodes of a run, and what they are in a document |
//! | `place` | where a document runs: a copy of the repository, a kubeconfig, namespaces |
//! | `shell` | the bash that runs the blocks |
//! | `compare` | compares two outputs, but for what differs from run to run |
//! | `run` | a document's run |
//! | `bless` | writes what was seen into both languages |
//! | `check` | the checks |

#![allow(clippy::print_stdout)] // the output of a run is what it is for

pub mod bless;
pub mod check;
pub mod compare;
pub mod document;
pub mod elements;
pub mod names;
pub mod place;
pub mod run;
pub mod shell;
