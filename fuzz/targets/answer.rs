//! The answers that the load engine reads. The first byte says in which pieces the others come. Whatever
//! hyper's client reads is read as the same.

#![no_main]

use axum::body::Bytes;
use fuzz::{Connection, run};
use http_body_util::{BodyExt, Empty};
use hyper::{Request, client::conn::http1::handshake};
use hyper_util::rt::TokioIo;
use libfuzzer_sys::fuzz_target;
use load::Exchange;

fuzz_target!(|data: &[u8]| {
    let Some((piece, bytes)) = data.split_first() else {
        return;
    };
    let piece = usize::from(*piece).max(1);
    let whole = answer(bytes, usize::MAX);
    match (&whole, answer(bytes, piece)) {
        // What follows an answer may not have come yet.
        (Ok((whole, is_kept)), Ok((exchange, may_be_kept))) => {
            assert_eq!(exchange, *whole, "in pieces");
            assert!(may_be_kept || !is_kept);
        }
        (whole, in_pieces) => assert_eq!(in_pieces, *whole, "in pieces"),
    }
    if let Ok((exchange, is_kept)) = &whole {
        assert!(exchange.body.len() <= Exchange::BODY_KEPT);
        let responder = &exchange.responder;
        for text in [&responder.pod, &responder.version, &exchange.stopping] {
            assert_eq!(&chassis::text::shown(text), text, "it may be printed");
        }
        if *is_kept {
            let more = [bytes, b"HTTP/1.1 200 OK\r\n\r\n"].concat();
            let (same, _) = answer(&more, usize::MAX).expect("it was one before");
            assert_eq!(same, *exchange, "what follows isn't part of it");
        }
    }
    if has_odd_coding(bytes) {
        return;
    }
    match (whole, run(by_hyper(bytes)).expect("it ends")) {
        (Ok((exchange, _)), Some((status, body))) => {
            assert_eq!(exchange.status, status);
            let kept = body.len().min(Exchange::BODY_KEPT);
            assert_eq!(exchange.body, body[..kept]);
        }
        // Of an answer that has no body, hyper doesn't look at how long that is.
        (Err(_), Some((204 | 304, _)) | None) | (Ok(_), None) => {}
        (Err(why), Some(_)) => assert!(
            has_interim(bytes) || has_two_lengths(bytes) || has_long_size(bytes),
            "hyper reads it: {why:?}"
        ),
    }
});

/// Whether there may be an answer before the answer, which has no body either.
fn has_interim(bytes: &[u8]) -> bool {
    bytes
        .windows(10)
        .any(|start| matches!(start, b"HTTP/1.0 1" | b"HTTP/1.1 1"))
}

/// Of a `transfer-encoding` that isn't ASCII, hyper doesn't see that it ends with `chunked`.
fn has_odd_coding(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let name = b"transfer-encoding";
    lines.any(|line| {
        !line.is_ascii()
            && line
                .get(..name.len())
                .is_some_and(|it| it.eq_ignore_ascii_case(name))
    })
}

/// If there is a `transfer-encoding`, hyper doesn't look at a `content-length`, which may be no number then.
fn has_two_lengths(bytes: &[u8]) -> bool {
    let text = bytes.to_ascii_lowercase();
    let says = |name: &[u8]| text.windows(name.len()).any(|part| part == name);
    says(b"transfer-encoding") && says(b"content-length")
}

/// Of a chunk's size, httparse reads 16 digits at most, and hyper any number of zeros before them.
fn has_long_size(bytes: &[u8]) -> bool {
    let mut parts = bytes.windows(17);
    parts.any(|part| part.iter().all(u8::is_ascii_hexdigit))
}

fn answer(bytes: &[u8], piece: usize) -> Result<(Exchange, bool), load::Failure> {
    let mut connection = Connection::new(bytes, piece, 0);
    run(load::fuzz::answer(&mut connection)).expect("it ends")
}

/// The status and the body, if hyper's client reads the whole answer.
async fn by_hyper(bytes: &[u8]) -> Option<(u16, Bytes)> {
    let stream = TokioIo::new(Connection::new(bytes, usize::MAX, 1));
    let (sender, connection) = handshake(stream).await.ok()?;
    let answer = async {
        // Dropped with the answer, so that the connection ends.
        let mut sender = sender;
        let request = Request::new(Empty::<Bytes>::new());
        let response = sender.send_request(request).await.ok()?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.ok()?;
        Some((status, body.to_bytes()))
    };
    let (_, answer) = tokio::join!(connection, answer);
    answer
}
