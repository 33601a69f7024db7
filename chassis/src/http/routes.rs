//! A service's routes. One call adds a route, and whatever is added gets the whole stack of layers.

use std::{fmt, sync::Arc};

use axum::{
    Extension, Router,
    body::Bytes,
    http::{Method, StatusCode, Uri, header},
    routing::{MethodRouter, get},
};
use serde_json::Value;

use super::{
    kind::{Kind, Probe},
    refusal::{Refusal, TEXT},
};
use crate::text::shown;

/// Routes in the order in which they were added.
#[derive(Debug, Default)]
pub struct Routes {
    pub(super) router: Router,
    pub(super) added: Vec<Added>,
    pub(crate) info: Vec<Field>,
}

/// What a service adds to `/info`: a name, and the value when somebody asks.
pub(crate) struct Field(
    pub(crate) &'static str,
    pub(crate) Box<dyn Fn() -> Value + Send + Sync>,
);

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What is known of a route beside its handlers, which the router has.
#[derive(Debug)]
pub(super) struct Added {
    pub(super) template: &'static str,
    pub(super) kind: Kind,
    /// The kind of a request that only reads.
    reading: Kind,
    /// What a `GET` answers, if that needs no waiting.
    pub(super) text: Option<Text>,
    /// Whether the handlers find a [`Peer`](crate::server::Peer) in the request's extensions.
    pub(super) with_peer: bool,
}

impl Added {
    pub(super) fn new(kind: Kind, template: &'static str) -> Self {
        Self {
            template,
            kind,
            reading: kind,
            text: None,
            with_peer: kind == Kind::Probe(Probe::Grpc),
        }
    }

    pub(super) fn kind_of(&self, method: &Method) -> Kind {
        if method.is_safe() {
            self.reading
        } else {
            self.kind
        }
    }
}

/// What makes the text of a text route.
#[derive(Clone)]
pub(super) struct Text(Arc<dyn Fn() -> Result<Bytes, Refusal> + Send + Sync>);

impl Text {
    pub(super) fn get(&self) -> Result<Bytes, Refusal> {
        (self.0)()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text")
    }
}

impl Routes {
    /// Without any route yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route of a service's own. `template` is axum's: `/burns/{id}`.
    #[must_use]
    pub fn add(self, template: &'static str, methods: MethodRouter) -> Self {
        self.add_as(Kind::Ordinary, template, methods)
    }

    /// As [`add`](Self::add), and the handlers find the client's [`Peer`](crate::server::Peer) in the request's
    /// extensions.
    #[must_use]
    pub fn add_with_peer(self, template: &'static str, methods: MethodRouter) -> Self {
        let mut routes = self.add(template, methods);
        if let Some(added) = routes.added.last_mut() {
            added.with_peer = true;
        }
        routes
    }

    /// Adds a text route: its `GET` answers a text that needs no waiting, whatever the request says. It takes
    /// a sixth fewer instructions than a handler, since nothing is boxed for it.
    #[must_use]
    pub fn add_text(
        self,
        template: &'static str,
        text: impl Fn() -> Result<Bytes, Refusal> + Send + Sync + 'static,
    ) -> Self {
        self.add_text_as(Kind::Ordinary, template, text)
    }

    /// Adds a route of a service's own that is for observers, and not for clients: it answers while the
    /// service starts, as the shared routes do.
    #[must_use]
    pub fn add_operations(self, template: &'static str, methods: MethodRouter) -> Self {
        self.add_as(Kind::Operations, template, methods)
    }

    /// Adds a route of a service's own that clients change and observers look at: a `GET` is treated as that
    /// of [`add_operations`](Self::add_operations), other methods as those of [`add`](Self::add).
    #[must_use]
    pub fn add_resource(self, template: &'static str, methods: MethodRouter) -> Self {
        let mut routes = self.add_as(Kind::Ordinary, template, methods);
        if let Some(added) = routes.added.last_mut() {
            added.reading = Kind::Operations;
        }
        routes
    }

    /// Adds a field of the service's own to `/info`.
    #[must_use]
    pub fn add_info(
        mut self,
        name: &'static str,
        value: impl Fn() -> Value + Send + Sync + 'static,
    ) -> Self {
        self.info.push(Field(name, Box::new(value)));
        self
    }

    pub(crate) fn add_as(
        mut self,
        kind: Kind,
        template: &'static str,
        methods: MethodRouter,
    ) -> Self {
        self.router = self
            .router
            .route(template, methods.fallback(method_not_allowed));
        self.added.push(Added::new(kind, template));
        self
    }

    pub(crate) fn add_text_as(
        self,
        kind: Kind,
        template: &'static str,
        text: impl Fn() -> Result<Bytes, Refusal> + Send + Sync + 'static,
    ) -> Self {
        let text = Text(Arc::new(text));
        let handler = {
            let text = text.clone();
            async move || {
                text.get()
                    .map(|text| ([(header::CONTENT_TYPE, TEXT)], text))
            }
        };
        // The router has it for the methods that are not allowed.
        let mut routes = self.add_as(kind, template, get(handler));
        if let Some(added) = routes.added.last_mut() {
            added.text = Some(text);
        }
        routes
    }
}

/// What can't be asked. The router tells which methods are allowed only in the header of the answer.
#[derive(Clone)]
pub(in crate::http) struct NotAllowed(pub(in crate::http) String);

async fn method_not_allowed(method: Method, uri: Uri) -> (StatusCode, Extension<NotAllowed>) {
    let (path, method) = (shown(uri.path()), shown(method.as_str()));
    let what = NotAllowed(format!("{path} can't be asked with {method}"));
    (StatusCode::METHOD_NOT_ALLOWED, Extension(what))
}
