//! The endpoints that every service has: the probes over HTTP and gRPC, and what an operator asks for.

mod grpc;
mod health;
mod info;
mod probes;
mod scrape;
mod switches;

#[cfg(fuzzing)]
pub(crate) use self::grpc::fuzz;

use std::sync::Arc;

use axum::routing::{get, post, put};

use crate::{
    faults::Faults,
    http::{Field, Kind, Mirror, Probe, Routes},
    lifecycle::Life,
    telemetry::{Identity, Metrics},
};

/// A service's own routes, and the shared ones behind them.
pub(crate) fn beside(
    mut own: Routes,
    life: &Life,
    faults: &Faults,
    metrics: &Metrics,
    mirror: &Arc<Mirror>,
    identity: Arc<Identity>,
) -> Routes {
    let fields: Arc<[Field]> = std::mem::take(&mut own.info).into();
    let info = get({
        let (life, faults) = (life.clone(), faults.clone());
        async move || info::page(&identity, &life, &faults, &fields)
    });
    let (ready, startup) = (life.clone(), life.clone());
    let probe = Kind::Probe;
    let mut routes = own
        .add_text_as(probe(Probe::Liveness), "/livez", health::livez)
        .add_text_as(probe(Probe::Readiness), "/readyz", move || {
            health::readyz(&ready)
        })
        .add_text_as(probe(Probe::Startup), "/startupz", move || {
            health::startupz(&startup)
        });
    let health = grpc::Health {
        life: life.clone(),
        faults: faults.clone(),
    };
    for (template, methods) in [
        ("/grpc.health.v1.Health/Check", post(grpc::check)),
        ("/grpc.health.v1.Health/Watch", post(grpc::watch)),
    ] {
        let methods = methods.with_state(health.clone());
        routes = routes.add_as(probe(Probe::Grpc), template, methods);
    }
    let reflect = || post(grpc::reflect).with_state(life.clone());
    for (template, methods) in [
        (
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            reflect(),
        ),
        (
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            reflect(),
        ),
        ("/metrics", get(scrape::page).with_state(metrics.clone())),
        ("/info", info),
        ("/probes", get(probes::page).with_state(Arc::clone(mirror))),
        (
            "/faults",
            get(switches::list)
                .delete(switches::clear_all)
                .with_state(faults.clone()),
        ),
        (
            "/faults/{name}",
            put(switches::set)
                .delete(switches::clear)
                .with_state(faults.clone()),
        ),
    ] {
        routes = routes.add_as(Kind::Operations, template, methods);
    }
    routes
}
