//! `/metrics`: how many requests, how long they took, how many are in flight, and what the process
//! uses. Counting a request is a few atomic adds; whatever costs more is done when somebody
//! scrapes. The text formats are prometheus-client's and, made from it, Prometheus' older one.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hyper::{Method, StatusCode};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text::encode},
    metrics::{MetricType, counter::ConstCounter},
    registry::Registry,
};

use super::{
    encode::{NoLabels, gauge},
    process::ProcessCollector,
};
use crate::{base::lock, config::Build};

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

/// How many different pairs of method and status a route is counted by. Pairs beyond them, such as of a
/// test that tries every status of the fault switch `errors`, are counted together as [`OVERFLOW`].
const SERIES: usize = 32;

/// The method and the status of what has no series of its own any more.
const OVERFLOW: &str = "overflow";

/// The units that OpenMetrics wants to be told, each the end of a family's name.
const UNITS: [&str; 2] = ["seconds", "bytes"];

/// The status by which a request is counted whose client left before the answer began. It is nginx's
/// code, which dashboards know.
pub const CLIENT_LEFT: u16 = 499;

/// A service's metrics. Each service, and each test, has its own: there is no global registry.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Mutex<Registry>,
    routes: Routes,
    started: SystemTime,
}

/// The routes in the order in which they were added.
#[derive(Clone, Debug, Default)]
struct Routes(Arc<Mutex<Vec<Arc<RouteMetrics>>>>);

impl Metrics {
    /// The metrics of a service that started at that time.
    pub fn new(build: Build, started: SystemTime) -> Self {
        let routes = Routes::default();
        let mut registry = Registry::default();
        registry.register_collector(Box::new(routes.clone()));
        registry.register_collector(Box::new(ProcessCollector { build, started }));
        Self(Arc::new(Inner {
            registry: Mutex::new(registry),
            routes,
            started,
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
            overflow: OnceLock::new(),
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

    /// All metrics in the OpenMetrics text format, with what prometheus-client leaves out: units, and
    /// since when each counter and histogram counts, which is the start of the process.
    /// <https://prometheus.io/docs/specs/om/open_metrics_spec/>
    pub fn openmetrics_text(&self) -> String {
        let started = self.0.started.duration_since(UNIX_EPOCH);
        let created = format!("{:.3}", started.unwrap_or_default().as_secs_f64());
        let encoded = self.encoded();
        let mut text = String::with_capacity(encoded.len() * 5 / 4);
        let (mut family, mut counted, mut since) = ("", None, String::new());
        for line in encoded.lines() {
            // What comes between a series' buckets, Prometheus takes for the end of its histogram where
            // it makes a native one of it.
            let more = line.strip_prefix(family);
            if !more.is_some_and(|more| more.starts_with("_bucket")) {
                text.push_str(&since);
                since.clear();
            }
            text.extend([line, "\n"]);
            if let Some((name, kind)) = line
                .strip_prefix("# TYPE ")
                .and_then(|line| line.split_once(' '))
            {
                family = name;
                counted = match kind {
                    "counter" => Some("_total"),
                    "histogram" => Some("_count"),
                    _ => None,
                };
                let (_, end) = name.rsplit_once('_').unwrap_or_default();
                if UNITS.contains(&end) {
                    text.extend(["# UNIT ", name, " ", end, "\n"]);
                }
            } else if let Some(counted) = counted
                && let Some(sample) = line.strip_prefix(family)
                && let Some(sample) = sample.strip_prefix(counted)
                && let Some((labels, _)) = sample.rsplit_once(' ')
            {
                since.extend([family, "_created", labels, " ", &created, "\n"]);
            }
        }
        text
    }

    /// All metrics in Prometheus' own text format. It differs from OpenMetrics in this: a counter's
    /// metadata has the name of its samples, and there is no end mark.
    /// <https://prometheus.io/docs/instrumenting/exposition_formats/>
    pub fn prometheus_text(&self) -> String {
        let openmetrics = self.encoded();
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

    fn encoded(&self) -> String {
        let mut text = String::with_capacity(16 << 10);
        encode(&mut text, &self.registry()).expect("writing to a string does not fail");
        text
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        lock(&self.0.registry)
    }
}

impl Routes {
    fn all(&self) -> MutexGuard<'_, Vec<Arc<RouteMetrics>>> {
        lock(&self.0)
    }
}

/// A method as it is counted: its place in [`METHODS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodLabel(u8);

impl MethodLabel {
    /// The label of that method.
    pub fn of(method: &Method) -> Self {
        let place = METHODS.iter().position(|known| known == method);
        Self(place.unwrap_or(METHODS.len()) as u8)
    }

    pub(super) fn as_str(self) -> &'static str {
        let method = METHODS.get(usize::from(self.0));
        method.map_or("OTHER", Method::as_str)
    }
}

/// One route's counts. Series come into being with their first request and are found by a short
/// walk, the commonest first: no hashing, no lock.
#[derive(Debug)]
pub struct RouteMetrics {
    template: &'static str,
    in_flight: AtomicU64,
    series: [OnceLock<Box<Series>>; SERIES],
    overflow: OnceLock<Box<Series>>,
}

#[derive(Debug)]
struct Series {
    /// `None` for all pairs together that have no series of their own.
    pair: Option<(MethodLabel, u16)>,
    buckets: [AtomicU64; BUCKETS.len() + 1],
    sum_nanos: AtomicU64,
}

impl RouteMetrics {
    /// A request has come.
    pub fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// A request is over that began: answered to the last byte, or its client has left.
    pub fn end(&self, method: MethodLabel, status: Option<StatusCode>, took: Duration) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        let status = status.map_or(CLIENT_LEFT, |status| status.as_u16());
        let pair = Some((method, status));
        let series = || Box::new(Series::new(pair));
        let mut slots = self.series.iter().map(|slot| slot.get_or_init(series));
        let found = slots.find(|series| series.pair == pair);
        let overflow = || self.overflow.get_or_init(|| Box::new(Series::new(None)));
        found.unwrap_or_else(overflow).count(took);
    }

    fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    fn known(&self) -> impl Iterator<Item = &Series> {
        self.series
            .iter()
            .map_while(|slot| slot.get())
            .chain(self.overflow.get())
            .map(Box::as_ref)
    }
}

impl Series {
    fn new(pair: Option<(MethodLabel, u16)>) -> Self {
        Self {
            pair,
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
        let (method, status) = match self.pair {
            Some((method, status)) => (method.as_str(), status.to_string()),
            None => (OVERFLOW, OVERFLOW.to_owned()),
        };
        [
            ("method", method.to_owned()),
            ("route", route.to_owned()),
            ("status", status),
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
                .encode_histogram::<NoLabels>(sum, count, &buckets, None)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    const GET: MethodLabel = MethodLabel(0);

    fn page_of(requests: u32) -> Metrics {
        let metrics = Metrics::new(Build::new("service", "1.0", None, None), SystemTime::now());
        let route = metrics.route("/test");
        for _ in 0..requests {
            route.begin();
            route.end(GET, Some(StatusCode::OK), Duration::from_secs(7200));
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
    fn pairs_of_method_and_status_beyond_the_bound_are_counted_as_what_they_are() {
        let metrics = page_of(0);
        let route = metrics.route("/many");
        for status in 400..500 {
            for _ in 0..2 {
                route.begin();
                let status = StatusCode::from_u16(status).unwrap();
                route.end(GET, Some(status), Duration::from_secs(1));
            }
        }
        let text = metrics.openmetrics_text();
        let lines = |part: &str| {
            let all = text.lines().filter(|line| line.contains("route=\"/many\""));
            all.filter(|line| line.contains(part)).collect::<Vec<_>>()
        };
        let requests = lines("http_requests_total");
        assert_eq!(requests.len(), SERIES + 1, "{requests:#?}");
        let (own, overflow) = requests.split_at(SERIES);
        for (line, status) in own.iter().zip(400..) {
            let expected =
                format!(r#"http_requests_total{{method="GET",route="/many",status="{status}"}} 2"#);
            assert_eq!(*line, expected);
        }
        let expected =
            r#"http_requests_total{method="overflow",route="/many",status="overflow"} 136"#;
        assert_eq!(overflow, [expected]);
        let inf = r#"duration_seconds_bucket{le="+Inf",method="overflow""#;
        assert!(lines(inf)[0].ends_with(" 136"), "{:?}", lines(inf));
        assert_eq!(metrics.requests(), 200, "and none is lost");
    }

    #[test]
    fn openmetrics_has_units_and_since_when_each_series_counts() {
        let started = UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
        let metrics = Metrics::new(Build::new("service", "1.0", None, None), started);
        for template in ["/test", "/a b/{id}"] {
            let route = metrics.route(template);
            route.begin();
            route.end(GET, Some(StatusCode::OK), Duration::ZERO);
        }
        let text = metrics.openmetrics_text();
        for line in [
            "# UNIT http_request_duration_seconds seconds",
            "# UNIT process_cpu_seconds seconds",
            "# UNIT process_resident_memory_bytes bytes",
            "process_cpu_seconds_created 1700000000.250",
            r#"http_requests_created{method="GET",route="/test",status="200"} 1700000000.250"#,
            r#"http_requests_created{method="GET",route="/a b/{id}",status="200"} 1700000000.250"#,
            r#"http_request_duration_seconds_created{method="GET",route="/test",status="200"} 1700000000.250"#,
        ] {
            assert!(
                text.lines().any(|other| other == line),
                "{line} is not in\n{text}"
            );
        }
        let of_kind = |end: &str| text.lines().filter(|line| line.contains(end)).count();
        assert_eq!(
            of_kind("_created"),
            of_kind("_total") + of_kind("_count{"),
            "one for each, and none of a gauge:\n{text}"
        );
        let names = text.lines().filter_map(|line| line.split_once('{'));
        let names: Vec<_> = names.map(|(name, _)| name).collect();
        for pair in names.windows(2) {
            let parted = pair[0].ends_with("_created") && pair[1].ends_with("_bucket");
            assert!(!parted, "a series' buckets stand together:\n{text}");
        }
        let prometheus = metrics.prometheus_text();
        for part in ["# UNIT", "_created"] {
            assert!(!prometheus.contains(part), "the older format has no {part}");
        }
    }

    #[test]
    fn a_request_whose_client_left_is_counted_and_not_in_flight() {
        let metrics = page_of(0);
        let route = metrics.route("/slow");
        route.begin();
        assert_eq!(metrics.in_flight(), 1);
        route.end(GET, None, Duration::from_secs(1));
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
