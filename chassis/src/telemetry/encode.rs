//! Metrics without labels, as they are encoded when somebody scrapes.

use std::fmt;

use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue},
    metrics::MetricType,
};

/// Encodes a gauge without labels.
///
/// # Errors
/// It can't be written.
pub fn gauge<N: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: N,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    metric.encode_gauge(&value)
}

/// Encodes a counter without labels; `_total` is added to its name.
///
/// # Errors
/// It can't be written.
pub fn counter<N: EncodeCounterValue>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: N,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    metric.encode_counter::<NoLabels, N, u64>(&value, None)
}

pub(super) type NoLabels = [(&'static str, &'static str); 0];
