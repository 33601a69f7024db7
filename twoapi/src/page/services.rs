//! The Services that the page watches.

use axum::http::Uri;
use load::resolver::Resolver;

use super::{containers::Ports, settings::Settings};

/// What the page watches, and how it finds the pods.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) services: Vec<Service>,
    pub(super) ports: Ports,
    pub(super) resolver: Resolver,
}

/// A Service that is watched.
#[derive(Clone, Debug)]
pub(super) struct Service {
    /// What the page calls it.
    pub(super) label: String,
    /// The names or IPs of its pods.
    pub(super) pods: Vec<String>,
    /// Where its requests go; `None` if there are none.
    pub(super) traffic: Option<Uri>,
}

impl Watched {
    pub(super) fn new(settings: &Settings) -> Self {
        let first = Service {
            label: label(&settings.traffic_url),
            pods: if settings.pods_name.is_empty() {
                vec!["localhost".to_owned()]
            } else {
                settings.pods_name.clone()
            },
            traffic: Some(settings.traffic_url.clone()),
        };
        let twin = Service {
            label: match &settings.twin_traffic_url {
                Some(url) => label(url),
                None => settings.twin_pods_name.join(","),
            },
            pods: settings.twin_pods_name.clone(),
            traffic: settings.twin_traffic_url.clone(),
        };
        let mut services = vec![first];
        if !twin.pods.is_empty() || twin.traffic.is_some() {
            services.push(twin);
        }
        Self {
            services,
            ports: settings.pods_ports,
            resolver: Resolver::default(),
        }
    }
}

/// The host of the URL, such as `chesterservice`.
fn label(url: &Uri) -> String {
    url.host().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_names_the_page_watches_its_own_pod() {
        let watched = Watched::new(&chassis::config::defaults());
        assert_eq!(watched.services.len(), 1, "and has no twin");
        assert_eq!(watched.services[0].pods, ["localhost"]);
    }
}
