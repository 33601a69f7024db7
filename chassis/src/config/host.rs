//! Whether what a URL or the header `Host` says is a host, and perhaps a port.

use std::net::Ipv6Addr;

use hyper::http::uri::Authority;

/// Whether it is a host, and perhaps a port after a colon, without a user.
pub fn is_host_and_port(authority: &Authority) -> bool {
    let text = authority.as_str();
    is_host(text.as_bytes()) && !text.ends_with(':')
}

/// Whether it is a host and perhaps a port, or empty, as it is where a client's URL has no host.
pub(crate) fn is_host(value: &[u8]) -> bool {
    let name = value
        .iter()
        .take_while(|byte| IN_A_NAME[usize::from(**byte)]);
    match value.split_at(name.count()) {
        (_, []) => true,
        ([], [b'[', ..]) => is_bracketed(value),
        ([_, ..], [b':', port @ ..]) => is_port(port),
        _ => false,
    }
}

#[cold]
fn is_bracketed(value: &[u8]) -> bool {
    let parts = str::from_utf8(value)
        .ok()
        .and_then(|it| it.strip_prefix('[')?.split_once(']'));
    parts.is_some_and(|(ip, port)| {
        let port = port.as_bytes();
        ip.parse::<Ipv6Addr>().is_ok()
            && (port.is_empty() || port.strip_prefix(b":").is_some_and(is_port))
    })
}

/// It may be empty.
fn is_port(port: &[u8]) -> bool {
    let number = port.iter().try_fold(0_u32, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
        Some(number * 10 + digit?).filter(|number| *number <= u32::from(u16::MAX))
    });
    number.is_some()
}

/// The characters of names and of IPv4 addresses. A comma would be one, too, but it stands between two hosts that
/// were joined to one header. <https://www.rfc-editor.org/rfc/rfc3986#section-3.2.2>
const IN_A_NAME: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        allowed[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"-._~%!$&'()*+;=";
    let mut at = 0;
    while at < others.len() {
        allowed[others[at] as usize] = true;
        at += 1;
    }
    allowed
};
