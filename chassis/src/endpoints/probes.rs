//! `GET /probes`: the probe mirror as a table, or as JSON if `Accept` gives that more weight.

use std::{fmt::Write, net::IpAddr, sync::Arc};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    http::{Entry, Mirror, Probe, TEXT, VARY_ACCEPT, outweighs_text},
    system::seconds,
};

pub(super) async fn page(State(mirror): State<Arc<Mirror>>, headers: HeaderMap) -> Response {
    if outweighs_text(&headers) {
        (VARY_ACCEPT, Json(Lists(&mirror))).into_response()
    } else {
        let content_type = [(header::CONTENT_TYPE, TEXT)];
        (VARY_ACCEPT, content_type, table(&mirror)).into_response()
    }
}

/// An object with a list for each kind.
struct Lists<'a>(&'a Mirror);

impl Serialize for Lists<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut lists = serializer.serialize_map(Some(Probe::ALL.len()))?;
        for probe in Probe::ALL {
            let entries = self.0.entries(probe);
            let shown: Vec<_> = entries.iter().map(Shown::from).collect();
            lists.serialize_entry(probe.name(), &shown)?;
        }
        lists.end()
    }
}

#[derive(Serialize)]
struct Shown {
    /// RFC 3339 in UTC: when the request came.
    at: String,
    /// The status of HTTP. For gRPC the one that its code stands for, and 200 or 503 for a service that is
    /// serving or not.
    status: u16,
    /// `HTTP/1.1`, `HTTP/2` or `gRPC`.
    protocol: &'static str,
    /// The gRPC service that was asked for. `None` over HTTP, and if there is no such service.
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'static str>,
    /// Until the answer was there.
    took_seconds: f64,
    /// Since the last request of the same kind came. `None` for the first.
    since_last_seconds: Option<f64>,
    from: IpAddr,
    agent: String,
}

impl From<&Entry> for Shown {
    fn from(entry: &Entry) -> Self {
        Self {
            at: humantime::format_rfc3339_millis(entry.arrival.at).to_string(),
            status: entry.status,
            protocol: entry.protocol.name(),
            service: entry.service,
            took_seconds: seconds(entry.took),
            since_last_seconds: entry.arrival.since_last.map(seconds),
            from: entry.from,
            agent: entry.agent.to_text(),
        }
    }
}

fn table(mirror: &Mirror) -> String {
    let mut text = String::new();
    for probe in Probe::ALL {
        let entries = mirror.entries(probe);
        let name = probe.name();
        if entries.is_empty() {
            line(&mut text, format_args!("{name}: not asked yet\n"));
            continue;
        }
        line(
            &mut text,
            format_args!("{name}: the last {}, newest last", entries.len()),
        );
        let service = |name| {
            if probe == Probe::Grpc {
                Some(name)
            } else {
                None
            }
        };
        let heads = [
            "at",
            "status",
            "took",
            "since last",
            "from",
            "protocol",
            "agent",
        ];
        row(&mut text, heads, service("service"));
        for entry in &entries {
            let shown = Shown::from(entry);
            let since_last = match shown.since_last_seconds {
                Some(seconds) => format!("{seconds:.3} s"),
                None => "-".to_owned(),
            };
            let took = format!("{:.3} ms", shown.took_seconds * 1e3);
            let (status, from) = (shown.status.to_string(), shown.from.to_string());
            let cells = [
                &shown.at,
                &status,
                &took,
                &since_last,
                &from,
                shown.protocol,
                &shown.agent,
            ];
            let asked = service(shown.service.unwrap_or("-"));
            row(&mut text, cells, asked);
        }
        text.push('\n');
    }
    text
}

fn row(text: &mut String, cells: [&str; 7], service: Option<&str>) {
    let [at, status, took, since_last, from, protocol, agent] = cells;
    let mut row =
        format!("{at:<24}  {status:>6}  {took:>13}  {since_last:>11}  {from:<15}  {protocol:<8}  ");
    if let Some(service) = service {
        row.push_str(&format!("{service:<9}  "));
    }
    row.push_str(agent);
    line(text, format_args!("{}", row.trim_end()));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a string does not fail");
}
