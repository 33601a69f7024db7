//! The stories: end-to-end tests on a real cluster of what no document can show. How long something
//! takes, what is lost under load, what a fault does, what a browser shows. `make e2e` runs all of
//! them; `make e2e STORIES=twin` runs those whose names contain that word.

#![allow(missing_docs, unreachable_pub, clippy::print_stdout)]

mod cpu;
mod deploy;
mod killed_at_random;
mod lost_node;
mod nobody_notices;
mod node_pressure;
mod page;
mod probe_mirror;
mod resize;
mod restart_always;
mod upstream_hangs;
mod without_agents;
mod without_api_server;
mod without_dns;
mod without_registry;

use std::process::ExitCode;

use cluster::life::Security;
use e2e::{
    prove::TWINS,
    runner::{self, Story},
};

fn main() -> ExitCode {
    let beside_others = [
        Story {
            security: Security::Unrestricted,
            ..Story::new("deploy_existing", deploy::into_a_namespace_that_exists)
        },
        Story::new("deploy_new", deploy::into_a_new_namespace),
        Story::new("restart_always", restart_always::run),
        Story::new("probe_mirror", probe_mirror::run),
        Story::new("killed_at_random", killed_at_random::run),
        Story::new("upstream_hangs", upstream_hangs::run),
        Story::new("without_agents", without_agents::run),
        Story::new("without_dns", without_dns::run),
        Story::new("without_registry", without_registry::run),
    ];
    let twins = TWINS.iter().map(|twin| {
        Story::new(twin.story, |namespace| {
            nobody_notices::twin(namespace, twin)
        })
    });
    let alone = [
        Story::new("cpu_limit", cpu::limit),
        Story::new("cpu_requests", cpu::requests),
        Story::new("resize", resize::run),
        Story::new("page", page::run),
        Story::new("nobody_notices", nobody_notices::run),
        Story::new("node_pressure", node_pressure::run),
        Story::new("without_api_server", without_api_server::run),
        Story::new("lost_node", lost_node::run),
    ]
    .map(|story| Story {
        alone: true,
        ..story
    });
    let stories = beside_others.into_iter().chain(twins).chain(alone);
    runner::run(stories.collect())
}
