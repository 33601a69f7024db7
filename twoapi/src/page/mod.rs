//! `GET /`: a live page that shows what Kubernetes does to the pods and what their callers notice.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /` | the page |
//! | `GET /page/events?rate=N` | server-sent events, see [`stream`] |
//! | `GET /page/qr.svg?ADDRESS` | the page's address as a QR code, see [`qr`] |
//! | `POST /page/actions` | starts and ends burns, sets and clears fault switches, see [`actions`] |
//!
//! With `BASE_PATH` they answer below that path, too. The page itself has relative URLs alone, and so
//! needs no setting behind a proxy that takes its prefix away.
//!
//! [`stream`] registers a viewer with [`viewers`]. The first viewer starts a [`watch`], and the last one
//! ends it. A watch finds the pods ([`discovery`]), polls each of them ([`pod`]) and sends requests
//! through the Service ([`traffic`]). What they find goes over the [`board`] to all viewers. The browser
//! keeps the history with its verdicts and replays, so that it outlives the pod that served the page.

mod actions;
mod assets;
mod board;
mod chinese;
mod containers;
mod discovery;
mod lessons;
mod listed;
mod names;
mod origin;
mod pod;
mod qr;
mod services;
mod settings;
mod stream;
mod traffic;
mod viewers;
mod watch;

use std::sync::Arc;

use axum::{
    http::Uri,
    response::Redirect,
    routing::{MethodRouter, get, post},
};
use chassis::{Chassis, http::Routes};

use self::{
    actions::Actions, lessons::lessons, services::Watched, stream::Events, viewers::Viewers,
};
pub use self::{containers::Ports, settings::Settings};

/// Adds the page's routes. They are operations: they answer while the service starts, and a fault
/// switch that breaks the service's ordinary answers doesn't break the page that shows it.
pub(crate) fn add_routes(routes: Routes, chassis: &Chassis, settings: &Settings) -> Routes {
    let watched = Arc::new(Watched::new(settings));
    let actions = Actions::new(settings, Arc::clone(&watched));
    let events = Events::new(
        chassis.life.clone(),
        Viewers::new(settings.max_viewers.into(), watched),
        settings.page_actions,
        lessons(chassis.namespace().is_some()),
    );
    let own = [
        ("/", get(assets::index)),
        ("/page/events", get(stream::events).with_state(events)),
        ("/page/qr.svg", get(qr::qr)),
        (
            "/page/actions",
            post(actions::act).with_state(Arc::new(actions)),
        ),
    ];
    let routes = add_below(routes, "", &own);
    match settings.base_path.as_deref() {
        None | Some("") => routes,
        Some(base) => {
            let folder = template(base, "/");
            // The page's URLs are relative to its folder.
            let redirect = get(async move |uri: Uri| match uri.query() {
                Some(query) => Redirect::temporary(&format!("{folder}?{query}")),
                None => Redirect::temporary(folder),
            });
            add_below(
                routes.add_operations(template(base, ""), redirect),
                base,
                &own,
            )
        }
    }
}

fn add_below(routes: Routes, base: &str, own: &[(&str, MethodRouter)]) -> Routes {
    own.iter().fold(routes, |routes, (path, methods)| {
        routes.add_operations(template(base, path), methods.clone())
    })
}

/// The routes of a service are there from its start to its end, and so are their templates.
fn template(base: &str, path: &str) -> &'static str {
    String::leak(format!("{base}{path}"))
}

/// What `fuzz/` tests beside what is public. cargo fuzz alone sets this.
#[cfg(fuzzing)]
#[allow(missing_docs)]
pub mod fuzz {
    use std::net::IpAddr;

    use axum::{
        http::{HeaderMap, Uri},
        response::Response,
    };
    use chassis::http::Refusal;
    use reqwest::Url;
    use serde_json::Value;

    use super::{actions, assets, chinese, names, origin, pod, qr, settings, stream, traffic};

    pub fn check_same_origin(
        headers: &HeaderMap,
        uri: &Uri,
        listed: &[String],
    ) -> Result<(), String> {
        origin::check_same_origin(headers, uri, listed)
    }

    pub fn is_other_site(headers: &HeaderMap) -> bool {
        origin::is_other_site(headers)
    }

    /// The fault switch that an action sets, and its URL below that of all of them.
    pub fn switch_of(action: &[u8], all: Url) -> Result<Option<(String, Url)>, String> {
        actions::switch_of(action, all)
    }

    /// Of a pod that answers `/info`, `/probes`, `/faults` and `/burns` with these.
    pub fn card(answers: [&[u8]; 4]) -> Value {
        pod::card(answers)
    }

    pub async fn qr(uri: Uri, headers: HeaderMap) -> Result<Response, Response> {
        qr::qr(uri, headers).await
    }

    pub fn chinese(sentence: &str) -> String {
        chinese::chinese(sentence)
    }

    pub fn base_path(text: &str) -> Result<String, String> {
        settings::base_path(text)
    }

    pub fn host_name(text: &str) -> Result<String, String> {
        names::host_name(text)
    }

    pub fn name_or_ip(text: &str) -> Result<String, String> {
        names::name_or_ip(text)
    }

    pub fn is_known(headers: &HeaderMap, etag: &str) -> bool {
        assets::is_known(headers, etag)
    }

    /// Requests a second, as a viewer of `/page/events` asks for them.
    pub fn events_rate(uri: &Uri) -> Result<u16, Refusal> {
        stream::rate(uri)
    }

    /// Which address is polled after an answer with this body.
    pub fn address_in(body: &[u8]) -> Option<IpAddr> {
        traffic::address_in(body)
    }
}
