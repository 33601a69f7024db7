//! The stories: end-to-end tests on a real cluster of what no document can show. How long something
//! takes, what is lost under load, what a fault does, what a browser shows. `make e2e` runs all of
//! them; `make e2e STORIES=twin` runs those whose names contain that word.

#![allow(missing_docs, unreachable_pub, clippy::print_stdout)]

mod cpu;
mod deploy;
mod nobody_notices;
mod page;
mod probe_mirror;
mod resize;
mod restart_always;

use std::process::ExitCode;

use anyhow::Result;
use cluster::{Namespace, life::Security};
use e2e::runner::{self, Story};

fn main() -> ExitCode {
    runner::run(&[
        Story {
            security: Security::Unrestricted,
            ..Story::new("deploy_existing", deploy::into_a_namespace_that_exists)
        },
        Story::new("deploy_new", deploy::into_a_new_namespace),
        Story::new("restart_always", restart_always::run),
        Story::new("probe_mirror", probe_mirror::run),
        Story::new("twin_never_asked", nobody_notices::twin::<0>),
        Story::new("twin_no_drain", nobody_notices::twin::<1>),
        Story::new("twin_recreate", nobody_notices::twin::<2>),
        Story::new("twin_all_at_once", nobody_notices::twin::<3>),
        Story::new("twin_no_grace", nobody_notices::twin::<4>),
        Story::new("twin_killed", nobody_notices::twin::<5>),
        alone("cpu_limit", cpu::limit),
        alone("cpu_requests", cpu::requests),
        alone("resize", resize::run),
        alone("page", page::run),
        alone("nobody_notices", nobody_notices::run),
    ])
}

const fn alone(name: &'static str, test: fn(&Namespace<'_>) -> Result<()>) -> Story {
    Story {
        alone: true,
        ..Story::new(name, test)
    }
}
