//! Who answers: the build, and the pod that it runs in. Headers, `/info` and the log say it.

use std::net::IpAddr;

use clap::builder::NonEmptyStringValueParser;

use crate::{
    config::{Build, Reader, ip_address},
    system::address::Address,
    text::shown,
};

/// What the pod tells the service about itself, by the downward API.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// The Pod's IP (downward API: `status.podIP`) [default: looked up]
    #[arg(long, env, value_parser = Reader(ip_address))]
    pub pod_ip: Option<IpAddr>,

    /// The Pod's name, for the header `pod` (downward API: `metadata.name`) [default: the host's name]
    #[arg(long, env, value_parser = NonEmptyStringValueParser::new())]
    pub pod_name: Option<String>,

    /// The Pod's namespace, for `/info` (downward API: `metadata.namespace`)
    #[arg(long, env, value_parser = NonEmptyStringValueParser::new())]
    pub pod_namespace: Option<String>,

    /// The node's name, for `/info` (downward API: `spec.nodeName`)
    #[arg(long, env, value_parser = NonEmptyStringValueParser::new())]
    pub node_name: Option<String>,
}

/// Who answers.
#[derive(Debug)]
pub struct Identity {
    /// The program.
    pub build: Build,
    /// The pod's name, or the host's where that isn't known.
    pub pod: String,
    /// The pod's namespace.
    pub namespace: Option<String>,
    /// The node that the pod runs on.
    pub node: Option<String>,
    /// The pod's IP.
    pub address: Address<IpAddr>,
}

impl Identity {
    /// The identity of a build, in the pod that the settings name.
    pub fn new(build: Build, settings: &Settings) -> Self {
        Self {
            build,
            pod: shown(settings.pod_name.clone().unwrap_or_else(host_name)),
            namespace: settings.pod_namespace.as_ref().map(shown),
            node: settings.node_name.as_ref().map(shown),
            address: Address::new(settings.pod_ip, |ip| ip),
        }
    }
}

/// In a pod the host's name is the pod's.
fn host_name() -> String {
    sysinfo::System::host_name().unwrap_or_else(|_| "unknown".to_owned())
}
