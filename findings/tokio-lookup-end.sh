#!/bin/bash
# tokio: a look-up of a name that was given up still holds up the end of the program.
#
# Version:   tokio 1.54.1, on Linux with glibc
# Expected:  `timeout(1s, lookup_host(name))` bounds what a DNS server that doesn't answer can cost. A program whose
#            main function returns then is over after a second, as one that waits for a socket would be.
# Behaviour: the look-up is the C library's, on a thread that nothing can interrupt. The time-out only stops
#            waiting for it. When the runtime of `#[tokio::main]` is dropped at the end of main, it waits for that
#            thread, for as long as the resolver goes on: 10 s by default. A probe with a time-out of its own of one
#            second is ended by whoever started it, instead of saying why it failed.
# What to do: build the runtime by hand and end it with `shutdown_background`, or end with `std::process::exit`.
#
# Seen, with a resolver that gives up after 4 s:
#   #[tokio::main]: gave up after 1 s, ended after 4 s
#   shutdown_background: gave up after 1 s, ended after 1 s
#
# It needs unshare and ip: the program has a network and a resolv.conf of its own.
# Exits with 1 when this has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p src/bin
cat >Cargo.toml <<'EOF'
[package]
name = "shown"
version = "0.0.0"
edition = "2021"

[dependencies]
tokio = { version = "=1.54.1", features = ["macros", "net", "rt-multi-thread", "time"] }
EOF
cat >src/lib.rs <<'EOF'
use std::{net::UdpSocket, time::{Duration, Instant}};

pub async fn look_up() {
    let _silent = UdpSocket::bind("127.0.0.1:53").unwrap();
    let start = Instant::now();
    let found = tokio::net::lookup_host(("name.example", 80));
    let found = tokio::time::timeout(Duration::from_secs(1), found).await;
    assert!(found.is_err());
    print!("gave up after {} s, ", start.elapsed().as_secs());
}
EOF
cat >src/bin/attribute.rs <<'EOF'
#[tokio::main]
async fn main() {
    shown::look_up().await;
}
EOF
cat >src/bin/by-hand.rs <<'EOF'
fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(shown::look_up());
    runtime.shutdown_background();
}
EOF
printf 'nameserver 127.0.0.1\noptions timeout:4 attempts:1\n' >resolv.conf
echo 'hosts: dns' >nsswitch.conf

export CARGO_TARGET_DIR=$folder/target
cargo build --quiet
run() { # NAME PROGRAM
  printf '%s: ' "$1"
  unshare --map-root-user --net --mount bash -c '
    ip link set lo up
    mount --bind resolv.conf /etc/resolv.conf
    [ ! -e /etc/nsswitch.conf ] || mount --bind nsswitch.conf /etc/nsswitch.conf
    start=$(date +%s%N)
    "$1"
    echo "ended after $((($(date +%s%N) - start) / 1000000000)) s"
  ' bash "target/debug/$2"
}
seen=$(run '#[tokio::main]' attribute && run shutdown_background by-hand)
echo "$seen"
[ "$seen" = "#[tokio::main]: gave up after 1 s, ended after 4 s
shutdown_background: gave up after 1 s, ended after 1 s" ]
