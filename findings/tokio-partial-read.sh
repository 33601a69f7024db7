#!/bin/bash
# tokio: after a read that didn't fill its buffer, try_read says WouldBlock although bytes are there.
#
# Version:   tokio 1.54.1, on Linux
# Expected:  try_read tries: WouldBlock comes from the kernel, and means that nothing has come.
# Behaviour: tokio takes a read of fewer bytes than there was room for as a sign that the socket is empty, and
#            forgets that it is readable. From then on try_read answers WouldBlock without asking the kernel, until
#            the runtime has looked for events again. A read that filled its buffer forgets nothing, so that the
#            same bytes are found. So try_read can't tell whether a peer has closed an idle connection by now.
# What to do: peek with a system call of one's own, as through socket2, which asks the kernel each time.
#
# Seen:
#   after 2 of 4 bytes of room: try_read WouldBlock, socket2 has 1
#   after 2 of 2 bytes of room: try_read 1, socket2 has 0
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
socket2 = { version = "=0.6.5", features = ["all"] }
tokio = { version = "=1.54.1", features = ["io-util", "macros", "net", "rt"] }
EOF
cat >src/main.rs <<'EOF'
use std::{io::Write, mem::MaybeUninit, thread::sleep, time::Duration};

use tokio::{io::AsyncReadExt, net::{TcpListener, TcpStream}};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for room in [4, 2] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut stream, _): (TcpStream, _) = listener.accept().await.unwrap();
        peer.write_all(b"ab").unwrap();
        let read = stream.read(&mut vec![0; room]).await.unwrap();
        peer.write_all(b"c").unwrap();
        // The bytes have come over loopback, and the runtime hasn't looked since.
        sleep(Duration::from_millis(100));
        let tried = match stream.try_read(&mut [0; 4]) {
            Ok(read) => read.to_string(),
            Err(error) => format!("{:?}", error.kind()),
        };
        let left = socket2::SockRef::from(&stream).peek(&mut [MaybeUninit::uninit(); 4]);
        println!("after {read} of {room} bytes of room: try_read {tried}, socket2 has {}", left.unwrap_or(0));
    }
}
EOF

seen=$(cargo run --quiet)
echo "$seen"
[ "$seen" = "after 2 of 4 bytes of room: try_read WouldBlock, socket2 has 1
after 2 of 2 bytes of room: try_read 1, socket2 has 0" ]
