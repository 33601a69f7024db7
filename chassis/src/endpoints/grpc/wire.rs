//! How gRPC frames a message, and how protobuf writes one.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>,
//! <https://protobuf.dev/programming-guides/encoding/>

use axum::body::Bytes;

use super::protocol::{Code, Failure};

/// In front of a message: whether it is compressed, and four bytes of length.
pub(super) const PREFIX: usize = 5;

/// Far more than the name of any service here.
pub(super) const MAX_MESSAGE: usize = 1024;

pub(super) const TOO_LONG: Failure = Failure::new(
    Code::ResourceExhausted,
    "a message can't be longer than 1024 bytes",
);

/// Takes the first message off what has come of a stream. `None` as long as it isn't whole.
pub(super) fn take_message(bytes: &mut Vec<u8>) -> Result<Option<Vec<u8>>, Failure> {
    let Some(([compressed, length @ ..], rest)) = bytes.split_first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    if *compressed != 0 {
        let sentence = "compressed messages are not understood";
        return Err(Failure::new(Code::Unimplemented, sentence));
    }
    let length = u32::from_be_bytes(*length) as usize;
    if length > MAX_MESSAGE {
        return Err(TOO_LONG);
    }
    let Some(message) = rest.get(..length).map(<[u8]>::to_vec) else {
        return Ok(None);
    };
    bytes.drain(..PREFIX + length);
    Ok(Some(message))
}

/// A message with its prefix.
pub(super) fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("it is as short as its question");
    let mut framed = vec![0];
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(message);
    framed.into()
}

/// The fields of a message with their wire types; the content of a number is empty. `None` if
/// protobuf writes no such message.
pub(super) fn fields(mut message: &[u8]) -> Option<Vec<(u64, u64, &[u8])>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = u64::from(u32::try_from(varint(&mut message)?).ok()?);
        let (field, wire_type) = (tag >> 3, tag & 7);
        if field == 0 {
            return None;
        }
        let content = match wire_type {
            0 => {
                varint(&mut message)?;
                &[]
            }
            1 => take(&mut message, 8)?,
            2 => {
                let length = varint(&mut message)?;
                take(&mut message, usize::try_from(length).ok()?)?
            }
            5 => take(&mut message, 4)?,
            _ => return None,
        };
        fields.push((field, wire_type, content));
    }
    Some(fields)
}

fn take<'a>(message: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = message.split_at_checked(length)?;
    *message = rest;
    Some(taken)
}

/// Seven bits a byte, the lowest first; the eighth says whether there is more.
fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(message, 1)?[0];
        let bits = u64::from(byte & 0x7f);
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return (value >> shift == bits).then_some(value);
        }
    }
    None
}

pub(super) fn text(field_number: u8, text: &str) -> Vec<u8> {
    field(field_number, text.as_bytes())
}

/// A field of at most 16 kB, which is what two bytes of length can say.
pub(super) fn field(field_number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![field_number << 3 | 2];
    let length = content.len();
    if length >= 0x80 {
        field.push(length as u8 | 0x80);
        field.push((length >> 7) as u8);
    } else {
        field.push(length as u8);
    }
    field.extend_from_slice(content);
    field
}

/// A number below 128.
pub(super) fn number(field_number: u8, number: u8) -> Vec<u8> {
    vec![field_number << 3, number]
}
