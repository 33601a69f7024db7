//! twoapi calls oneapi over the pod's shared localhost.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /test/calloneapi` | `one api response is ip is 10.244.36.66` |
//! | `GET /`, `/page/…` | the live page, see [`page`] |
//!
//! Two subcommands are clients: [`load`](mod@load) sends requests at a fixed rate and counts what fails,
//! [`burn`] has all pods behind a name burn a total of CPU.
//!
//! The chassis adds `/livez`, `/readyz`, `/startupz`, `/probes`, `/faults`, `/metrics`, `/info`,
//! `grpc.health.v1.Health` and `grpc.reflection.v1.ServerReflection`.

mod api;
mod bounds;
pub mod burn;
pub mod cli;
mod client;
pub mod load;
pub mod page;
mod terminal;

use std::time::Duration;

use axum::routing::get;
use chassis::{Chassis, config::Reader, http::Routes};
use reqwest::Url;

use crate::{api::calloneapi, client::upstream::Upstream};

/// twoapi's own settings.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// What to call
    #[arg(long, env, default_value = "http://localhost:5000/test", value_parser = Reader(http_url))]
    pub oneapi_url: Url,

    /// How long a call may take in all, its wait for its turn included, from `1ms` to `24h`
    // 2 s: an answer over localhost takes a millisecond; a longer wait means that it hangs.
    #[arg(long, env, default_value = "2s", value_parser = Reader(bounds::timeout), allow_hyphen_values = true)]
    pub oneapi_timeout: Duration,

    /// What the page shows.
    #[command(flatten)]
    pub page: page::Settings,
}

fn http_url(text: &str) -> Result<Url, String> {
    chassis::config::http_url(text)?;
    text.parse()
        .map_err(|error| format!("a URL is written as http://host:port/path: {error}"))
}

/// The routes, in the order of the table above.
pub fn routes(chassis: &Chassis, settings: &Settings) -> Routes {
    let upstream = Upstream::new(settings.oneapi_url.clone(), settings.oneapi_timeout);
    let routes = Routes::new().add(
        "/test/calloneapi",
        get(calloneapi::calloneapi).with_state(upstream),
    );
    page::add_routes(routes, chassis, &settings.page)
}

/// What `fuzz/` tests beside what is public. cargo fuzz alone sets this.
#[cfg(fuzzing)]
#[allow(missing_docs)]
pub mod fuzz {
    use std::time::Duration;

    use axum::http::HeaderValue;
    use reqwest::Url;

    pub use crate::page::fuzz::*;

    pub fn http_url(text: &str) -> Result<Url, String> {
        crate::http_url(text)
    }

    pub fn timeout(text: &str) -> Result<Duration, String> {
        crate::bounds::timeout(text)
    }

    pub fn host_header(text: &str) -> Result<HeaderValue, String> {
        crate::bounds::host_header(text)
    }

    pub fn rate(text: &str) -> Result<f64, String> {
        crate::bounds::rate(text)
    }
}
