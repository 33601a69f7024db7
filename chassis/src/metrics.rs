//! `/metrics`: how many requests, how long they took, how many are in flight, and what the
//! process uses. Counting a request is a few atomic adds; all that costs more is done when
//! somebody scrapes. The text format is prometheus-client's.

use std::{
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant, UNIX_EPOCH},
};

use axum::{
    http::{HeaderValue, Method, Request, Response, header},
    response::IntoResponse,
    routing::MethodRouter,
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeMetric, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use crate::{life::Life, process, service::Service};

/// Upper bounds of the duration histogram's buckets, in seconds: from an answer out of memory to
/// a burn of an hour.
const BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 60.0, 3600.0,
];

/// Methods that get a series of their own. Any other counts as `OTHER`, so that a client can't
/// make up labels.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::OPTIONS,
    Method::PATCH,
];

/// How many different pairs of method and status a route is counted by; those beyond, which no
/// client that means well can bring about, are counted with the last.
const SERIES: usize = 32;

/// A service's metrics. Each service, and each test, has its own: there is no global registry.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Mutex<Registry>,
    http: Arc<Http>,
    life: Life,
}

#[derive(Debug, Default)]
struct Http {
    routes: Mutex<Vec<Arc<Route>>>,
    in_flight: AtomicI64,
}

impl Metrics {
    pub(crate) fn new(service: Service, life: Life) -> Self {
        let http = Arc::new(Http::default());
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Arc::clone(&http)));
        registry.register_collector(Box::new(ProcessCollector {
            service,
            life: life.clone(),
        }));
        Self(Arc::new(Inner {
            registry: Mutex::new(registry),
            http,
            life,
        }))
    }

    /// Adds metrics of a service's own.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self
            .0
            .registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner));
    }

    /// Counts what a route answers under the route's template, whatever path matched it.
    pub fn track<S>(&self, template: &'static str, route: MethodRouter<S>) -> MethodRouter<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        self.layer(template, Kind::Traffic, route)
    }

    /// As [`track`](Self::track), for what the cluster itself asks: such a request doesn't tell
    /// whether a client still comes after the stop signal.
    pub(crate) fn track_probe<S>(
        &self,
        template: &'static str,
        route: MethodRouter<S>,
    ) -> MethodRouter<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        self.layer(template, Kind::Probe, route)
    }

    fn layer<S>(
        &self,
        template: &'static str,
        kind: Kind,
        route: MethodRouter<S>,
    ) -> MethodRouter<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        let counted = Arc::new(Route {
            template,
            kind,
            series: Default::default(),
        });
        self.0
            .http
            .routes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&counted));
        let metrics = self.clone();
        route.layer(tower::layer::layer_fn(move |inner| Track {
            inner,
            route: Arc::clone(&counted),
            metrics: metrics.clone(),
        }))
    }

    /// How many requests are being answered now.
    pub(crate) fn in_flight(&self) -> i64 {
        self.0.http.in_flight.load(Ordering::Relaxed)
    }

    /// The handler of `/metrics`.
    pub(crate) fn page(&self) -> impl IntoResponse + use<> {
        const OPENMETRICS: HeaderValue =
            HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
        let mut text = String::with_capacity(16 << 10);
        encode(
            &mut text,
            &self
                .0
                .registry
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
        .expect("writing to a string does not fail");
        ([(header::CONTENT_TYPE, OPENMETRICS)], text)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Traffic,
    Probe,
}

/// One route's counts. Series come into being with their first request and are found by a short
/// walk, the commonest first: no hashing, no lock.
#[derive(Debug)]
struct Route {
    template: &'static str,
    kind: Kind,
    series: [OnceLock<Box<Series>>; SERIES],
}

#[derive(Debug)]
struct Series {
    method: usize,
    status: u16,
    buckets: [AtomicU64; BUCKETS.len() + 1],
    sum_nanos: AtomicU64,
}

impl Route {
    fn count(&self, method: usize, status: u16, took: Duration) {
        let mut found = None;
        for slot in &self.series {
            let series = slot.get_or_init(|| Box::new(Series::new(method, status)));
            found = Some(series);
            if series.method == method && series.status == status {
                break;
            }
        }
        if let Some(series) = found {
            series.count(took);
        }
    }

    fn known(&self) -> impl Iterator<Item = &Series> {
        self.series
            .iter()
            .map_while(|slot| slot.get())
            .map(Box::as_ref)
    }
}

impl Series {
    fn new(method: usize, status: u16) -> Self {
        Self {
            method,
            status,
            buckets: Default::default(),
            sum_nanos: AtomicU64::new(0),
        }
    }

    fn count(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = BUCKETS
            .iter()
            .position(|bound| seconds <= *bound)
            .unwrap_or(BUCKETS.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    fn labels(&self, route: &'static str) -> [(&'static str, String); 3] {
        let method = METHODS.get(self.method).map_or("OTHER", Method::as_str);
        [
            ("method", method.into()),
            ("route", route.into()),
            ("status", self.status.to_string()),
        ]
    }
}

fn index(method: &Method) -> usize {
    METHODS
        .iter()
        .position(|known| known == method)
        .unwrap_or(METHODS.len())
}

/// The middleware round one route.
#[derive(Clone, Debug)]
struct Track<S> {
    inner: S,
    route: Arc<Route>,
    metrics: Metrics,
}

impl<S, B, R> tower::Service<Request<B>> for Track<S>
where
    S: tower::Service<Request<B>, Response = Response<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Tracked<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let life = &self.metrics.0.life;
        if life.is_stopping() && self.route.kind == Kind::Traffic {
            life.note_late_request();
        }
        tracing::debug!(method = %request.method(), uri = %request.uri(), "request");
        let in_flight = InFlight::enter(&self.metrics.0.http);
        let (method, start) = (index(request.method()), Instant::now());
        Tracked {
            inner: self.inner.call(request),
            route: Arc::clone(&self.route),
            method,
            start,
            in_flight,
        }
    }
}

pin_project_lite::pin_project! {
    struct Tracked<F> {
        #[pin]
        inner: F,
        route: Arc<Route>,
        method: usize,
        start: Instant,
        in_flight: InFlight,
    }
}

impl<F, R, E> Future for Tracked<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let result = std::task::ready!(this.inner.poll(cx));
        if let Ok(response) = &result {
            let (status, took) = (response.status().as_u16(), this.start.elapsed());
            this.route.count(*this.method, status, took);
            tracing::debug!(route = this.route.template, status, ?took, "response");
        }
        Poll::Ready(result)
    }
}

/// Counts a request as in flight until it is dropped: answered, or its client gone.
#[derive(Debug)]
struct InFlight(Arc<Http>);

impl InFlight {
    fn enter(http: &Arc<Http>) -> Self {
        http.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(http))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Collector for Http {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let series = || {
            routes
                .iter()
                .flat_map(|route| route.known().map(|s| (route.template, s)))
        };
        let mut requests = encoder.encode_descriptor(
            "http_requests",
            "Requests answered",
            None,
            MetricType::Counter,
        )?;
        for (route, series) in series() {
            let count = series
                .buckets
                .iter()
                .map(|bucket| bucket.load(Ordering::Relaxed))
                .sum::<u64>();
            ConstCounter::new(count).encode(requests.encode_family(&series.labels(route))?)?;
        }
        let mut durations = encoder.encode_descriptor(
            "http_request_duration_seconds",
            "From a request's headers to its answer's",
            None,
            MetricType::Histogram,
        )?;
        for (route, series) in series() {
            let bounds = BUCKETS.into_iter().chain([f64::MAX]);
            let counts = series
                .buckets
                .iter()
                .map(|bucket| bucket.load(Ordering::Relaxed));
            let buckets: Vec<_> = bounds.zip(counts).collect();
            let sum = Duration::from_nanos(series.sum_nanos.load(Ordering::Relaxed)).as_secs_f64();
            let count = buckets.iter().map(|(_, count)| count).sum();
            durations
                .encode_family(&series.labels(route))?
                .encode_histogram::<[(&str, &str); 0]>(sum, count, &buckets, None)?;
        }
        let in_flight = self.in_flight.load(Ordering::Relaxed);
        gauge(
            &mut encoder,
            "http_requests_in_flight",
            "Requests being answered now",
            in_flight,
        )
    }
}

/// The process, under the names that Prometheus' own client libraries give it.
#[derive(Debug)]
struct ProcessCollector {
    service: Service,
    life: Life,
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let usage = process::usage();
        let cpu = ConstCounter::new(usage.cpu_seconds);
        let descriptor = encoder.encode_descriptor(
            "process_cpu_seconds",
            "User and system CPU time spent",
            None,
            MetricType::Counter,
        )?;
        cpu.encode(descriptor)?;
        let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let resident = signed(usage.memory_bytes);
        gauge(
            &mut encoder,
            "process_resident_memory_bytes",
            "Resident memory",
            resident,
        )?;
        let virtual_memory = signed(usage.virtual_memory_bytes);
        gauge(
            &mut encoder,
            "process_virtual_memory_bytes",
            "Virtual memory",
            virtual_memory,
        )?;
        if let Some(open) = usage.open_files {
            gauge(
                &mut encoder,
                "process_open_fds",
                "Open file descriptors",
                signed(open),
            )?;
        }
        if let Some(max) = usage.max_open_files {
            gauge(
                &mut encoder,
                "process_max_fds",
                "How many file descriptors may be open",
                signed(max),
            )?;
        }
        let started = self
            .life
            .started()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let since = "When the process started, in seconds since 1970";
        gauge(
            &mut encoder,
            "process_start_time_seconds",
            since,
            started.as_secs_f64(),
        )?;
        let Service {
            name,
            version,
            commit,
        } = self.service;
        let what = "Always 1; its labels say which build runs";
        let mut build = encoder.encode_descriptor("build_info", what, None, MetricType::Gauge)?;
        let labels = [("service", name), ("version", version), ("commit", commit)];
        ConstGauge::new(1i64).encode(build.encode_family(&labels)?)
    }
}

fn gauge<N>(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: N) -> fmt::Result
where
    N: EncodeGaugeValue,
{
    let descriptor = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    let mut descriptor = descriptor;
    descriptor.encode_gauge(&value)
}
