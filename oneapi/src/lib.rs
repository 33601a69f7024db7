//! oneapi says its pod's IP and burns CPU on request.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /test` | `ip is 10.244.36.66` |
//! | `GET /test/highcpu?minutes=N&millicores=M&force=true&caller=NAME` | burns, then `ok` |
//! | `HEAD /test/highcpu` | checks the query, burns nothing |
//! | `POST /burns?minutes=N…` | starts a burn that no request waits for: 201, its number, `Location: /burns/ID` |
//! | `GET /burns` | the burns that run, as JSON |
//! | `GET /burns/ID` | how far a burn is, or how it ended |
//! | `DELETE /burns`, `DELETE /burns?caller=NAME`, `DELETE /burns/ID` | ends them; their clients get how far they came |
//!
//! The chassis adds `/livez`, `/readyz`, `/startupz`, `/probes`, `/faults`, `/metrics`, `/info`,
//! `grpc.health.v1.Health` and `grpc.reflection.v1.ServerReflection`.

mod api;
pub mod burn;
pub mod cli;
mod metrics;

/// What `fuzz/` tests beside what is public. cargo fuzz alone sets this.
#[cfg(fuzzing)]
#[allow(missing_docs)]
pub mod fuzz {
    pub use crate::api::fuzz::*;

    pub fn minutes(text: &str) -> Result<f64, String> {
        crate::minutes(text)
    }

    /// In percent.
    pub fn headroom(text: &str) -> Result<f64, String> {
        crate::headroom(text).map(|headroom| headroom.percent)
    }
}

use axum::routing::{get, post};
use chassis::{
    Chassis,
    config::{Reader, whole_number},
    http::Routes,
    system::container,
};

use crate::{
    api::{Oneapi, RequestLimits, UnattendedBurns, burns, highcpu, test},
    burn::{Burns, Clock, Headroom},
    metrics::BurnMetrics,
};

/// oneapi's own settings.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Settings {
    /// The longest burn, in minutes
    // An hour: longer than any lesson, and a forgotten burn ends by itself.
    #[arg(long, env, default_value = "60", value_parser = Reader(minutes))]
    pub max_minutes: f64,

    /// How many burns may run at once
    // 16: more than a lesson needs. Each burn costs a thread for each core that it burns.
    #[arg(long, env, default_value = "16", value_parser = Reader(whole_number(1..=u16::MAX)))]
    pub max_burns: u16,

    /// How far below a CPU limit burns are kept in all, in percent of it (at least 20 millicores)
    // 5 %: what the kernel's accounting and the server itself need so as not to be throttled.
    #[arg(long, env, default_value = "5%", value_parser = Reader(headroom))]
    pub headroom: Headroom,
}

fn minutes(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        // A year, so that it fits every clock.
        Ok(minutes) if minutes > 0.0 && minutes <= 525_600.0 => Ok(minutes),
        _ => Err("it is a number of minutes above 0, up to 525600".to_owned()),
    }
}

fn headroom(text: &str) -> Result<Headroom, String> {
    match text.strip_suffix('%').unwrap_or(text).parse::<f64>() {
        Ok(percent) if (0.0..=90.0).contains(&percent) => Ok(Headroom { percent }),
        _ => Err("it is a percentage from 0% to 90%".to_owned()),
    }
}

/// The routes, in the order of the table above.
pub fn routes(chassis: &Chassis, settings: &Settings) -> Routes {
    let oneapi = Oneapi {
        life: chassis.life.clone(),
        burns: Burns::new(settings.max_burns.into(), settings.headroom),
        unattended: UnattendedBurns::default(),
        limits: RequestLimits {
            max_minutes: settings.max_minutes,
            max_millicores: container::limits().cpus.saturating_mul(1000),
        },
    };
    let burns = BurnMetrics(oneapi.burns.clone());
    chassis
        .metrics
        .register(|registry| registry.register_collector(Box::new(burns)));

    let burns = oneapi.burns.clone();
    let burn_clock = move || burns.clock().map(Clock::name).into();

    let sentence = chassis.address(test::sentence);
    let highcpu = get(highcpu::highcpu).head(highcpu::head);
    let mut routes = Routes::new()
        .add_text("/test", move || Ok(sentence.get()))
        .add_with_peer("/test/highcpu", highcpu.with_state(oneapi.clone()));
    for (template, methods) in [
        (
            "/burns",
            post(burns::start).get(burns::list).delete(burns::end_all),
        ),
        ("/burns/{id}", get(burns::show).delete(burns::end_one)),
    ] {
        routes = routes.add_resource(template, methods.with_state(oneapi.clone()));
    }
    routes.add_info("burn_clock", burn_clock)
}
