//! A request to a pod or a Service, as a learner makes it: with curl to its IP where that can be
//! reached from here, else through the API server's proxy (kind on macOS, a remote cluster).
//! [`reach`](crate::reach) says which way is tried first.
//!
//! It has no access to headers, since the proxy doesn't pass them on.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

use crate::{namespace::Namespace, reach::Way};

/// How long an ordinary answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a burn may take: no lesson asks for more than four minutes.
const BURN_TIMEOUT: Duration = Duration::from_secs(270);

/// How long a connection to an IP may take to be established. It takes a millisecond where there
/// is a route at all; a lost SYN is sent again after 1 s.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Who is asked for what.
#[derive(Clone, Copy, Debug)]
struct Request<'a> {
    method: &'static str,
    /// `pod` or `service`.
    kind: &'static str,
    name: &'a str,
    port: u16,
    path: &'a str,
    timeout: Duration,
}

/// Why there is no answer to use.
enum Failure {
    /// Nothing was reached in this way, so the request was not handled; another way may do.
    Unreached(anyhow::Error),
    /// Somebody was reached, and didn't answer with 2xx.
    Failed(anyhow::Error),
}

/// The body of a pod's answer.
///
/// # Errors
/// When it doesn't answer, or with another status than 2xx: the status and the body.
pub fn pod(namespace: &Namespace<'_>, pod: &str, port: u16, path: &str) -> Result<String> {
    request(namespace, ordinary("GET", "pod", pod, port, path))
}

/// The body of the answer of one of a Service's pods.
///
/// # Errors
/// As for [`pod`].
pub fn service(namespace: &Namespace<'_>, service: &str, port: u16, path: &str) -> Result<String> {
    request(namespace, ordinary("GET", "service", service, port, path))
}

/// A pod's `/info`.
///
/// # Errors
/// As for [`pod`].
pub fn info(namespace: &Namespace<'_>, name: &str, port: u16) -> Result<Value> {
    serde_json::from_str(&pod(namespace, name, port, "/info")?).context("/info is not JSON")
}

/// Has a pod burn until it is done; returns its report.
///
/// # Errors
/// As for [`pod`].
pub fn burn(namespace: &Namespace<'_>, pod: &str, query: &str) -> Result<Value> {
    let path = format!("/test/highcpu?{query}");
    let report = request(
        namespace,
        Request {
            timeout: BURN_TIMEOUT,
            ..ordinary("GET", "pod", pod, 5000, &path)
        },
    )?;
    serde_json::from_str(&report).with_context(|| format!("the report is not JSON: {report}"))
}

/// Ends all burns of a pod.
///
/// # Errors
/// As for [`pod`].
pub fn end_burns(namespace: &Namespace<'_>, pod: &str) -> Result<()> {
    request(namespace, ordinary("DELETE", "pod", pod, 5000, "/burns")).map(drop)
}

/// Sets a fault switch of a pod: `readiness?mode=fail&for=20s`.
///
/// # Errors
/// As for [`pod`].
pub fn set_fault(namespace: &Namespace<'_>, pod: &str, port: u16, switch: &str) -> Result<()> {
    let path = format!("/faults/{switch}");
    request(namespace, ordinary("PUT", "pod", pod, port, &path)).map(drop)
}

/// Clears a fault switch of a pod.
///
/// # Errors
/// As for [`pod`].
pub fn clear_fault(namespace: &Namespace<'_>, pod: &str, port: u16, name: &str) -> Result<()> {
    let path = format!("/faults/{name}");
    request(namespace, ordinary("DELETE", "pod", pod, port, &path)).map(drop)
}

/// A pod's `/probes`: the last probes of each kind, under its name.
///
/// It is read from the table that a learner sees: the services answer with JSON only to who prefers
/// that, and the API server's proxy asks for anything.
///
/// # Errors
/// As for [`pod`].
pub fn probes(namespace: &Namespace<'_>, name: &str, port: u16) -> Result<Value> {
    let table = pod(namespace, name, port, "/probes")?;
    read_probes(&table).with_context(|| format!("/probes is not the table that it was: {table}"))
}

fn read_probes(table: &str) -> Option<Value> {
    let mut kinds = serde_json::Map::new();
    let mut kind = None;
    for line in table.lines().filter(|line| !line.is_empty()) {
        if let Some((name, _)) = line.split_once(": ") {
            let entries = kinds.entry(name).or_insert_with(|| json!([]));
            kind = entries.as_array_mut();
        } else if !line.starts_with("at ") {
            kind.as_mut()?.push(read_probe(line)?);
        }
    }
    Some(kinds.into())
}

/// `2026-11-25T11:15:55.855Z  200  0.005 ms  1.000 s  10.244.0.1  kube-probe/1.35`, where the first of
/// its kind has `-` for the interval.
fn read_probe(row: &str) -> Option<Value> {
    let mut words = row.split_whitespace();
    let at = words.next()?;
    let status: u16 = words.next()?.parse().ok()?;
    let took: f64 = words.next()?.parse().ok()?;
    words.next().filter(|unit| *unit == "ms")?;
    let since_last: Option<f64> = match words.next()? {
        "-" => None,
        seconds => {
            words.next().filter(|unit| *unit == "s")?;
            Some(seconds.parse().ok()?)
        }
    };
    let from = words.next()?;
    let agent: Vec<_> = words.collect();
    Some(json!({
        "at": at,
        "status": status,
        "took_seconds": took / 1e3,
        "since_last_seconds": since_last,
        "from": from,
        "agent": agent.join(" "),
    }))
}

fn ordinary<'a>(
    method: &'static str,
    kind: &'static str,
    name: &'a str,
    port: u16,
    path: &'a str,
) -> Request<'a> {
    Request {
        method,
        kind,
        name,
        port,
        path,
        timeout: ANSWER_TIMEOUT,
    }
}

fn request(namespace: &Namespace<'_>, request: Request<'_>) -> Result<String> {
    let Request {
        method,
        kind,
        name,
        port,
        path,
        ..
    } = request;
    let reach = &namespace.cluster.reach;
    let ways = reach.order();
    let mut reasons = Vec::new();
    for (index, way) in ways.iter().enumerate() {
        let answer = match way {
            Way::Direct => directly(namespace, request),
            Way::Proxy => through_proxy(namespace, request),
        };
        match answer {
            Ok(body) => {
                reach.delivered(*way, &ways[..=index]);
                return Ok(body);
            }
            Err(Failure::Failed(error)) => {
                reach.delivered(*way, &ways[..=index]);
                return Err(error.context(format!("{method} :{port}{path} of the {kind} {name}")));
            }
            Err(Failure::Unreached(error)) => reasons.push(format!("{way:?}: {error:#}")),
        }
    }
    bail!(
        "{method} :{port}{path} of the {kind} {name} reached nobody: {}",
        reasons.join("; ")
    )
}

/// With curl to the IP.
fn directly(namespace: &Namespace<'_>, request: Request<'_>) -> Result<String, Failure> {
    let object = namespace
        .json(&format!("get {} {}", request.kind, request.name))
        .map_err(Failure::Failed)?;
    let ip = match request.kind {
        "pod" => &object["status"]["podIP"],
        _ => &object["spec"]["clusterIP"],
    };
    let ip = ip
        .as_str()
        .ok_or_else(|| Failure::Failed(anyhow!("it has no IP yet")))?;
    let (status, body) = curl(ip, request)?;
    let Request {
        method, name, path, ..
    } = request;
    namespace.note(&format!(
        "$ curl -X {method} {name}{path}\n{status}: {body}"
    ));
    if (200..300).contains(&status) {
        Ok(body)
    } else {
        Err(Failure::Failed(anyhow!("{status}: {body}")))
    }
}

/// One request on a connection of its own: the status, and the body.
fn curl(ip: &str, request: Request<'_>) -> Result<(u16, String), Failure> {
    let Request {
        method,
        port,
        path,
        timeout,
        ..
    } = request;
    let host = if ip.contains(':') {
        format!("[{ip}]")
    } else {
        ip.to_owned()
    };
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--globoff", "--noproxy", "*"])
        .args(["--request", method])
        // As the API server's proxy asks: a burn then answers with its report.
        .args(["--header", "Accept: application/json, */*"])
        .args(["--connect-timeout", &CONNECT_TIMEOUT.as_secs().to_string()])
        .args(["--max-time", &timeout.as_secs().to_string()])
        .args(["--write-out", "\n%{time_connect} %{http_code}"])
        .arg(format!("http://{host}:{port}{path}"))
        .output()
        .context("curl can't be started: is it installed?")
        .map_err(Failure::Failed)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (body, written) = text.rsplit_once('\n').unwrap_or_default();
    let (connected, status) = written.split_once(' ').unwrap_or_default();
    if output.status.success() {
        let status = status
            .parse()
            .context("curl wrote no status")
            .map_err(Failure::Failed)?;
        return Ok((status, body.to_owned()));
    }
    let error = anyhow!(
        "{}",
        String::from_utf8_lossy(&output.stderr).trim().to_owned()
    );
    // Without a connection the time that it took is 0.
    if connected.parse().is_ok_and(|seconds: f64| seconds > 0.0) {
        Err(Failure::Failed(error))
    } else {
        Err(Failure::Unreached(error))
    }
}

/// With `kubectl get --raw`, `delete --raw` or `replace --raw` through the API server.
fn through_proxy(namespace: &Namespace<'_>, request: Request<'_>) -> Result<String, Failure> {
    let Request {
        method,
        kind,
        name,
        port,
        path,
        ..
    } = request;
    let verb = match method {
        "GET" => "get",
        "DELETE" => "delete",
        _ => "replace -f -", // a PUT, with what is on the standard input: nothing
    };
    // No `--request-timeout`: kubectl would pass it on to the pod as one more parameter.
    namespace
        .kubectl(&format!(
            "{verb} --raw /api/v1/namespaces/{}/{kind}s/{name}:{port}/proxy{path}",
            namespace.name
        ))
        .map_err(|error| {
            if was_not_delivered(&error.to_string()) {
                Failure::Unreached(error)
            } else {
                Failure::Failed(error)
            }
        })
}

/// Whether kubectl failed before a pod had the request: kubectl reports the API server's own
/// failures and a pod's statuses alike, and differs in its words only.
fn was_not_delivered(error: &str) -> bool {
    [
        "error trying to reach service",
        "no endpoints available for service",
        "Unable to connect to the server",
    ]
    .iter()
    .any(|words| error.contains(words))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        thread,
    };

    use super::*;

    fn to(port: u16) -> Request<'static> {
        ordinary("GET", "pod", "any", port, "/test")
    }

    #[test]
    fn a_closed_port_is_told_from_a_connection_that_breaks() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let _ = connection.read(&mut [0; 1024]).unwrap();
        });
        let answer = curl("127.0.0.1", to(port));
        assert!(
            matches!(answer, Err(Failure::Failed(_))),
            "it was reached and hung up: the request may have been handled"
        );
        server.join().unwrap();
        let answer = curl("127.0.0.1", to(port));
        assert!(
            matches!(answer, Err(Failure::Unreached(_))),
            "nobody listens any more"
        );
    }

    #[test]
    fn the_table_of_probes_is_read_row_by_row() {
        let table = "liveness: not asked yet\n\nreadiness: the last 2, newest last\n\
            at                        status           took   since last  from        agent\n\
            2026-11-25T11:15:54.855Z     200       0.005 ms            -  10.244.0.1  kube-probe/1.35\n\
            2026-11-25T11:15:55.855Z     503    2001.500 ms      1.000 s  10.244.0.1  curl/8 x\n";
        let read = read_probes(table).unwrap();
        assert_eq!(read["liveness"], json!([]));
        assert_eq!(read["readiness"][0]["since_last_seconds"], Value::Null);
        assert_eq!(
            read["readiness"][1],
            json!({
                "at": "2026-11-25T11:15:55.855Z", "status": 503, "took_seconds": 2.0015,
                "since_last_seconds": 1.0, "from": "10.244.0.1", "agent": "curl/8 x",
            })
        );
        assert_eq!(read_probes("liveness: the last 1\nnonsense\n"), None);
    }

    #[test]
    fn an_answer_keeps_its_status_and_its_body() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let _ = connection.read(&mut [0; 1024]).unwrap();
            let answer = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 9\r\n\r\nnot\nready";
            connection.write_all(answer.as_bytes()).unwrap();
        });
        let Ok((status, body)) = curl("127.0.0.1", to(port)) else {
            panic!("it answers");
        };
        assert_eq!((status, body.as_str()), (503, "not\nready"));
        server.join().unwrap();
    }

    #[test]
    fn what_the_api_server_could_not_deliver_is_told_from_what_a_pod_answered() {
        assert!(was_not_delivered(
            "kubectl get: Error from server (ServiceUnavailable): error trying to reach service: \
             dial tcp 10.244.0.12:5000: connect: connection refused"
        ));
        assert!(!was_not_delivered(
            "kubectl get: Error from server (ServiceUnavailable): the server is currently unable \
             to handle the request"
        ));
    }
}
