//! The whole HTTP side of a service: it finds a request's route, passes the request through the
//! stack of layers to the handler, and the answer back.

use std::{convert::Infallible, pin::pin, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    http::{Method, Request, Response, Uri},
    routing::{get, post, put},
};
use tower::Service;

use super::{
    answer::Answer,
    content::Content,
    faults, grpc, health, info,
    layers::{self, identity::IdentityHeaders, large::Room, options::Options},
    metrics,
    mirror::{Mirror, Probe},
    probes,
    refusal::Refusal,
    routes::{Added, Field, Kind, Routes, Text},
};
use crate::{
    faults::Faults,
    lifecycle::Life,
    server::Peer,
    telemetry::{Identity, Metrics, RouteMetrics},
    text::shown,
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
    faults: Faults,
    mirror: Arc<Mirror>,
    headers: IdentityHeaders,
    room: Room,
}

/// A route as the layers see it.
#[derive(Debug)]
struct Route {
    template: &'static str,
    kind: Kind,
    /// The kind of a request that only reads.
    reading: Kind,
    text: Option<Text>,
    with_peer: bool,
    metrics: Arc<RouteMetrics>,
}

impl App {
    /// Puts it together.
    ///
    /// # Panics
    /// Two routes have the same template.
    pub fn new(
        own: Routes,
        life: Life,
        faults: Faults,
        metrics: Metrics,
        identity: Arc<Identity>,
    ) -> Self {
        let headers = IdentityHeaders::new(&identity);
        let mirror = Arc::new(Mirror::new());
        let Routes { router, added, .. } =
            with_shared_routes(own, &life, &faults, &metrics, &mirror, identity);
        let mut paths = matchit::Router::new();
        let mut routes = Vec::new();
        for Added {
            template,
            kind,
            reading,
            text,
            with_peer,
        } in added
        {
            paths
                .insert(template, routes.len())
                .expect("each template is added once");
            let metrics = metrics.route(template);
            routes.push(Route {
                template,
                kind,
                reading,
                text,
                with_peer,
                metrics,
            });
        }
        Self(Arc::new(Inner {
            router,
            paths,
            routes,
            unmatched: Route {
                template: "unmatched",
                kind: Kind::Unmatched,
                reading: Kind::Unmatched,
                text: None,
                with_peer: false,
                metrics: metrics.route("unmatched"),
            },
            life,
            faults,
            mirror,
            headers,
            room: Room::new(),
        }))
    }

    /// The templates of all routes, such as `/burns/{id}`, in the order in which they were added.
    pub fn templates(&self) -> impl Iterator<Item = &'static str> {
        self.0.routes.iter().map(|route| route.template)
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

    /// Answers a request. These are the layers, the outermost first; each is a file of `layers`.
    pub(super) async fn answer_to<B>(
        &self,
        peer: &Peer,
        mut request: Request<B>,
    ) -> Response<Answer>
    where
        B: hyper::body::Body<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
    {
        let Inner { life, faults, .. } = &*self.0;
        let route = self.0.route_of(request.uri().path());
        let options = layers::options::begin(&request);
        let kind = route.kind_of(request.method());
        let kind = options.as_ref().map_or(kind, |options| options.kind(kind));
        let mut begun = self.0.begin(route, kind, peer, &request);
        if kind == Kind::Probe(Probe::Grpc) {
            layers::mirror::ask_for_service(&mut begun.reflection, &mut request);
        }
        if route.with_peer {
            request.extensions_mut().insert(peer.clone());
        }
        // Handed on by reference: a future that is moved into another one is there twice.
        let handled = pin!(async {
            layers::startup::check(life, kind)?;
            if options.is_some() {
                Options::check(route.text.as_ref())?;
            }
            Ok(self.0.handle(request).await)
        });
        let handled = pin!(layers::faults::meet(faults, kind, peer, handled));
        let mut response = layers::panic::catch(handled).await;
        if let Some(options) = &options {
            options.answer(&mut response);
        }
        self.0.room.take(&mut response);
        self.0.headers.insert_into(&mut response);
        self.0.finish(begun, response)
    }

    /// Whether this is for who keeps the pod going.
    pub(super) fn is_probe<B>(&self, request: &Request<B>) -> bool {
        matches!(self.0.route_of(request.uri().path()).kind, Kind::Probe(_))
    }

    /// Answers a request that is not looked at any further.
    #[cold]
    pub(super) fn refuse<B>(
        &self,
        peer: &Peer,
        request: &Request<B>,
        refusal: Refusal,
    ) -> Response<Answer> {
        let route = self.0.route_of(request.uri().path());
        let kind = route.kind_of(request.method());
        self.0
            .answer_now(route, kind, peer, request, || Err(refusal))
    }

    /// The fast path: answers a `GET` of a text route without awaiting. `None` if the route has no
    /// text or a fault switch is set. So `/test` takes 10,700 instructions in all and not 12,700, of which
    /// bare hyper takes 7,900: nothing is boxed, and the headers are copied instead of hashed.
    pub(super) fn answer_at_once<B>(
        &self,
        peer: &Peer,
        request: &Request<B>,
    ) -> Option<Response<Answer>> {
        let route = self.0.route_of(request.uri().path());
        let text = route.text.as_ref()?;
        if request.method() != Method::GET || self.0.faults.concern_requests() {
            return None;
        }
        let kind = route.kind;
        Some(self.0.answer_now(route, kind, peer, request, || {
            layers::startup::check(&self.0.life, kind)?;
            text.get()
        }))
    }
}

/// What the layers know of a request until it is answered.
struct Begun {
    record: layers::metrics::Record,
    reflection: Option<layers::mirror::Reflection>,
    is_head: bool,
}

impl Route {
    fn kind_of(&self, method: &Method) -> Kind {
        if method.is_safe() {
            self.reading
        } else {
            self.kind
        }
    }
}

impl Inner {
    fn route_of(&self, path: &str) -> &Route {
        match self.paths.at(path) {
            Ok(found) => &self.routes[*found.value],
            Err(_) => &self.unmatched,
        }
    }

    /// The layers that see a request before its handler, whatever becomes of it.
    fn begin<B>(&self, route: &Route, kind: Kind, peer: &Peer, request: &Request<B>) -> Begun {
        let record = layers::metrics::begin(&route.metrics, kind, request);
        let reflection = layers::mirror::begin(&self.mirror, kind, request, peer);
        layers::late_requests::note(&self.life, kind);
        Begun {
            record,
            reflection,
            is_head: request.method() == Method::HEAD,
        }
    }

    /// The layers that see an answer, which has its identity headers.
    fn finish(&self, begun: Begun, mut response: Response<Content>) -> Response<Answer> {
        if begun.is_head {
            layers::head::remove_body(&mut response);
        }
        layers::stopping::insert_into(&self.life, &mut response);
        layers::mirror::end(begun.reflection, &response);
        Answer::of(begun.record, response)
    }

    /// Answers with what needs no waiting.
    fn answer_now<B>(
        &self,
        route: &Route,
        kind: Kind,
        peer: &Peer,
        request: &Request<B>,
        answer: impl FnOnce() -> Result<Bytes, Refusal>,
    ) -> Response<Answer> {
        let begun = self.begin(route, kind, peer, request);
        let response = match layers::panic::catch_at_once(answer) {
            Ok(text) => self.headers.response_of(text),
            Err(refusal) => {
                let mut response = refusal.into_content();
                self.headers.insert_into(&mut response);
                response
            }
        };
        self.finish(begun, response)
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

fn with_shared_routes(
    mut own: Routes,
    life: &Life,
    switches: &Faults,
    metrics: &Metrics,
    mirror: &Arc<Mirror>,
    identity: Arc<Identity>,
) -> Routes {
    let fields: Arc<[Field]> = std::mem::take(&mut own.info).into();
    let info = get({
        let (life, faults) = (life.clone(), switches.clone());
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
        faults: switches.clone(),
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
        (
            "/metrics",
            get(metrics::metrics).with_state(metrics.clone()),
        ),
        ("/info", info),
        (
            "/probes",
            get(probes::probes).with_state(Arc::clone(mirror)),
        ),
        (
            "/faults",
            get(faults::list)
                .delete(faults::clear_all)
                .with_state(switches.clone()),
        ),
        (
            "/faults/{name}",
            put(faults::set)
                .delete(faults::clear)
                .with_state(switches.clone()),
        ),
    ] {
        routes = routes.add_as(Kind::Operations, template, methods);
    }
    routes.router = routes.router.fallback(not_found);
    routes
}

async fn not_found(uri: Uri) -> Refusal {
    // `CONNECT` asks for a host and a port, without a path.
    let asked = match (uri.path(), uri.authority()) {
        ("", Some(authority)) => authority.as_str(),
        (path, _) => path,
    };
    Refusal::not_found(format!("there is no {}", shown(asked)))
}
