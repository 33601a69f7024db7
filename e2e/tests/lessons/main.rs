//! The tutorial's steps, each a story told on a real cluster: one file a lesson, in the tutorial's
//! order. `make e2e` runs them all; a word chooses: `make e2e STORIES=restart`.

#![allow(missing_docs, unreachable_pub)]

mod autoscaler;
mod broken_update;
mod cpu;
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
    Result, Story,
    runner::{self, Lesson},
    story::Security,
};

fn main() -> ExitCode {
    runner::run(&[
        Lesson {
            security: Security::AsDefault,
            ..Lesson::new("one_container", one_container::tell)
        },
        Lesson::new("two_containers", two_containers::tell),
        Lesson::new("probe_http", probes::http),
        Lesson::new("probe_tcp", probes::tcp),
        Lesson::new("probe_exec", probes::exec),
        Lesson::new("restart_always", restart_policies::always),
        Lesson::new("restart_onfailure", restart_policies::on_failure),
        Lesson::new("restart_never", restart_policies::never),
        Lesson::new(
            "liveness_never",
            restart_policies::killed_and_never_restarted,
        ),
        Lesson {
            namespace: Some("chesterns"),
            ..Lesson::new("deployment", deployment::tell)
        },
        Lesson::new("broken_update", broken_update::tell),
        Lesson::new("good_update", good_update::tell),
        Lesson::new("recreate", recreate::tell),
        Lesson::new("scale", scale::tell),
        Lesson::new("never_ready", never_ready::tell),
        Lesson::new("surge_careful", surge::careful),
        Lesson::new("surge_none", surge::none),
        Lesson::new("min_ready", surge::min_ready),
        Lesson::new("sidecar", stop_order::sidecar),
        Lesson::new("prestop", stop_order::prestop),
        alone("kubectl_top", cpu::top),
        alone("cpu_limit", cpu::limit),
        alone("resize", resize::tell),
        alone("cpu_requests", cpu::requests),
        alone("autoscaler", autoscaler::tell),
        alone("nobody_notices", nobody_notices::tell),
    ])
}

const fn alone(name: &'static str, tell: fn(&Story<'_>) -> Result<()>) -> Lesson {
    Lesson {
        alone: true,
        ..Lesson::new(name, tell)
    }
}
