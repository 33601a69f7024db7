#!/bin/bash
# The crate http: a URL whose port is out of range is valid, and has no port.
#
# Version:   http 1.5.0, the types of hyper, axum, tonic and reqwest
# Expected:  `http://host:99999/` is refused, as the crate url, Python's urllib and browsers do; or its port is
#            an error. So `uri.port_u16().unwrap_or(80)`, which most clients have, is safe.
# Behaviour: it parses, `port()` and `port_u16()` are None, and such a client connects to port 80 of the host. The
#            same holds for a colon without a number. The authority still has what was written, so a Host header
#            made of it names another port than the one that was connected to.
# What to do: compare `authority.as_str()` with `authority.host()`: if they differ, there has to be a port.
#
# Seen:
#   http://host:80/: port Some(80), authority host:80
#   http://host:99999/: port None, authority host:99999
#   http://host:/: port None, authority host:
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
http = "=1.5.0"
EOF
cat >src/main.rs <<'EOF'
fn main() {
    for text in ["http://host:80/", "http://host:99999/", "http://host:/"] {
        match text.parse::<http::Uri>() {
            Ok(uri) => {
                let authority = uri.authority().unwrap();
                println!("{text}: port {:?}, authority {authority}", uri.port_u16());
            }
            Err(error) => println!("{text}: {error}"),
        }
    }
}
EOF

seen=$(cargo run --quiet)
echo "$seen"
[ "$seen" = "http://host:80/: port Some(80), authority host:80
http://host:99999/: port None, authority host:99999
http://host:/: port None, authority host:" ]
