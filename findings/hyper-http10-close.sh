#!/bin/bash
# hyper: an HTTP/1.0 client that may keep its connection is told `close, keep-alive`.
#
# Version:   hyper 1.12.0 with hyper-util 0.1.21 and tokio 1.54.1
# Expected:  a service that answers with `Connection: close` ends the connection, and the client learns it from
#            that header, whichever version of HTTP/1 it speaks.
# Behaviour: to a request of HTTP/1.0 with `Connection: keep-alive` hyper appends `keep-alive` to the service's own
#            `close`, and then closes. A client that looks for the word that it has asked for sends its next
#            request into a connection that is being closed, and loses it. Of HTTP/1.1 nothing is appended.
# What to do: let a proxy in front speak HTTP/1.1 (nginx: `proxy_http_version 1.1`), or change the head of the
#            answer below hyper: no header that the service sets takes the word away.
#
# Seen:
#   HTTP/1.0: connection: close, keep-alive, then closed
#   HTTP/1.1: connection: close, then closed
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
http-body-util = "=0.1.3"
hyper = { version = "=1.12.0", features = ["http1", "server"] }
hyper-util = { version = "=0.1.21", features = ["tokio"] }
tokio = { version = "=1.54.1", features = ["io-util", "macros", "net", "rt"] }
EOF
cat >src/main.rs <<'EOF'
use http_body_util::Full;
use hyper::{body::Bytes, server::conn::http1, service::service_fn, Response};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|_| async {
                let answer = Response::builder().header("connection", "close");
                answer.body(Full::new(Bytes::from_static(b"ok")))
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    for version in ["HTTP/1.0", "HTTP/1.1"] {
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = format!("GET / {version}\r\nhost: a\r\nconnection: keep-alive\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // Up to the end of the connection.
        client.read_to_string(&mut answer).await.unwrap();
        let said: Vec<&str> = answer.lines().filter(|line| line.starts_with("connection")).collect();
        println!("{version}: {}, then closed", said.join(", "));
    }
}
EOF

seen=$(timeout 600 cargo run --quiet)
echo "$seen"
[ "$seen" = "HTTP/1.0: connection: close, keep-alive, then closed
HTTP/1.1: connection: close, then closed" ]
