//! `GET /`: a live page that shows what Kubernetes does to the pods and what their callers notice.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /` | the page |
//! | `GET /page/events?rate=N` | server-sent events, see [`stream`] |
//! | `POST /page/actions` | starts and ends burns, sets and clears fault switches, see [`actions`] |
//!
//! With `BASE_PATH` they answer below that path, too. The page itself has relative URLs alone, and so
//! needs no setting behind a proxy that takes its prefix away.
//!
//! A request's way: [`stream`] registers a viewer with [`viewers`]; the first one starts a [`watch`]
//! and the last one ends it. A watch finds the pods ([`discovery`]), polls each of them ([`pod`]) and
//! sends requests through the Service ([`traffic`]); what they find goes over the [`board`] to all
//! viewers. The page's history with its verdicts and replays is kept by the browser, so that it
//! outlives the pod that served it.

mod actions;
mod assets;
mod board;
mod discovery;
mod origin;
mod pod;
mod stream;
mod traffic;
mod viewers;
mod watch;

use std::{str::FromStr, sync::Arc};

use axum::{
    http::Uri,
    response::Redirect,
    routing::{get, post},
};
use chassis::{
    Chassis,
    config::{Reader, http_url, whole_number},
    http::Routes,
    lifecycle::Life,
};

use self::{actions::Actor, viewers::Viewers};
use load::resolver::Resolver;

/// What the page shows and what it may do.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// The pods that the page shows: the name of a headless Service, or several names or IPs with commas between them [default: its own pod]
    #[arg(long, env, value_delimiter = ',', value_parser = Reader(discovery::name_or_ip))]
    pub pods_name: Vec<String>,

    /// The ports of oneapi and twoapi in each of these pods
    #[arg(long, env, default_value = "5000,5001")]
    pub pods_ports: Ports,

    /// Where the page's requests go: the ordinary Service
    #[arg(long, env, default_value = "http://localhost:5001/test/calloneapi", value_parser = Reader(http_url))]
    pub traffic_url: Uri,

    /// As `PODS_NAME`, for a second Service that is shown beside the first
    #[arg(long, env, value_delimiter = ',', value_parser = Reader(discovery::name_or_ip))]
    pub twin_pods_name: Vec<String>,

    /// As `TRAFFIC_URL`, for the second Service
    #[arg(long, env, value_parser = Reader(http_url))]
    pub twin_traffic_url: Option<Uri>,

    /// How many viewers may watch at once
    // 50: a class. Each costs a connection and a few kilobytes a second, and the pods nothing.
    #[arg(long, env, default_value = "50", value_parser = Reader(whole_number(1..=u16::MAX)))]
    pub max_viewers: u16,

    /// Whether the page may start burns and set fault switches
    #[arg(long, env, default_value = "true", action = clap::ArgAction::Set)]
    pub page_actions: bool,

    /// A path prefix under which the page is served too, for a proxy in front of it that leaves the prefix in its requests, such as `/demo`
    #[arg(long, env, value_parser = Reader(base_path))]
    pub base_path: Option<String>,

    /// Host names, with commas between them, under which the page takes actions over plain HTTP, such as an Ingress's; IPs, `localhost` and the cluster's names need not be listed
    #[arg(long, env, value_delimiter = ',', value_parser = Reader(origin::host_name))]
    pub page_hosts: Vec<String>,
}

/// The ports of the two containers of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// oneapi's.
    pub oneapi: u16,
    /// twoapi's.
    pub twoapi: u16,
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ports = text
            .split_once(',')
            .and_then(|(oneapi, twoapi)| Some((oneapi.parse().ok()?, twoapi.parse().ok()?)));
        match ports {
            Some((oneapi, twoapi)) if oneapi > 0 && twoapi > 0 => Ok(Self { oneapi, twoapi }),
            _ => Err("two ports are written as 5000,5001: oneapi's and twoapi's".to_owned()),
        }
    }
}

/// A Service that is watched.
#[derive(Clone, Debug)]
struct Service {
    /// What the page calls it.
    label: String,
    /// Names or IPs that stand for its pods.
    pods: Vec<String>,
    /// Where its traffic goes; none: no traffic.
    traffic: Option<Uri>,
}

/// What the page's handlers share. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Page(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    life: Life,
    services: Vec<Service>,
    ports: Ports,
    actions: bool,
    hosts: Vec<String>,
    viewers: Viewers,
    actor: Actor,
    resolver: Resolver,
}

impl Page {
    fn new(life: Life, settings: &Settings) -> Self {
        let own = vec!["localhost".to_owned()];
        let mut services = vec![Service {
            label: label(&settings.traffic_url),
            pods: if settings.pods_name.is_empty() {
                own
            } else {
                settings.pods_name.clone()
            },
            traffic: Some(settings.traffic_url.clone()),
        }];
        let twin = settings.twin_pods_name.clone();
        if !twin.is_empty() || settings.twin_traffic_url.is_some() {
            services.push(Service {
                label: settings
                    .twin_traffic_url
                    .as_ref()
                    .map_or_else(|| settings.twin_pods_name.join(","), label),
                pods: twin,
                traffic: settings.twin_traffic_url.clone(),
            });
        }
        Self(Arc::new(Inner {
            life,
            services,
            ports: settings.pods_ports,
            actions: settings.page_actions,
            hosts: settings.page_hosts.clone(),
            viewers: Viewers::new(settings.max_viewers.into()),
            actor: Actor::new(),
            resolver: Resolver::default(),
        }))
    }
}

/// A Service is called by its host: `chesterservice`.
fn label(url: &Uri) -> String {
    url.host().unwrap_or_default().to_owned()
}

/// Whether a text may be a host's name: nothing beside it, such as a scheme or a port.
fn can_be_a_name(text: &str) -> bool {
    let is_of_a_name = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
    !text.is_empty() && text.chars().all(is_of_a_name)
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

/// A path without its last slash; of `/` nothing is left, which stands for none.
fn base_path(text: &str) -> Result<String, String> {
    let path = text.strip_suffix('/').unwrap_or(text);
    let mut segments = path.split('/');
    let begins = segments.next() == Some("") && !text.is_empty();
    let are_names = segments
        .clone()
        .all(|segment| segment.contains(|char: char| char != '.') && can_be_a_name(segment));
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

/// Adds the page's routes. They are operations: they answer while the service starts, and a fault
/// switch that breaks the service's ordinary answers doesn't break the page that shows it.
pub(crate) fn add_routes(routes: Routes, chassis: &Chassis, settings: &Settings) -> Routes {
    let page = Page::new(chassis.life.clone(), settings);
    let own = add_below(routes, "", &page);
    match settings.base_path.as_deref() {
        None | Some("") => own,
        Some(base) => {
            let folder = template(base, "/");
            // The page's URLs are relative to its folder.
            let redirect = get(async move || Redirect::temporary(folder));
            add_below(
                own.add_operations(template(base, ""), redirect),
                base,
                &page,
            )
        }
    }
}

fn add_below(routes: Routes, base: &str, page: &Page) -> Routes {
    let (events, actions) = (get(stream::events), post(actions::act));
    routes
        .add_operations(template(base, "/"), get(assets::index))
        .add_operations(
            template(base, "/page/events"),
            events.with_state(page.clone()),
        )
        .add_operations(
            template(base, "/page/actions"),
            actions.with_state(page.clone()),
        )
}

/// The routes of a service are there from its start to its end, and so are their templates.
fn template(base: &str, path: &str) -> &'static str {
    String::leak(format!("{base}{path}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ports_are_two_numbers() {
        let ports = Ports {
            oneapi: 5000,
            twoapi: 5001,
        };
        assert_eq!("5000,5001".parse(), Ok(ports));
        for text in ["", "5000", "5000,x", "0,1", "1,2,3", "70000,1"] {
            assert!(text.parse::<Ports>().is_err(), "'{text}'");
        }
    }

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

    #[test]
    fn without_names_the_page_watches_its_own_pod() {
        let settings: Settings = chassis::config::defaults();
        let page = Page::new(Life::new(std::time::Duration::ZERO), &settings);
        assert_eq!(page.0.services.len(), 1, "and has no twin");
        assert_eq!(page.0.services[0].pods, ["localhost"]);
    }
}
