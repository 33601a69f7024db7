//! The stories: each step of the tutorial as an end-to-end test on a real cluster, one file per
//! lesson, in the tutorial's order. `make e2e` runs all of them; `make e2e STORIES=restart` runs
//! those whose names contain that word.

#![allow(missing_docs, unreachable_pub)]

mod autoscaler;
mod broken_update;
mod cpu;
mod deploy;
mod deployment;
mod good_update;
mod never_ready;
mod nobody_notices;
mod one_container;
mod probes;
mod recreate;
mod resize;
mod restart_policies;
mod scale;
mod stop_order;
mod surge;
mod two_containers;

use std::process::ExitCode;

use e2e::{
    Namespace, Result,
    runner::{self, Story},
    story::Security,
};

fn main() -> ExitCode {
    runner::run(&[
        Story {
            security: Security::Unrestricted,
            ..Story::new("one_container", one_container::run)
        },
        Story::new("two_containers", two_containers::run),
        Story::new("probe_http", probes::http),
        Story::new("probe_tcp", probes::tcp),
        Story::new("probe_exec", probes::exec),
        Story::new("restart_always", restart_policies::always),
        Story::new("restart_onfailure", restart_policies::on_failure),
        Story::new("restart_never", restart_policies::never),
        Story::new(
            "liveness_never",
            restart_policies::killed_and_never_restarted,
        ),
        Story::new("deployment", deployment::run),
        Story {
            security: Security::Unrestricted,
            ..Story::new("deploy_existing", deploy::into_a_namespace_that_exists)
        },
        Story::new("deploy_new", deploy::into_a_new_namespace),
        Story::new("broken_update", broken_update::run),
        Story::new("good_update", good_update::run),
        Story::new("recreate", recreate::run),
        Story::new("scale", scale::run),
        Story::new("never_ready", never_ready::run),
        Story::new("surge_careful", surge::careful),
        Story::new("surge_none", surge::none),
        Story::new("min_ready", surge::min_ready),
        Story::new("sidecar", stop_order::sidecar),
        Story::new("prestop", stop_order::prestop),
        alone("kubectl_top", cpu::top),
        alone("cpu_limit", cpu::limit),
        alone("resize", resize::run),
        alone("cpu_requests", cpu::requests),
        alone("autoscaler", autoscaler::run),
        alone("nobody_notices", nobody_notices::run),
    ])
}

const fn alone(name: &'static str, test: fn(&Namespace<'_>) -> Result<()>) -> Story {
    Story {
        alone: true,
        ..Story::new(name, test)
    }
}
