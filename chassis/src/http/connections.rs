//! The metrics of the connections that are open, and of those that were too many.

use std::fmt;

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use crate::{
    server::Census,
    telemetry::{counter, gauge},
};

impl Collector for Census {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        gauge(
            &mut encoder,
            "connections_open",
            "Connections that are open, without those beyond MAX_CONNECTIONS",
            i64::try_from(self.open()).unwrap_or(i64::MAX),
        )?;
        counter(
            &mut encoder,
            "connections_surplus",
            "Connections beyond MAX_CONNECTIONS, which got answers to probes alone",
            self.surplus(),
        )
    }
}
