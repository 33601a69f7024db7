#!/bin/bash
# sysinfo: `System::new()`, which loads nothing, reads /proc/stat, whose length grows with the machine's CPUs.
#
# Version:   sysinfo 0.40.1 on Linux
# Expected:  the documentation says that nothing is loaded by `new()`, so that one may be made for each request
#            whose handler then refreshes the memory alone.
# Behaviour: each `new()` reads the whole of /proc/stat. What it read is not shown: `cpus()` is empty.
# What to do: keep one `System` for the process.
#
# Seen:
#   new() reads all of /proc/stat: yes
#   CPUs afterwards: 0
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
sysinfo = { version = "=0.40.1", default-features = false, features = ["system"] }
EOF
cat >src/main.rs <<'EOF'
use std::{fs, hint::black_box};

/// The bytes that this process has read so far, by the kernel's account.
fn read() -> u64 {
    let io = fs::read_to_string("/proc/self/io").expect("Linux has it");
    let line = io.lines().find_map(|line| line.strip_prefix("rchar: "));
    line.expect("it has this line").parse().expect("a number")
}

fn read_by<T>(work: impl FnOnce() -> T) -> (u64, T) {
    // What reading the account itself reads is taken off.
    let own = {
        let before = read();
        read() - before
    };
    let before = read();
    let value = black_box(work());
    ((read() - before).saturating_sub(own), value)
}

fn yes(it: bool) -> &'static str {
    if it { "yes" } else { "no" }
}

fn main() {
    let stat = fs::read_to_string("/proc/stat").expect("Linux has it").len() as u64;
    sysinfo::System::new().expect("Linux is known"); // whatever is read once for the process
    let (by_new, system) = read_by(|| sysinfo::System::new().expect("Linux is known"));
    // Its numbers grow by a digit now and then.
    println!("new() reads all of /proc/stat: {}", yes(by_new + 64 > stat));
    println!("CPUs afterwards: {}", system.cpus().len());
    eprintln!("/proc/stat {stat}, new {by_new} bytes");
}
EOF

seen=$(timeout 600 cargo run --quiet)
echo "$seen"
[ "$seen" = "new() reads all of /proc/stat: yes
CPUs afterwards: 0" ]
