//! The page's settings.

use axum::http::Uri;
use chassis::config::{Reader, http_url, whole_number};

use super::{
    containers::Ports,
    names::{host_name, is_name, name_or_ip},
};

/// What the page shows and what it may do.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// The Pods that the page shows: the name of a headless Service, or several names or IPs with commas between them [default: its own Pod]
    #[arg(long, env, value_delimiter = ',', value_parser = Reader(name_or_ip))]
    pub pods_name: Vec<String>,

    /// The ports of oneapi and twoapi in each of these Pods
    #[arg(long, env, default_value = "5000,5001")]
    pub pods_ports: Ports,

    /// Where the page's requests go: the ordinary Service
    #[arg(long, env, default_value = "http://localhost:5001/test/calloneapi", value_parser = Reader(http_url))]
    pub traffic_url: Uri,

    /// As `PODS_NAME`, for a second Service that is shown beside the first
    #[arg(long, env, value_delimiter = ',', value_parser = Reader(name_or_ip))]
    pub twin_pods_name: Vec<String>,

    /// As `TRAFFIC_URL`, for the second Service
    #[arg(long, env, value_parser = Reader(http_url))]
    pub twin_traffic_url: Option<Uri>,

    /// How many viewers may watch at once
    // 50: a class. Each viewer costs a connection and a few kilobytes a second, and costs the pods nothing.
    #[arg(long, env, default_value = "50", value_parser = Reader(whole_number(1..=u16::MAX)))]
    pub max_viewers: u16,

    /// Whether the page may start burns and set fault switches
    #[arg(long, env, default_value = "true", action = clap::ArgAction::Set)]
    pub page_actions: bool,

    /// A path prefix under which the page is served too, for a proxy in front of it that leaves the prefix in its requests, such as `/demo`
    #[arg(long, env, value_parser = Reader(base_path))]
    pub base_path: Option<String>,

    /// Host names, with commas between them, under which the page takes actions over plain HTTP, such as an Ingress's; IPs, `localhost` and the cluster's names need not be listed
    #[arg(long, env, value_delimiter = ',', value_parser = Reader(host_name))]
    pub page_hosts: Vec<String>,
}

/// The paths of the service itself begin with these.
const TAKEN: [&str; 12] = [
    "faults",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "info",
    "livez",
    "metrics",
    "page",
    "probes",
    "readyz",
    "startupz",
    "test",
];

/// A path without its last slash. An empty path stands for none.
pub(super) fn base_path(text: &str) -> Result<String, String> {
    let path = text.strip_suffix('/').unwrap_or(text);
    let mut segments = path.split('/');
    let begins = segments.next() == Some("") && !text.is_empty();
    let are_names = segments.clone().all(is_name);
    let is_taken = segments.next().is_some_and(|first| TAKEN.contains(&first));
    if !begins || !are_names {
        let how = "a base path is written as /demo or /demo/page, of letters, digits, -, _ and .";
        Err(how.to_owned())
    } else if is_taken {
        Err(format!("{path} begins as a path that twoapi itself has"))
    } else {
        Ok(path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chassis::Chassis;

    use super::*;

    #[test]
    fn a_base_path_is_one_that_twoapi_does_not_have() {
        for (text, path) in [
            ("/demo", "/demo"),
            ("/demo/", "/demo"),
            ("/a-b/c.d_e", "/a-b/c.d_e"),
            ("/", ""),
        ] {
            assert_eq!(base_path(text).as_deref(), Ok(path), "{text}");
        }
        for text in [
            "",
            "demo",
            "//demo",
            "/demo//a",
            "/..",
            "/a/./b",
            "/{a}",
            "/a b",
            "/a?b",
            "/%41",
            "/livez",
            "/page/",
            "/test/demo",
            "http://a/demo",
        ] {
            assert!(base_path(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_base_path_begins_as_no_path_that_there_is() {
        let chassis: chassis::Settings = chassis::config::defaults();
        let build = chassis::config::Build::new("twoapi", "1.0", None, None);
        let chassis = Chassis::new(build, chassis);
        let routes = crate::routes(&chassis, &chassis::config::defaults());
        let app = chassis.app(routes);
        let firsts = app.templates().filter_map(|path| path.split('/').nth(1));
        let firsts: BTreeSet<_> = firsts.filter(|first| !first.is_empty()).collect();
        assert_eq!(BTreeSet::from(TAKEN), firsts);
    }
}
