//! Finds a request's route, and passes the request through the layers to the handler and the answer back.
//! The layers stand here in their order, once: [`Inner::begin`], [`Inner::admit`], [`Inner::finish`].

use std::{convert::Infallible, pin::pin, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    http::{Method, Request, Response, Uri},
};
use tokio::task::yield_now;
use tower::Service;
use tracing::Instrument;

use super::{
    answer::Answer,
    content::Content,
    kind::{Kind, Probe},
    layers::{
        self, identity::IdentityHeaders, large::Room, probe_record::ProbeRecord,
        request_record::RequestRecord,
    },
    mirror::Mirror,
    refusal::Refusal,
    routes::{Added, Routes},
};
use crate::{
    faults::Faults,
    lifecycle::Life,
    server::Peer,
    telemetry::{Identity, Metrics, RouteMetrics, trace::Spans},
    text::shown,
};

/// A service's routes and the layers round them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    router: Router,
    /// The place in `routes` of the route that has a path.
    paths: matchit::Router<usize>,
    routes: Vec<Route>,
    /// For a path that no route has.
    unmatched: Route,
    life: Life,
    faults: Faults,
    mirror: Arc<Mirror>,
    headers: IdentityHeaders,
    room: Room,
    spans: Spans,
}

/// A route as the layers see it.
#[derive(Debug)]
struct Route {
    added: Added,
    metrics: Arc<RouteMetrics>,
}

/// What the layers know of a request until it is answered.
struct Begun<'a> {
    route: &'a Route,
    kind: Kind,
    method: Method,
    record: RequestRecord,
    /// `None` if it isn't a probe.
    probe: Option<ProbeRecord>,
}

impl App {
    /// Puts it together.
    ///
    /// # Panics
    /// Two routes have the same template.
    pub(crate) fn new(
        routes: Routes,
        life: Life,
        faults: Faults,
        metrics: &Metrics,
        mirror: Arc<Mirror>,
        identity: &Identity,
        spans: Spans,
    ) -> Self {
        let route = |added: Added| Route {
            metrics: metrics.route(added.template),
            added,
        };
        let mut paths = matchit::Router::new();
        for (place, added) in routes.added.iter().enumerate() {
            paths
                .insert(added.template, place)
                .expect("each template is added once");
        }
        Self(Arc::new(Inner {
            router: routes.router.fallback(not_found),
            paths,
            routes: routes.added.into_iter().map(route).collect(),
            unmatched: route(Added::new(Kind::Unmatched, "unmatched")),
            life,
            faults,
            mirror,
            headers: IdentityHeaders::new(identity),
            room: Room::new(),
            spans,
        }))
    }

    /// The templates of all routes, such as `/burns/{id}`, in the order in which they were added.
    pub fn templates(&self) -> impl Iterator<Item = &'static str> {
        self.0.routes.iter().map(|route| route.added.template)
    }

    /// Answers a request that came over no connection, as a test's.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Answer>
    where
        B: hyper::body::Body<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
    {
        let nobody = Peer::none();
        match self.answer_at_once(&nobody, &request) {
            Some(response) => response,
            None => self.answer_to(&nobody, request).await,
        }
    }

    /// Answers a request.
    pub(super) async fn answer_to<B>(
        &self,
        peer: &Peer,
        mut request: Request<B>,
    ) -> Response<Answer>
    where
        B: hyper::body::Body<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
    {
        let inner = &*self.0;
        let route = inner.route_of(request.uri().path());
        let mut begun = inner.begin(route, peer, &request);
        if begun.kind == Kind::Probe(Probe::Grpc) {
            layers::probe_record::ask_for_service(&mut begun.probe, &mut request);
        }
        if route.added.with_peer {
            request.extensions_mut().insert(peer.clone());
        }
        if let Some(trace) = begun.record.span.trace() {
            request.extensions_mut().insert(trace.clone());
        }
        let response = {
            let (faults, kind) = (&inner.faults, begun.kind);
            let log = begun.record.span.log();
            // Handed on by reference: a future that is moved into another one is there twice.
            let handled = pin!(
                async {
                    inner.admit(&begun)?;
                    if begun.kind == Kind::Operations {
                        // An answer takes a millisecond to make at most, and a connection may have many requests
                        // waiting: other connections, whose requests may be probes, go first.
                        yield_now().await;
                    }
                    Ok(inner.handle(request).await)
                }
                .instrument(log)
            );
            let handled = pin!(layers::injection::inject(faults, kind, peer, handled));
            layers::panic::catch(handled).await
        };
        inner.finish(begun, response)
    }

    /// The fast path: answers a `GET` of a text route without awaiting. `None` if the route has no
    /// text or a fault switch is set. Nothing is boxed, and the headers are copied instead of hashed:
    /// `bench/recorded.txt` has how many instructions `/test` takes so, beside those of bare hyper.
    pub(super) fn answer_at_once<B>(
        &self,
        peer: &Peer,
        request: &Request<B>,
    ) -> Option<Response<Answer>> {
        let inner = &*self.0;
        let route = inner.route_of(request.uri().path());
        let text = route.added.text.as_ref()?;
        if request.method() != Method::GET || inner.faults.act_on_requests() {
            return None;
        }
        let begun = inner.begin(route, peer, request);
        let response = begun.record.span.in_scope(|| {
            layers::panic::catch_at_once(|| {
                inner.admit(&begun)?;
                text.get()
            })
        });
        Some(inner.finish(begun, response))
    }

    /// Answers a request that gets no further than here.
    #[cold]
    pub(super) fn refuse<B>(
        &self,
        peer: &Peer,
        request: &Request<B>,
        refusal: Refusal,
    ) -> Response<Answer> {
        let route = self.0.route_of(request.uri().path());
        let begun = self.0.begin(route, peer, request);
        self.0.finish(begun, refusal.into_content())
    }

    /// Whether the request has the path of a probe.
    pub(super) fn is_probe<B>(&self, request: &Request<B>) -> bool {
        let route = self.0.route_of(request.uri().path());
        matches!(route.added.kind, Kind::Probe(_))
    }
}

impl Inner {
    fn route_of(&self, path: &str) -> &Route {
        match self.paths.at(path) {
            Ok(found) => &self.routes[*found.value],
            Err(_) => &self.unmatched,
        }
    }

    /// The layers that see each request.
    fn begin<'a, B>(&self, route: &'a Route, peer: &Peer, request: &Request<B>) -> Begun<'a> {
        let kind = layers::options::kind(route.added.kind_of(request.method()), request);
        let span = layers::trace::begin(&self.spans, kind, route.added.template, peer, request);
        let record = layers::request_record::begin(&route.metrics, kind, request, span);
        let probe = layers::probe_record::begin(&self.mirror, kind, request, peer);
        layers::late_requests::note(&self.life, kind);
        Begun {
            route,
            kind,
            method: request.method().clone(),
            record,
            probe,
        }
    }

    /// The layers that can keep a request from its handler.
    fn admit(&self, begun: &Begun<'_>) -> Result<(), Refusal> {
        layers::startup::check(&self.life, begun.kind)?;
        layers::options::check(&begun.method, begun.route.added.text.as_ref())
    }

    /// The layers that see each answer.
    fn finish(&self, begun: Begun<'_>, mut response: Response<Content>) -> Response<Answer> {
        let method = &begun.method;
        layers::options::answer(method, begun.kind, &mut response);
        let room = self.room.take(&mut response);
        self.headers.insert_into(&mut response);
        layers::head::remove_body(method, &mut response);
        layers::stopping::insert_into(&self.life, &mut response);
        layers::probe_record::end(begun.probe, &response);
        Answer::new(begun.record, room, response)
    }

    async fn handle<B>(&self, request: Request<B>) -> Response<Content>
    where
        B: hyper::body::Body<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
    {
        let answered: Result<_, Infallible> = self.router.clone().call(request).await;
        let Ok(response) = answered;
        response.map(Content::from)
    }
}

async fn not_found(uri: Uri) -> Refusal {
    // `CONNECT` asks for a host and a port, without a path.
    let asked = match (uri.path(), uri.authority()) {
        ("", Some(authority)) => authority.as_str(),
        (path, _) => path,
    };
    Refusal::not_found(format!("there is no {}", shown(asked)))
}
