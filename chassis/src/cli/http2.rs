//! One GET over HTTP/2 in clear text, with prior knowledge: a few frames by hand, for the status alone. The
//! client of the `h2` crate, whose server is linked anyway, would make the program 90 kB larger.
//! <https://www.rfc-editor.org/rfc/rfc9113>, and for the headers <https://www.rfc-editor.org/rfc/rfc7541>.

use std::io;

use hyper::{StatusCode, Uri};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a client begins with, and its settings: a header is never one of an earlier answer (1), and nothing
/// is pushed (2).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\
    \0\0\x0c\x04\0\0\0\0\0\0\x01\0\0\0\0\0\x02\0\0\0\0";

/// The longest payload of a frame unless both agree on another.
const MAX_PAYLOAD: usize = 16 << 10;

/// What the kubelet reads of a body, in bytes, over HTTP/1 too.
pub(super) const MOST_OF_A_BODY: u64 = 10 << 10;

/// The stream of the one request.
const STREAM: u32 = 1;

mod kind {
    pub(super) const DATA: u8 = 0;
    pub(super) const HEADERS: u8 = 1;
    pub(super) const RST_STREAM: u8 = 3;
    pub(super) const SETTINGS: u8 = 4;
    pub(super) const PING: u8 = 6;
    pub(super) const GOAWAY: u8 = 7;
    /// More of the headers of the frame before.
    pub(super) const CONTINUATION: u8 = 9;
}

mod flag {
    /// Of settings and pings.
    pub(super) const ACK: u8 = 1;
    /// Of headers and data: nothing comes after them.
    pub(super) const END_STREAM: u8 = 1;
    pub(super) const END_HEADERS: u8 = 4;
    pub(super) const PADDED: u8 = 8;
    pub(super) const PRIORITY: u8 = 32;
}

/// Why a stream or a connection was ended, by the code.
const REASONS: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// The status of a whole answer.
pub(super) async fn ask(
    url: &Uri,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
) -> io::Result<StatusCode> {
    let headers = headers(url);
    if headers.len() > MAX_PAYLOAD {
        return Err(io::Error::other("its URL is longer than a request may be"));
    }
    let flags = flag::END_STREAM | flag::END_HEADERS;
    let request = frame(kind::HEADERS, flags, STREAM, &headers);
    stream.write_all(&[PREFACE, &request].concat()).await?;
    let mut has_settings = false;
    let mut headers = Vec::new();
    let mut final_status = None;
    let mut is_end = false;
    let mut body = 0;
    loop {
        let answer = read(&mut stream).await?;
        has_settings |= answer.kind == kind::SETTINGS;
        if !has_settings {
            return Err(nonsense()); // a server's settings come first
        }
        let payload = &answer.payload[..];
        match (answer.kind, answer.stream) {
            (kind::HEADERS | kind::CONTINUATION, STREAM) => {
                if answer.kind == kind::HEADERS {
                    headers.clear();
                    is_end = answer.flags & flag::END_STREAM != 0;
                }
                headers.extend_from_slice(answer.headers().ok_or_else(nonsense)?);
                headers.truncate(MAX_PAYLOAD); // the status comes first
                // Those after the body are trailers.
                if answer.flags & flag::END_HEADERS != 0 && final_status.is_none() {
                    let status = status(&headers).ok_or_else(nonsense)?;
                    final_status = Some(status).filter(|status| !status.is_informational());
                }
            }
            (kind::DATA, STREAM) => {
                body += payload.len() as u64;
                is_end = answer.flags & flag::END_STREAM != 0;
            }
            (kind::RST_STREAM, STREAM) => return Err(refused(payload)),
            (kind::GOAWAY, _) => {
                let (last_stream, code) = payload.split_first_chunk().ok_or_else(nonsense)?;
                // A connection that ends in good order still answers.
                if stream_id(*last_stream) < STREAM || !code.starts_with(&[0; 4]) {
                    return Err(refused(code));
                }
            }
            (kind::SETTINGS | kind::PING, _) if answer.flags & flag::ACK == 0 => {
                let is_ping = answer.kind == kind::PING;
                let same = if is_ping { payload } else { &[] };
                // An answer may be there though nobody takes this any more.
                let ack = frame(answer.kind, flag::ACK, 0, same);
                let _ = stream.write_all(&ack).await;
            }
            _ => {}
        }
        if let Some(status) = final_status
            && (is_end || body >= MOST_OF_A_BODY || !status.is_success())
        {
            return Ok(status);
        }
    }
}

/// `GET`, `http`, the path and the authority, with the numbers that the names have in the table of HPACK.
fn headers(url: &Uri) -> Vec<u8> {
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let authority = url.authority().expect("http_url saw to it").as_str();
    let mut headers = vec![0x82, 0x86];
    for (name, value) in [(4, path), (1, authority)] {
        headers.push(name);
        // The length: below 127 in one byte, and else the rest in groups of seven bits.
        match value.len().checked_sub(0x7f) {
            None => headers.push(value.len() as u8),
            Some(mut rest) => {
                headers.push(0x7f);
                while rest > 0x7f {
                    headers.push(rest as u8 | 0x80);
                    rest >>= 7;
                }
                headers.push(rest as u8);
            }
        }
        headers.extend(value.as_bytes());
    }
    headers
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u32; // at most `MAX_PAYLOAD`
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    /// What a frame of headers has of them.
    fn headers(&self) -> Option<&[u8]> {
        let has = |flag| self.kind == kind::HEADERS && self.flags & flag != 0;
        let mut headers = &self.payload[..];
        if has(flag::PADDED) {
            let (padding, rest) = headers.split_first()?;
            headers = rest.get(..rest.len().checked_sub((*padding).into())?)?;
        }
        if has(flag::PRIORITY) {
            headers = headers.get(5..)?;
        }
        Some(headers)
    }
}

/// Without the bit that is reserved.
fn stream_id(bytes: [u8; 4]) -> u32 {
    u32::from_be_bytes(bytes) & (u32::MAX >> 1)
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await?;
    let [a, b, c, kind, flags, id @ ..] = head;
    let length = u32::from_be_bytes([0, a, b, c]) as usize;
    if length > MAX_PAYLOAD {
        return Err(nonsense());
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await?;
    Ok(Frame {
        kind,
        flags,
        stream: stream_id(id),
        payload,
    })
}

/// The status that headers begin with.
fn status(mut headers: &[u8]) -> Option<StatusCode> {
    // The size of the table of earlier headers, which is none.
    while let [0x20, rest @ ..] = headers {
        headers = rest;
    }
    let (name, rest) = headers.split_first()?;
    // In each of these ways the value may be kept for later, or must not.
    let value = match name {
        // Whole in the table of HPACK.
        0x88..=0x8e => {
            let status = [200, 204, 206, 304, 400, 404, 500][usize::from(name - 0x88)];
            return StatusCode::from_u16(status).ok();
        }
        // Its name is there, at seven places, and here is the value.
        0x48..=0x4e | 0x08..=0x0e | 0x18..=0x1e => rest,
        // Its name is spelt out, as it is or in HPACK's Huffman code.
        0x40 | 0x00 | 0x10 => rest
            .strip_prefix(b"\x07:status")
            .or_else(|| rest.strip_prefix(b"\x85\xb8\x84\x8d\x36\xa3"))?,
        _ => return None,
    };
    let (length, rest) = value.split_first()?;
    let value = rest.get(..usize::from(length & 0x7f))?;
    let is_packed = length & 0x80 != 0;
    let digits = if is_packed { &unpacked(value)? } else { value };
    StatusCode::from_bytes(digits).ok()
}

/// Three digits of HPACK's Huffman code: 0 to 2 have five bits, and 3 to 9 have six.
fn unpacked(value: &[u8]) -> Option<[u8; 3]> {
    let bits = value
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let mut bits = bits.fuse();
    let mut digits = [0; 3];
    for digit in &mut digits {
        let mut code = 0;
        for _ in 0..5 {
            code = code << 1 | bits.next()?;
        }
        *digit = match code {
            0..=2 => b'0' + code,
            0x0c..=0x0f => b'0' + (code << 1 | bits.next()?) - 0x16,
            _ => return None,
        };
    }
    bits.all(|padding| padding == 1).then_some(digits)
}

#[cold]
fn nonsense() -> io::Error {
    io::Error::other("what came is not HTTP/2")
}

/// The stream or the connection was ended, with the code that is here.
#[cold]
fn refused(code: &[u8]) -> io::Error {
    let Some(code) = code.first_chunk() else {
        return nonsense();
    };
    let code = u32::from_be_bytes(*code) as usize;
    let reason = REASONS.get(code).unwrap_or(&"an unknown code");
    io::Error::other(format!("it was refused with {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_in_each_of_the_ways_in_which_it_is_written() {
        for (headers, expected) in [
            (&b"\x88"[..], Some(200)),
            (b"\x8e more", Some(500)),
            (b"\x20\x3f\x8d", None), // a size that is more than none
            (b"\x20\x8d", Some(404)),
            (b"\x48\x03503", Some(503)),
            (b"\x08\x03418rest", Some(418)),
            (b"\x1e\x03302", Some(302)),
            // From the examples of RFC 7541, C.6: 302 and 307.
            (b"\x48\x82\x64\x02", Some(302)),
            (b"\x48\x83\x64\x0e\xff", Some(307)),
            (b"\x48\x83\x64\x0e\xfe", None), // such an end isn't padding
            (b"\x48\x03\x35", None),
            (b"\x48\x0250", None),
            (b"\x48\x81\x64", None),
            (b"\x48\x82\xff\xff", None),
            (b"\x40\x07:status\x03201", Some(201)),
            (b"\x10\x85\xb8\x84\x8d\x36\xa3\x82\x10\x03", Some(201)),
            (b"\0\x07:statuS\x03201", None),
            (b"\x40\x03503", None),
            (b"\x82", None),
            (b"", None),
        ] {
            let status = status(headers).map(|status| status.as_u16());
            assert_eq!(status, expected, "{headers:x?}");
        }
    }

    #[test]
    fn a_digit_has_one_code_each() {
        // 000 to 999 in the code of RFC 7541, appendix B.
        for status in 0..1000 {
            let digits = format!("{status:03}");
            let mut bits = String::new();
            for digit in digits.bytes().map(|digit| digit - b'0') {
                match digit {
                    0..=2 => bits += &format!("{digit:05b}"),
                    _ => bits += &format!("{:06b}", digit + 0x16),
                }
            }
            while !bits.len().is_multiple_of(8) {
                bits.push('1');
            }
            let bytes: Vec<u8> = (0..bits.len() / 8)
                .map(|i| u8::from_str_radix(&bits[8 * i..8 * i + 8], 2).unwrap())
                .collect();
            assert_eq!(unpacked(&bytes).unwrap(), digits.as_bytes());
        }
    }

    #[test]
    fn a_long_value_has_its_length_in_several_bytes() {
        for (length, expected) in [
            (126, &b"\x7e/"[..]),
            (127, b"\x7f\0/"),
            (128, b"\x7f\x01/"),
            (1337, b"\x7f\xba\x09/"),
        ] {
            let path = format!("/{}", "x".repeat(length - 1));
            let url = format!("http://localhost{path}").parse().unwrap();
            let headers = headers(&url);
            assert!(headers.starts_with(b"\x82\x86\x04"), "{headers:x?}");
            assert!(headers[3..].starts_with(expected), "{length}");
            assert!(headers.ends_with(b"x\x01\x09localhost"), "{length}");
        }
    }
}
