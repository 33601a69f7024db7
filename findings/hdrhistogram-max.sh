#!/bin/bash
# hdrhistogram for Rust: max() and min() of a single value are not that value.
#
# Version:   hdrhistogram 7.6.0
# Expected:  a histogram that holds nothing but 5,000,000 has that as its maximum and as its minimum, or
#            at least brackets it with what was recorded: nobody recorded anything larger or smaller.
# Behaviour: max() is the upper end of the range that the value fell into, and min() the lower one. With three
#            significant digits a time-out of exactly 5 s is reported as a maximum of 5.001215 s, more than
#            any request took. The maximum that was recorded can't be had from the histogram any more.
# What to do: keep the largest value beside the histogram, and cut quantiles off at it.
#
# Seen:
#   recorded 5000000: min 4997120, max 5001215, quantile 1.0 5001215
#
# Exits with 1 when this has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'EOF'
[package]
name = "shown"
version = "0.0.0"
edition = "2021"

[dependencies]
hdrhistogram = { version = "=7.6.0", default-features = false }
EOF
cat >src/main.rs <<'EOF'
fn main() {
    let mut histogram = hdrhistogram::Histogram::<u64>::new(3).unwrap();
    histogram.record(5_000_000).unwrap();
    println!(
        "recorded 5000000: min {}, max {}, quantile 1.0 {}",
        histogram.min(),
        histogram.max(),
        histogram.value_at_quantile(1.0)
    );
}
EOF

seen=$(cargo run --quiet)
echo "$seen"
[ "$seen" = "recorded 5000000: min 4997120, max 5001215, quantile 1.0 5001215" ]
