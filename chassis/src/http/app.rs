//! The whole HTTP side of a service: it finds a request's route, passes the request through the
//! stack of layers to the handler, and the answer back.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Request, Response, Uri},
    response::IntoResponse,
    routing::get,
};
use tower::Service;

use super::{
    body::Answer,
    health, info,
    layers::{self, identity::IdentityHeaders},
    metrics,
    refusal::Refusal,
    routes::{Kind, Routes},
};
use crate::{
    lifecycle::Life,
    telemetry::{Identity, Metrics, RouteMetrics},
};

/// A service's own routes with the shared ones beside them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    router: Router,
    /// Which of `routes` a path belongs to.
    paths: matchit::Router<usize>,
    routes: Vec<Route>,
    /// For what no route matches.
    unmatched: Route,
    life: Life,
    headers: IdentityHeaders,
}

/// A route as the layers see it.
#[derive(Debug)]
struct Route {
    kind: Kind,
    metrics: Arc<RouteMetrics>,
}

impl App {
    /// Puts it together.
    ///
    /// # Panics
    /// Two routes have the same template.
    pub fn new(own: Routes, life: Life, metrics: Metrics, identity: Arc<Identity>) -> Self {
        let headers = IdentityHeaders::new(&identity);
        let Routes { router, templates } = with_shared_routes(own, &life, &metrics, identity);
        let mut paths = matchit::Router::new();
        let mut routes = Vec::new();
        for (template, kind) in templates {
            paths
                .insert(template, routes.len())
                .expect("each template is added once");
            let metrics = metrics.route(template);
            routes.push(Route { kind, metrics });
        }
        Self(Arc::new(Inner {
            router,
            paths,
            routes,
            unmatched: Route {
                kind: Kind::Unmatched,
                metrics: metrics.route("unmatched"),
            },
            life,
            headers,
        }))
    }

    /// Answers a request. These are the layers, the outermost first; each is a file of `layers`.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Answer>
    where
        B: hyper::body::Body<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
    {
        let Inner { life, headers, .. } = &*self.0;
        let route = self.0.route_of(request.uri());
        let record = layers::metrics::begin(&route.metrics, &request);
        layers::late_requests::note(life, route.kind);
        let handled = async {
            layers::startup::check(life, route.kind)?;
            Ok(self.0.handle(request).await)
        };
        let mut response = layers::panic::catch(handled).await.into_response();
        headers.insert_into(&mut response);
        layers::metrics::end_with_body(record, response)
    }
}

impl Inner {
    fn route_of(&self, uri: &Uri) -> &Route {
        match self.paths.at(uri.path()) {
            Ok(found) => &self.routes[*found.value],
            Err(_) => &self.unmatched,
        }
    }

    async fn handle<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
    {
        let answered: Result<_, Infallible> = self.router.clone().call(request).await;
        let Ok(response) = answered;
        response
    }
}

fn with_shared_routes(
    own: Routes,
    life: &Life,
    metrics: &Metrics,
    identity: Arc<Identity>,
) -> Routes {
    let started = life.started();
    let mut routes = own;
    for (template, methods) in [
        ("/livez", get(health::livez)),
        ("/readyz", get(health::readyz).with_state(life.clone())),
        ("/startupz", get(health::startupz).with_state(life.clone())),
        (
            "/metrics",
            get(metrics::metrics).with_state(metrics.clone()),
        ),
        ("/info", get(async move || info::page(&identity, started))),
    ] {
        routes = routes.add_as(Kind::Operations, template, methods);
    }
    routes.router = routes.router.fallback(not_found);
    routes
}

async fn not_found(uri: Uri) -> Refusal {
    Refusal::not_found(format!("there is no {}", uri.path()))
}
