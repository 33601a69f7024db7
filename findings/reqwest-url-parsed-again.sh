#!/bin/bash
# reqwest: each request writes its URL as text and parses it twice, also when the request was built once and the
# client follows no redirects.
#
# Version:   reqwest 0.13.5, url 2.5.8
# Expected:  a `Request` holds a `Url` that has been parsed, so `Client::execute` of a clone of it parses nothing; and
#            `redirect::Policy::none()` leaves out what belongs to redirects.
# Behaviour: the layer that follows redirects is there with every policy. It parses the text of the request's `Uri`
#            before the request is sent, and the client parses the text of the response's URL when the response has
#            come. Both results equal the `Url` that was there at first. Of a call on a kept connection of the loopback
#            device, these two take a sixth of the client's instructions (under callgrind).
# What to do: nothing that is set on a client changes it. Where a call has to cost as little as hyper's, call hyper.
#
# Seen:
#   100 requests of one URL, 200 times parsed
#
# Exits with 1 when this has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'MANIFEST'
[package]
name = "shown"
version = "0.0.0"
edition = "2021"

[dependencies]
reqwest = { version = "=0.13.5", default-features = false }
tokio = { version = "1", features = ["io-util", "macros", "net", "rt"] }
url = "=2.5.8"
MANIFEST
cat >src/main.rs <<'PROGRAM'
use std::sync::atomic::Ordering::Relaxed;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut input = [0; 1024];
        while stream.read(&mut input).await.unwrap() > 0 {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            stream.write_all(answer).await.unwrap();
        }
    });
    let policy = reqwest::redirect::Policy::none();
    let client = reqwest::Client::builder().redirect(policy).no_proxy().build().unwrap();
    let url = format!("http://{address}/").parse().unwrap();
    let request = reqwest::Request::new(reqwest::Method::GET, url);
    let before = url::PARSED.load(Relaxed);
    for _ in 0..100 {
        let response = client.execute(request.try_clone().unwrap()).await.unwrap();
        assert_eq!(response.text().await.unwrap(), "ok");
    }
    println!("100 requests of one URL, {} times parsed", url::PARSED.load(Relaxed) - before);
}
PROGRAM

# The published source of url, made to count how often it parses.
cargo vendor --quiet >/dev/null
mv vendor/url url
rm -r vendor
printf '\n[patch.crates-io]\nurl = { path = "url" }\n' >>Cargo.toml
counted='pub static PARSED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);'
sed -i "0,/^pub fn \|^impl /s//$counted\n&/" url/src/lib.rs
sed -i '/pub fn parse(self, input: &str)/s/{$/{ PARSED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);/' url/src/lib.rs

seen=$(cargo run --quiet)
echo "$seen"
[ "$seen" = "100 requests of one URL, 200 times parsed" ]
