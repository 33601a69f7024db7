#!/bin/bash
# tokio: one `watch::Sender::send` can wake a receiver twice, the second time without news.
#
# Version:   tokio 1.54.1, runtime of two worker threads
# Expected:  whoever waits in `Receiver::changed()` is woken when there is a new value. So a task that is woken, and
#            that has seen no sign of a new value elsewhere, need not poll that future again.
# Behaviour: a channel wakes its receivers in several groups, one after the other. A receiver that is woken by
#            the first, takes the value and waits again with a new `changed()` may land in a group that is still
#            to come: it is woken a second time by the same value. Its future is then pending, and it is in no
#            group any more until it has been polled: a task that leaves that out, to save a lock, is not woken by
#            the next value at all.
# What to do: poll `changed()` at each wake-up, or ask a flag of one's own only before the first value was sent.
#
# Seen:
#   woken without news: yes
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
tokio = { version = "=1.54.1", features = ["macros", "rt-multi-thread", "sync", "time"] }
EOF
cat >src/main.rs <<'EOF'
use std::{
    future::{poll_fn, Future},
    pin::pin,
    sync::{
        atomic::{AtomicU32, Ordering},
        Arc,
    },
    task::Poll,
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let (sender, receiver) = watch::channel(0);
    let without_news = Arc::new(AtomicU32::new(0));
    for _ in 0..64 {
        let (mut receiver, without_news) = (receiver.clone(), Arc::clone(&without_news));
        tokio::spawn(async move {
            loop {
                let mut changed = pin!(receiver.changed());
                let mut polls = 0;
                let ended = poll_fn(|cx| match changed.as_mut().poll(cx) {
                    Poll::Ready(ended) => Poll::Ready(ended),
                    Poll::Pending => {
                        // The first time it only begins to wait. Nothing else wakes this task.
                        if polls > 0 {
                            without_news.fetch_add(1, Ordering::Relaxed);
                        }
                        polls += 1;
                        Poll::Pending
                    }
                })
                .await;
                if ended.is_err() {
                    return;
                }
            }
        });
    }
    for value in 1..=2000 {
        sleep(Duration::from_millis(2)).await;
        sender.send_replace(value);
        if without_news.load(Ordering::Relaxed) > 0 {
            break;
        }
    }
    let yes = without_news.load(Ordering::Relaxed) > 0;
    println!("woken without news: {}", if yes { "yes" } else { "no" });
}
EOF

seen=$(timeout 600 cargo run --quiet)
echo "$seen"
[ "$seen" = "woken without news: yes" ]
