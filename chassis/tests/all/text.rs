//! What an answer repeats of a request can be printed on any terminal, and is short.

use std::{fs, net::SocketAddr, path::Path};

use chassis::{
    Chassis,
    config::{Build, defaults},
    http::Routes,
    lifecycle::Signals,
    server,
    text::MAX_SHOWN,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn start() -> (SocketAddr, impl Sized) {
    let mut settings: chassis::Settings = defaults();
    settings.faults.faults = true;
    let chassis = Chassis::new(Build::new("service", "1.0", None, None), settings);
    let listener = server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (keep, signals) = Signals::manual();
    tokio::spawn(chassis.serve(Routes::new(), listener, signals));
    (address, keep)
}

async fn body_of(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (_, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{answer:?}"));
    body.to_owned()
}

/// Clears the screen, rings, turns the direction of writing, and is long; as it is and encoded.
const HOSTILE: &str = "\u{1b}[2J\u{7}\u{9b}2J\u{202e}";

fn is_printable(body: &str) -> bool {
    !body
        .chars()
        .any(|c| (c.is_control() && c != '\n') || "\u{202e}\u{2066}".contains(c))
}

#[tokio::test]
async fn what_a_client_sent_is_repeated_with_escapes_and_in_part() {
    let (address, _keep) = start().await;
    let encoded: String = HOSTILE.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let long = "x".repeat(10_000);
    // A request line can have no control characters, but others of more than a byte.
    for (request_line, part) in [
        (
            format!("GET /\u{202e}\u{2066}{long} HTTP/1.1"),
            r"there is no /\u{202e}\u{2066}x",
        ),
        (
            format!("PUT /livez?{long} HTTP/1.1"),
            "/livez can't be asked with PUT",
        ),
        (
            format!("{long} /livez HTTP/1.1"),
            "/livez can't be asked with xxx",
        ),
        (
            format!("PUT /faults/{encoded}{long} HTTP/1.1"),
            r"no fault switch '\u{1b}[2J\u{7}\u{9b}2J\u{202e}x",
        ),
        (
            format!("DELETE /faults/{encoded}{long} HTTP/1.1"),
            r"no fault switch '\u{1b}[2J",
        ),
        (
            format!("PUT /faults/latency?{encoded}{long}=1&delay=1s&for=1s HTTP/1.1"),
            r"no parameter '\u{1b}[2J",
        ),
        (
            format!("PUT /faults/latency?{encoded}=1&{encoded}=2 HTTP/1.1"),
            r"\u{1b}[2J\u{7}\u{9b}2J\u{202e} is given twice",
        ),
        (
            format!("PUT /faults/latency?delay={encoded}{long}&for=1s HTTP/1.1"),
            r"delay can't be '\u{1b}[2J",
        ),
        (
            format!("PUT /faults/latency?delay=1s&jitter={encoded}{long}&for=1s HTTP/1.1"),
            r"jitter can't be '\u{1b}[2J",
        ),
        (
            format!("PUT /faults/latency?delay=1s&for={encoded}{long} HTTP/1.1"),
            r"for can't be '\u{1b}[2J",
        ),
        (
            format!("PUT /faults/errors?percent={encoded}{long}&for=1s HTTP/1.1"),
            r"percent can't be '\u{1b}[2J",
        ),
        (
            format!("PUT /faults/stop?mode={encoded}{long}&for=1s HTTP/1.1"),
            r"mode can't be '\u{1b}[2J",
        ),
        (
            format!("PUT /faults/crash?signal={encoded}{long} HTTP/1.1"),
            r"signal can't be '\u{1b}[2J",
        ),
    ] {
        let request = format!("{request_line}\r\nhost: x\r\nconnection: close\r\n\r\n");
        let body = body_of(address, request.as_bytes()).await;
        assert!(body.contains(part), "{part} is not in {body:?}");
        assert!(is_printable(&body), "{body:?}");
        // Beside what is shown, a sentence names what is allowed.
        let length = body.chars().count();
        assert!(length < MAX_SHOWN + 250, "{length}: {body:?}");
    }
}

#[tokio::test]
async fn the_mirror_shows_a_user_agent_with_escapes() {
    let (address, _keep) = start().await;
    // A header may have any byte from 128 on.
    let agent = "\u{9b}2J\u{202e}agent";
    let probe = format!(
        "GET /livez HTTP/1.1\r\nhost: x\r\nuser-agent: {agent}\r\nconnection: close\r\n\r\n"
    );
    assert_eq!(body_of(address, probe.as_bytes()).await, "ok");
    for accept in ["text/plain", "application/json"] {
        let request = format!(
            "GET /probes HTTP/1.1\r\nhost: x\r\naccept: {accept}\r\nconnection: close\r\n\r\n"
        );
        let body = body_of(address, request.as_bytes()).await;
        // JSON has each backslash twice.
        let body = body.replace(r"\\", r"\");
        assert!(body.contains(r"\u{9b}2J\u{202e}agent"), "{body:?}");
        assert!(is_printable(&body), "{body:?}");
    }
}

/// Text from outside has one way to be shown; what would be a second one isn't called.
#[test]
fn nothing_else_makes_text_printable() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for service in ["chassis", "oneapi", "twoapi"] {
        collect(&repository.join(service).join("src"), &mut files);
    }
    assert!(files.len() > 50, "only {} files are seen", files.len());
    for (name, text) in files {
        if name.ends_with("chassis/src/text.rs") {
            continue;
        }
        for other in [
            "is_control",
            "escape_debug",
            "escape_default",
            "escape_ascii",
            "chars().take(",
        ] {
            assert!(
                !text.contains(other),
                "{name} has {other}: call chassis::text::shown"
            );
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push((
                path.display().to_string(),
                fs::read_to_string(&path).unwrap(),
            ));
        }
    }
}
