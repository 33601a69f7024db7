//! The metrics of the connections that are open, and of those that were too many.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use crate::server::Census;

impl Collector for Census {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let open = i64::try_from(self.open()).unwrap_or(i64::MAX);
        let what = "Connections that are open, without those beyond MAX_CONNECTIONS";
        let gauge = encoder.encode_descriptor("connections_open", what, None, MetricType::Gauge)?;
        ConstGauge::new(open).encode(gauge)?;
        let what = "Connections beyond MAX_CONNECTIONS, which got answers to probes alone";
        let counter =
            encoder.encode_descriptor("connections_surplus", what, None, MetricType::Counter)?;
        ConstCounter::new(self.surplus()).encode(counter)
    }
}
