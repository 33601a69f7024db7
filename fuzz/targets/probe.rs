//! The answers that the subcommand `probe` reads: over HTTP/2 if the first byte is even. Its second half is the
//! size of the pieces in which the others come. Whatever httparse and h2's client read is read as the same.

#![no_main]

use std::collections::BTreeSet;

use chassis::fuzz::ask;
use fuzz::{Connection, run};
use hyper::{Request, Uri};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let over_http2 = first % 2 == 0;
    let piece = usize::from(first / 2).max(1);
    let status = asked(bytes, over_http2, usize::MAX);
    assert_eq!(asked(bytes, over_http2, piece), status, "in pieces");
    assert!(status.is_none_or(|status| (200..1000).contains(&status)));
    let by_others = if over_http2 {
        run(by_h2(bytes)).expect("it ends")
    } else {
        by_httparse(bytes)
    };
    if let Some(said) = by_others {
        // They don't read the body. Without a whole one a success is none.
        let is_cut_off = (200..300).contains(&said) && status.is_none();
        assert!(is_cut_off || status == by_others, "{status:?} is {said}");
    }
});

fn url() -> Uri {
    Uri::from_static("http://localhost/livez")
}

fn asked(bytes: &[u8], over_http2: bool, piece: usize) -> Option<u16> {
    let connection = Connection::new(bytes, piece, 0);
    let status = run(ask(&url(), over_http2, connection)).expect("it ends");
    status.map(|status| status.as_u16())
}

/// The first answer's that isn't interim, of 16 kB in all as `probe` reads them.
fn by_httparse(mut bytes: &[u8]) -> Option<u16> {
    bytes = &bytes[..bytes.len().min(16 << 10)];
    // It passes over empty lines, which are for requests.
    while !bytes.starts_with(b"\r") && !bytes.starts_with(b"\n") {
        let mut headers = [httparse::EMPTY_HEADER; 100];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(bytes).ok()? else {
            return None;
        };
        // To the kubelet one that says its length wrongly, or says two of them, is none.
        let headers = response.headers.iter();
        let lengths = headers.filter(|it| it.name.eq_ignore_ascii_case("content-length"));
        let lengths: BTreeSet<_> = lengths.map(|it| said(it.value)).collect();
        if lengths.len() > 1 || lengths.contains(&None) {
            return None;
        }
        match response.code? {
            100..200 => bytes = &bytes[length..],
            status => return Some(status).filter(|status| *status >= 200),
        }
    }
    None
}

fn said(value: &[u8]) -> Option<u64> {
    let text = str::from_utf8(value).ok()?;
    let is_number = value.iter().all(u8::is_ascii_digit);
    text.parse().ok().filter(|_| is_number)
}

async fn by_h2(bytes: &[u8]) -> Option<u16> {
    let connection = Connection::new(bytes, usize::MAX, 1);
    let mut builder = h2::client::Builder::new();
    builder.header_table_size(0).enable_push(false);
    let (mut sender, connection) = builder.handshake::<_, &[u8]>(connection).await.ok()?;
    let request = Request::builder().uri(url()).body(()).ok()?;
    let (response, _) = sender.send_request(request, true).ok()?;
    let (_, response) = tokio::join!(connection, response);
    Some(response.ok()?.status().as_u16())
}
