//! A request to a pod or a Service, as a learner makes it: curl to its IP where that can be
//! reached from here, else through the API server's proxy (kind on macOS, a cluster far away).
//! The first request finds out which; `ASK=direct` or `ASK=proxy` says it.
//!
//! It leaves out headers: the proxy doesn't hand them on.

use std::{env, process::Command, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::story::Story;

/// How pods are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// curl to the IP.
    Direct,
    /// `kubectl get --raw` through the API server.
    Proxy,
}

/// How long an ordinary answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a burn may take: no lesson asks for more than two minutes.
const BURN_PATIENCE: Duration = Duration::from_secs(150);

/// What is asked of whom.
#[derive(Clone, Copy, Debug)]
struct Request<'a> {
    method: &'static str,
    /// As the API server's proxy names it: `pods/NAME:PORT`.
    object: &'a str,
    port: u16,
    path: &'a str,
    patience: Duration,
}

impl Story<'_> {
    /// The body of a pod's answer.
    ///
    /// # Errors
    /// When it doesn't answer, or with anything but 2xx: the status and the sentence.
    pub fn ask(&self, pod: &str, port: u16, path: &str) -> Result<String> {
        self.ask_pod("GET", pod, port, path, PATIENCE)
    }

    /// Has a pod burn, and gives its report, which is JSON.
    ///
    /// # Errors
    /// As for [`ask`](Self::ask).
    pub fn burn(&self, pod: &str, query: &str) -> Result<Value> {
        let path = format!("/test/highcpu?{query}");
        let report = self.ask_pod("GET", pod, 5000, &path, BURN_PATIENCE)?;
        serde_json::from_str(&report).with_context(|| format!("no report: {report}"))
    }

    /// Ends a pod's burns.
    ///
    /// # Errors
    /// As for [`ask`](Self::ask).
    pub fn end_burns(&self, pod: &str) -> Result<()> {
        self.ask_pod("DELETE", pod, 5000, "/burns", PATIENCE)
            .map(drop)
    }

    /// A pod's `/info`.
    ///
    /// # Errors
    /// As for [`ask`](Self::ask).
    pub fn info(&self, pod: &str, port: u16) -> Result<Value> {
        serde_json::from_str(&self.ask(pod, port, "/info")?).context("/info is JSON")
    }

    /// The body of the answer of one of a Service's pods.
    ///
    /// # Errors
    /// As for [`ask`](Self::ask).
    pub fn ask_service(&self, service: &str, port: u16, path: &str) -> Result<String> {
        let ip = || {
            let service = self.json(&format!("get service {service}"))?;
            let ip = service["spec"]["clusterIP"]
                .as_str()
                .context("it has no IP")?;
            Ok(ip.to_owned())
        };
        let request = Request {
            method: "GET",
            object: &format!("services/{service}:{port}"),
            port,
            path,
            patience: PATIENCE,
        };
        self.request(ip, request)
            .with_context(|| format!("asking the Service {service} for :{port}{path}"))
    }

    fn ask_pod(
        &self,
        method: &'static str,
        pod: &str,
        port: u16,
        path: &str,
        patience: Duration,
    ) -> Result<String> {
        let ip = || {
            let pod = self.json(&format!("get pod {pod}"))?;
            let ip = pod["status"]["podIP"]
                .as_str()
                .context("it has no IP yet")?;
            Ok(ip.to_owned())
        };
        let request = Request {
            method,
            object: &format!("pods/{pod}:{port}"),
            port,
            path,
            patience,
        };
        self.request(ip, request)
            .with_context(|| format!("asking the pod {pod} for {method} :{port}{path}"))
    }

    fn request(&self, ip: impl Fn() -> Result<String>, request: Request<'_>) -> Result<String> {
        let way = match (self.cluster.way.get(), env::var("ASK").as_deref()) {
            (_, Ok("direct")) => Way::Direct,
            (_, Ok("proxy")) => Way::Proxy,
            (Some(way), _) => *way,
            (None, _) => {
                let livez = Request {
                    method: "GET",
                    path: "/livez",
                    patience: PATIENCE,
                    ..request
                };
                let way = match (curl(&ip()?, livez), self.proxied(livez)) {
                    (Err(_), Ok(_)) => Way::Proxy,
                    _ => Way::Direct,
                };
                *self.cluster.way.get_or_init(|| way)
            }
        };
        match way {
            Way::Direct => {
                let Request {
                    method,
                    object,
                    path,
                    ..
                } = request;
                let (status, body) = curl(&ip()?, request)?;
                self.note(&format!(
                    "$ curl -X {method} {object}{path}\n{status}: {body}"
                ));
                ensure!((200..300).contains(&status), "{status}: {body}");
                Ok(body)
            }
            Way::Proxy => self.proxied(request),
        }
    }

    fn proxied(&self, request: Request<'_>) -> Result<String> {
        let Request {
            method,
            object,
            path,
            ..
        } = request;
        let (namespace, verb) = (
            &self.namespace,
            if method == "GET" { "get" } else { "delete" },
        );
        // No `--request-timeout`: kubectl would tell the pod of it, as one more parameter.
        self.kubectl(&format!(
            "{verb} --raw /api/v1/namespaces/{namespace}/{object}/proxy{path}"
        ))
    }
}

/// One request on a connection of its own: the status, and the body.
fn curl(ip: &str, request: Request<'_>) -> Result<(u16, String)> {
    let Request {
        method,
        port,
        path,
        patience,
        ..
    } = request;
    let host = if ip.contains(':') {
        format!("[{ip}]")
    } else {
        ip.to_owned()
    };
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--globoff", "--noproxy", "*"])
        // As the proxy asks: a burn then answers with its report.
        .args([
            "--request",
            method,
            "--header",
            "Accept: application/json, */*",
        ])
        .args([
            "--max-time",
            &patience.as_secs().to_string(),
            "--write-out",
            "\n%{http_code}",
        ])
        .arg(format!("http://{host}:{port}{path}"))
        .output()
        .context("curl can't be started: is it installed?")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let text = String::from_utf8(output.stdout).context("the answer is no text")?;
    let (body, status) = text
        .rsplit_once('\n')
        .expect("curl writes the status on a line");
    Ok((
        status.parse().context("curl writes a status")?,
        body.to_owned(),
    ))
}
