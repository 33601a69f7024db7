//! The burns' metrics, beside those that every service has.

use std::fmt;

use chassis::{
    system::seconds,
    telemetry::{counter, gauge},
};
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use crate::burn::Burns;

/// Reads the totals of the burns at each scrape.
#[derive(Debug)]
pub(crate) struct BurnMetrics(pub(crate) Burns);

impl Collector for BurnMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        let totals = self.0.totals();
        if let Some(step) = self.0.clock_step() {
            gauge(
                encoder,
                "burn_clock_step_seconds",
                "Step of the clock of CPU time; above 0.001 burns are measured by the wall clock",
                step.as_secs_f64(),
            )?;
        }
        gauge(
            encoder,
            "burns_running",
            "Burns that run now",
            totals.running as f64,
        )?;
        gauge(
            encoder,
            "burns_asked_millicores",
            "CPU that the running burns were asked for, together",
            totals.millicores as f64,
        )?;
        counter(
            encoder,
            "burn_cpu_asked_seconds",
            "CPU time asked for and due by now, in all",
            seconds(totals.asked),
        )?;
        counter(
            encoder,
            "burn_cpu_achieved_seconds",
            "CPU time burnt, in all",
            seconds(totals.achieved),
        )
    }
}
