//! The process's own metrics, under the names that Prometheus' client libraries give them, and its
//! container's. Those have no names of cAdvisor's, since both would be counted together.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
};

use super::encode::{counter, gauge};
use crate::{
    config::Build,
    system::{container::Container, process},
};

/// Asks for what the process uses when somebody scrapes.
#[derive(Debug)]
pub(super) struct ProcessCollector {
    pub(super) build: Build,
    pub(super) started: SystemTime,
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let usage = process::usage();
        counter(
            &mut encoder,
            "process_cpu_seconds",
            "User and system CPU time spent",
            usage.cpu_seconds,
        )?;
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
        gauge(
            &mut encoder,
            "process_max_fds",
            "How many file descriptors may be open",
            signed(usage.max_open_files),
        )?;
        // Not all have a limit, and a sandbox may not show it.
        if let Some(limit) = Container::found().memory_bytes() {
            gauge(
                &mut encoder,
                "memory_limit_bytes",
                "The container's memory limit",
                signed(limit),
            )?;
        }
        if let Some(throttling) = Container::found().throttling() {
            counter(
                &mut encoder,
                "cpu_periods",
                "Periods of the container's CPU limit in which it wanted to run",
                throttling.periods,
            )?;
            counter(
                &mut encoder,
                "cpu_throttled_periods",
                "Periods in which it was stopped for having used its CPU limit",
                throttling.throttled_periods,
            )?;
        }
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = "When the process started, in seconds since 1970";
        gauge(
            &mut encoder,
            "process_start_time_seconds",
            since,
            started.as_secs_f64(),
        )?;
        let Build {
            service,
            version,
            commit,
        } = self.build;
        let what = "Always 1; its labels say which build runs";
        let mut build = encoder.encode_descriptor("build_info", what, None, MetricType::Gauge)?;
        let labels = [
            ("service", service),
            ("version", version),
            ("commit", commit),
        ];
        ConstGauge::new(1i64).encode(build.encode_family(&labels)?)
    }
}
