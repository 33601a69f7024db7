//! The switches' metrics: which are set, and how often each has acted.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use super::table::Faults;

impl Collector for Faults {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counts = self.counts();
        let what = "Requests, signals and other occasions that a fault switch has acted on";
        let mut injected =
            encoder.encode_descriptor("faults_injected", what, None, MetricType::Counter)?;
        for (name, _, count) in counts {
            let labels = [("fault", name.as_str())];
            ConstCounter::new(count).encode(injected.encode_family(&labels)?)?;
        }
        let what = "1 while a fault switch is set";
        let mut set = encoder.encode_descriptor("fault_set", what, None, MetricType::Gauge)?;
        for (name, is_set, _) in counts {
            let labels = [("fault", name.as_str())];
            ConstGauge::new(i64::from(is_set)).encode(set.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
