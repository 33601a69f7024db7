//! The endpoints that every service has, laid round a service's own, and the two refusals that
//! belong to no endpoint. `track` stands here too: a route is added through it, never bare.

use axum::{
    Router,
    extract::{FromRef, Request, State},
    http::{Method, StatusCode, Uri},
    middleware::{self, Next},
    response::Response,
    routing::{MethodRouter, any, get},
};

use crate::{Chassis, health, info, life::Life, refusal::Refusal};

impl Chassis {
    /// A route that is counted under its template, that refuses with 503 while the service is
    /// starting, and that says so when asked by a method that it doesn't know.
    pub fn track<S>(&self, template: &'static str, route: MethodRouter<S>) -> MethodRouter<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        let mut route = route.fallback(method_not_allowed);
        // Most services start at once, and their requests needn't ask.
        if !self.settings.startup_delay.is_zero() {
            let gate = middleware::from_fn_with_state(self.life.clone(), once_started);
            route = route.layer(gate);
        }
        self.metrics.track(template, route)
    }

    /// A service's own routes with the shared ones beside them.
    pub fn with_shared_routes(&self, own: Router) -> Router {
        let (metrics, identity) = (self.metrics.clone(), self.identity.clone());
        let started = self.life.started();
        let shared = [
            ("/livez", get(health::livez)),
            ("/readyz", get(health::readyz)),
            ("/startupz", get(health::startupz)),
            ("/metrics", get(async move || metrics.page())),
            ("/info", get(async move || info::page(&identity, started))),
        ];
        let mut router = Router::new();
        for (path, route) in shared {
            let route = route.fallback(method_not_allowed);
            router = router.route(path, self.metrics.track_probe(path, route));
        }
        let lost = self.metrics.track("unmatched", any(not_found));
        router.fallback(lost).with_state(self.clone()).merge(own)
    }
}

impl FromRef<Chassis> for Life {
    fn from_ref(chassis: &Chassis) -> Self {
        chassis.life.clone()
    }
}

async fn once_started(
    State(life): State<Life>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    life.startup()?;
    Ok(next.run(request).await)
}

async fn not_found(uri: Uri) -> Refusal {
    Refusal::not_found(format!("there is no {}", uri.path()))
}

async fn method_not_allowed(method: Method, uri: Uri) -> Refusal {
    let sentence = format!("{} can't be asked with {method}", uri.path());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, sentence)
}
