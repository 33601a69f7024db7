//! `/metrics`: how many requests, how long they took, how many are in flight, and what the process
//! uses. Counting a request is a few atomic adds; whatever costs more is done when somebody
//! scrapes. The text formats are prometheus-client's and, made from it, Prometheus' older one.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use axum::http::{Method, StatusCode};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeMetric, text::encode},
    metrics::{MetricType, counter::ConstCounter},
    registry::Registry,
};

use super::process::ProcessCollector;
use crate::config::Build;

/// Upper bounds of the duration histogram's buckets, in seconds: from an answer out of memory to
/// a burn of an hour. Whatever takes longer is in one bucket more.
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

/// How many different pairs of method and status a route is counted by. Those beyond, which no
/// well-meaning client can bring about, are counted with the last.
const SERIES: usize = 32;

/// What a request counts as whose client left before the answer began. It is nginx's code, which
/// dashboards know.
pub const CLIENT_LEFT: u16 = 499;

/// A service's metrics. Each service, and each test, has its own: there is no global registry.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Mutex<Registry>,
    routes: Routes,
}

/// The routes in the order in which they were added.
#[derive(Clone, Debug, Default)]
struct Routes(Arc<Mutex<Vec<Arc<RouteMetrics>>>>);

impl Metrics {
    /// Those of a service that started then.
    pub fn new(build: Build, started: SystemTime) -> Self {
        let routes = Routes::default();
        let mut registry = Registry::default();
        registry.register_collector(Box::new(routes.clone()));
        registry.register_collector(Box::new(ProcessCollector { build, started }));
        Self(Arc::new(Inner {
            registry: Mutex::new(registry),
            routes,
        }))
    }

    /// Adds metrics of a service's own.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry());
    }

    /// The counts of a route, named by its template and never by the path that matched it.
    pub fn route(&self, template: &'static str) -> Arc<RouteMetrics> {
        let route = Arc::new(RouteMetrics {
            template,
            in_flight: AtomicU64::new(0),
            series: Default::default(),
        });
        self.0.routes.all().push(Arc::clone(&route));
        route
    }

    /// How many requests are being answered now.
    pub fn in_flight(&self) -> u64 {
        let routes = self.0.routes.all();
        routes.iter().map(|route| route.in_flight()).sum()
    }

    /// How many requests are over.
    pub fn requests(&self) -> u64 {
        let routes = self.0.routes.all();
        let series = routes.iter().flat_map(|route| route.known());
        series.map(Series::requests).sum()
    }

    /// All metrics in the OpenMetrics text format.
    /// <https://prometheus.io/docs/specs/om/open_metrics_spec/>
    pub fn openmetrics_text(&self) -> String {
        let mut text = String::with_capacity(16 << 10);
        encode(&mut text, &self.registry()).expect("writing to a string does not fail");
        text
    }

    /// All metrics in Prometheus' own text format. It differs from OpenMetrics in this: a counter's
    /// metadata has the name of its samples, and there is no end mark.
    /// <https://prometheus.io/docs/instrumenting/exposition_formats/>
    pub fn prometheus_text(&self) -> String {
        let openmetrics = self.openmetrics_text();
        let counters: Vec<&str> = openmetrics
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
            .collect();
        let mut text = String::with_capacity(openmetrics.len());
        for line in openmetrics.lines().filter(|line| *line != "# EOF") {
            let mut words = line.splitn(4, ' ');
            match (words.next(), words.next(), words.next(), words.next()) {
                (Some("#"), Some(kind), Some(name), Some(rest)) if counters.contains(&name) => {
                    text.extend(["# ", kind, " ", name, "_total ", rest]);
                }
                _ => text.push_str(line),
            }
            text.push('\n');
        }
        text
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0
            .registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Routes {
    fn all(&self) -> MutexGuard<'_, Vec<Arc<RouteMetrics>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One route's counts. Series come into being with their first request and are found by a short
/// walk, the commonest first: no hashing, no lock.
#[derive(Debug)]
pub struct RouteMetrics {
    template: &'static str,
    in_flight: AtomicU64,
    series: [OnceLock<Box<Series>>; SERIES],
}

#[derive(Debug)]
struct Series {
    method: usize,
    status: u16,
    buckets: [AtomicU64; BUCKETS.len() + 1],
    sum_nanos: AtomicU64,
}

impl RouteMetrics {
    /// A request has come.
    pub fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// A request is over that began: answered to the last byte, or its client has left.
    pub fn end(&self, method: &Method, status: Option<StatusCode>, took: Duration) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        let method = METHODS
            .iter()
            .position(|known| known == method)
            .unwrap_or(METHODS.len());
        let status = status.map_or(CLIENT_LEFT, |status| status.as_u16());
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

    fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
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

    fn requests(&self) -> u64 {
        let buckets = self.buckets.iter();
        buckets.map(|bucket| bucket.load(Ordering::Relaxed)).sum()
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

impl Collector for Routes {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let routes = self.all();
        let series = || {
            routes
                .iter()
                .flat_map(|route| route.known().map(|s| (route.template, s)))
        };
        let mut requests = encoder.encode_descriptor(
            "http_requests",
            "Requests that are over, by the status of their answer; 499: the client left before it",
            None,
            MetricType::Counter,
        )?;
        for (route, series) in series() {
            ConstCounter::new(series.requests())
                .encode(requests.encode_family(&series.labels(route))?)?;
        }
        let mut durations = encoder.encode_descriptor(
            "http_request_duration_seconds",
            "From a request's headers to the last byte of its answer",
            None,
            MetricType::Histogram,
        )?;
        for (route, series) in series() {
            let bounds = BUCKETS.into_iter().chain([f64::INFINITY]);
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
        let in_flight: u64 = routes.iter().map(|route| route.in_flight()).sum();
        gauge(
            &mut encoder,
            "http_requests_in_flight",
            "Requests being answered now",
            i64::try_from(in_flight).unwrap_or(i64::MAX),
        )
    }
}

/// A gauge without labels.
pub(super) fn gauge<N: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: N,
) -> fmt::Result {
    let mut descriptor = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    descriptor.encode_gauge(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_of(requests: u32) -> Metrics {
        let metrics = Metrics::new(Build::new("service", "1.0", None, None), SystemTime::now());
        let route = metrics.route("/test");
        for _ in 0..requests {
            route.begin();
            route.end(
                &Method::GET,
                Some(StatusCode::OK),
                Duration::from_secs(7200),
            );
        }
        metrics
    }

    #[test]
    fn the_last_bucket_has_no_bound() {
        let text = page_of(3).openmetrics_text();
        let line = r#"http_request_duration_seconds_bucket{le="+Inf",method="GET",route="/test",status="200"} 3"#;
        assert!(text.contains(line), "{line} is not in\n{text}");
    }

    #[test]
    fn a_request_whose_client_left_is_counted_and_not_in_flight() {
        let metrics = page_of(0);
        let route = metrics.route("/slow");
        route.begin();
        assert_eq!(metrics.in_flight(), 1);
        route.end(&Method::GET, None, Duration::from_secs(1));
        assert_eq!(metrics.in_flight(), 0);
        let line = r#"http_requests_total{method="GET",route="/slow",status="499"} 1"#;
        assert!(metrics.openmetrics_text().contains(line));
    }

    #[test]
    fn the_older_format_names_a_counter_as_its_samples_and_has_no_end_mark() {
        let metrics = page_of(1);
        let openmetrics = metrics.openmetrics_text();
        assert!(openmetrics.contains("\n# TYPE http_requests counter\n"));
        assert!(openmetrics.ends_with("# EOF\n"));
        let prometheus = metrics.prometheus_text();
        assert!(
            prometheus.contains("\n# TYPE http_requests_total counter\n"),
            "{prometheus}"
        );
        assert!(
            prometheus.contains("# HELP http_requests_total Requests"),
            "{prometheus}"
        );
        assert!(!prometheus.contains("# EOF"), "{prometheus}");
    }
}
