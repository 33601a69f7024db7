//! The burns' metrics, beside those that every service has.

use std::fmt;

use chassis::system::seconds;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use crate::burn::Burns;

/// Asks the burns when somebody scrapes.
#[derive(Debug)]
pub(crate) struct BurnMetrics(pub(crate) Burns);

impl Collector for BurnMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let sum = self.0.sum();
        if let Some(step) = self.0.clock_step() {
            let gauge = ConstGauge::new(step.as_secs_f64());
            let help =
                "Step of the clock of CPU time; above 0.001 burns are measured by the wall clock";
            let name = "burn_clock_step_seconds";
            gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        for (name, help, value) in [
            ("burns_running", "Burns that run now", sum.running as f64),
            (
                "burns_asked_millicores",
                "CPU that the running burns were asked for, together",
                sum.millicores as f64,
            ),
        ] {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        for (name, help, time) in [
            (
                "burn_cpu_asked_seconds",
                "CPU time asked for and due by now, in all",
                sum.asked,
            ),
            (
                "burn_cpu_achieved_seconds",
                "CPU time burnt, in all",
                sum.achieved,
            ),
        ] {
            let counter = ConstCounter::new(seconds(time));
            counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        Ok(())
    }
}
