//! The stories: each step of the tutorial as an end-to-end test on a real cluster, one file per
//! lesson, in the tutorial's order. `make e2e` runs all of them; `make e2e STORIES=restart` runs
//! those whose names contain that word.

#![allow(missing_docs, unreachable_pub)]

mod autoscaler;
mod broken_update;
mod budget;
mod cpu;
mod deploy;
mod deployment;
mod endings;
mod endpoints;
mod good_update;
mod never_ready;
mod nobody_notices;
mod one_container;
mod order;
mod page;
mod probe_mirror;
mod probes;
mod recreate;
mod resize;
mod restart_policies;
mod rollout;
mod scale;
mod sick_replica;
mod slow_start;
mod stop_order;
mod surge;
mod two_containers;
mod waiting;

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
        Story::new("restart_rules", restart_policies::by_exit_code),
        Story::new("endings", endings::codes),
        Story::new("stop_ignored", endings::stop_ignored),
        Story::new("half_done", endings::half_done),
        Story::new("stopped_by_kubelet", endings::by_the_kubelet),
        Story::new("finalizer", endings::finalizer),
        Story::new("probe_grpc", probes::grpc),
        Story::new("probe_hangs", probes::hanging),
        Story::new("probe_mirror", probe_mirror::run),
        Story::new("readiness_fails", endpoints::readiness),
        Story::new("liveness_fails", endpoints::liveness),
        Story::new("readiness_gate", endpoints::readiness_gate),
        Story::new("memory_limit", resize::memory),
        Story::new("sick_replica", sick_replica::run),
        Story::new("slow_start", slow_start::run),
        Story::new("start_order", order::start),
        Story::new("job_sidecar", order::job),
        Story::new("init_fails", order::init_fails),
        Story::new("waiting", waiting::containers),
        Story::new("pending", waiting::pending),
        Story::new("rejected", waiting::rejected),
        Story::new("not_started", waiting::not_started),
        Story::new("disruption_budget", budget::run),
        Story::new("rollout", rollout::pause_resume_restart),
        Story::new("terminating_replicas", rollout::terminating_replicas),
        Story::new("never_created", rollout::never_created),
        Story::new("twin_never_asked", nobody_notices::twin::<0>),
        Story::new("twin_no_drain", nobody_notices::twin::<1>),
        Story::new("twin_recreate", nobody_notices::twin::<2>),
        Story::new("twin_all_at_once", nobody_notices::twin::<3>),
        Story::new("twin_no_grace", nobody_notices::twin::<4>),
        Story::new("twin_killed", nobody_notices::twin::<5>),
        alone("kubectl_top", cpu::top),
        alone("cpu_limit", cpu::limit),
        alone("resize", resize::run),
        alone("cpu_requests", cpu::requests),
        alone("autoscaler", autoscaler::run),
        alone("tolerance", autoscaler::tolerance),
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
