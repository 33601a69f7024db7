//! A service's routes. One call adds a route, and whatever is added gets the whole stack.

use axum::{
    Router,
    http::{Method, StatusCode, Uri},
    routing::MethodRouter,
};

use super::refusal::Refusal;

/// What a route is for, which decides how the stack treats its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A service's own, for clients.
    Ordinary,
    /// For the cluster: probes, metrics, and who this is. They answer while the service starts, and
    /// they don't count as clients that still come after the stop signal.
    Operations,
    /// For whoever asks for a path that no route has.
    Unmatched,
}

/// Routes in the order in which they were added.
#[derive(Debug, Default)]
pub struct Routes {
    pub(super) router: Router,
    pub(super) templates: Vec<(&'static str, Kind)>,
}

impl Routes {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route of a service's own. `template` is axum's: `/burns/{id}`.
    #[must_use]
    pub fn add(self, template: &'static str, methods: MethodRouter) -> Self {
        self.add_as(Kind::Ordinary, template, methods)
    }

    pub(super) fn add_as(
        mut self,
        kind: Kind,
        template: &'static str,
        methods: MethodRouter,
    ) -> Self {
        self.router = self
            .router
            .route(template, methods.fallback(method_not_allowed));
        self.templates.push((template, kind));
        self
    }
}

async fn method_not_allowed(method: Method, uri: Uri) -> Refusal {
    let sentence = format!("{} can't be asked with {method}", uri.path());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, sentence)
}
