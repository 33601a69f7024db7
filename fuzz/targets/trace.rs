//! The trace that a request belongs to: a `traceparent` in the first line, and a `tracestate` in each other. What is
//! read is what OpenTelemetry reads, and is passed on.

#![no_main]

use std::collections::HashMap;

use axum::http::{HeaderMap, HeaderValue};
use chassis::{fuzz::passed_on, telemetry::trace_context::TraceContext};
use libfuzzer_sys::fuzz_target;
use opentelemetry::{
    Context,
    propagation::TextMapPropagator,
    trace::{SpanContext, TraceContextExt},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;

fuzz_target!(|data: &[u8]| {
    let lines = data.split(|byte| *byte == b'\n');
    let Ok(lines) = lines
        .map(HeaderValue::from_bytes)
        .collect::<Result<Vec<_>, _>>()
    else {
        return;
    };
    let (parent, states) = lines.split_first().expect("there is a first one");
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", parent.clone());
    for state in states {
        headers.append("tracestate", state.clone());
    }

    let read = TraceContext::parse(parent.as_bytes());
    let by_others = by_opentelemetry(&headers);
    match (read, &by_others) {
        (Some(read), Some(by_others)) => {
            assert_eq!(read.trace_id.to_be_bytes(), by_others.trace_id().to_bytes());
            assert_eq!(read.span_id.to_be_bytes(), by_others.span_id().to_bytes());
            assert_eq!(read.flags & 1 == 1, by_others.is_sampled());
            assert!(read.flags < 4, "others are not known");
            assert_eq!(TraceContext::parse(read.to_string().as_bytes()), Some(read));
        }
        (Some(_), None) => panic!("OpenTelemetry reads it too"),
        (None, Some(_)) => assert!(!is_exact(parent.as_bytes())),
        (None, None) => {}
    }

    let passed_on = passed_on(&headers);
    assert_eq!(passed_on.is_some(), read.is_some());
    if let (Some(passed_on), Some(read)) = (passed_on, read) {
        let parent = TraceContext::parse(passed_on["traceparent"].as_bytes());
        let parent = parent.expect("it can be read");
        assert_ne!(parent.span_id, read.span_id, "it is the request's own");
        let span_id = read.span_id;
        assert_eq!(TraceContext { span_id, ..parent }, read);
        assert!(passed_on.get_all("tracestate").iter().eq(states));
        let state = |context: Option<SpanContext>| context.map(|it| it.trace_state().clone());
        assert_eq!(state(by_opentelemetry(&passed_on)), state(by_others));
    }
    headers.append("traceparent", parent.clone());
    assert_eq!(self::passed_on(&headers), None, "which one is meant?");
});

fn by_opentelemetry(headers: &HeaderMap) -> Option<SpanContext> {
    let joined = |name: &str| {
        let values = headers.get_all(name).iter();
        let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
        values.collect::<Vec<_>>().join(",")
    };
    let headers: HashMap<_, _> = ["traceparent", "tracestate"]
        .map(|name| (name.to_owned(), joined(name)))
        .into();
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &headers);
    let context = context.span().span_context().clone();
    context.is_valid().then_some(context)
}

/// Whether each field has its digits, and no more. OpenTelemetry also takes spaces around it, a `+`, fewer digits, and
/// a `-` at its end. <https://www.w3.org/TR/trace-context-2/#traceparent-header-field-values>
fn is_exact(parent: &[u8]) -> bool {
    let fields: Vec<_> = parent.split(|byte| *byte == b'-').collect();
    let is_number = |field: &[u8], digits| {
        field.len() == digits
            && field
                .iter()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    fields.len() >= 4
        && [2, 32, 16, 2]
            .into_iter()
            .zip(&fields)
            .all(|(digits, field)| is_number(field, digits))
        && (fields[0] != b"00" || fields.len() == 4)
}
