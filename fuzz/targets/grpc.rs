//! Messages of gRPC. What is read is what prost reads, and the messages of a stream are the same in whichever
//! pieces they come.

#![no_main]

use chassis::fuzz::{reflect, service, take_message};
use libfuzzer_sys::fuzz_target;
use prost::{
    DecodeError,
    encoding::{
        DecodeContext, WireType, bytes, decode_key, encode_key, encode_varint, skip_field, string,
    },
};

fuzz_target!(|data: &[u8]| {
    check_service(data);
    check_reflection(data);
    check_stream(data);
});

fn check_service(message: &[u8]) {
    let by_prost = service_by_prost(message);
    let read = service(message);
    if let Some(name) = &read {
        assert_eq!(by_prost.as_ref(), Ok(name));
    }
    // A name that protobuf writes, between fields of a later version.
    if let Ok(name) = std::str::from_utf8(message) {
        let mut written = Vec::new();
        encode_key(2, WireType::Varint, &mut written);
        encode_varint(u64::MAX, &mut written);
        string::encode(1, &name.to_owned(), &mut written);
        bytes::encode(536_870_911, &message.to_vec(), &mut written);
        encode_key(3, WireType::SixtyFourBit, &mut written);
        written.extend([0; 8]);
        encode_key(16, WireType::ThirtyTwoBit, &mut written);
        written.extend([0; 4]);
        assert_eq!(service(&written).as_deref(), Some(name));
        written.pop();
        assert_eq!(service(&written), None, "it isn't whole");
    }
}

fn service_by_prost(mut message: &[u8]) -> Result<String, DecodeError> {
    let mut name = String::new();
    while !message.is_empty() {
        let (field, wire_type) = decode_key(&mut message)?;
        let context = DecodeContext::default();
        if field == 1 {
            string::merge(wire_type, &mut name, &mut message, context)?;
        } else {
            skip_field(wire_type, field, &mut message, context)?;
        }
    }
    Ok(name)
}

/// A `ServerReflectionResponse` repeats its request, and has one answer.
fn check_reflection(question: &[u8]) {
    // What is longer is refused before.
    let question = &question[..question.len().min(1024)];
    let answer = reflect(question);
    let (mut repeated, mut answers, mut rest) = (None, Vec::new(), &answer[..]);
    while !rest.is_empty() {
        let (field, wire_type) = decode_key(&mut rest).expect("prost reads it");
        let mut content = Vec::new();
        let context = DecodeContext::default();
        bytes::merge(wire_type, &mut content, &mut rest, context).expect("prost reads it");
        match field {
            2 => repeated = Some(content),
            other => answers.push(other),
        }
    }
    assert_eq!(repeated.as_deref(), Some(question));
    assert!(matches!(answers[..], [4 | 6 | 7]), "{answers:?}");
}

fn check_stream(data: &[u8]) {
    let mut stream = Vec::new();
    let (mut messages, mut has_failed) = (Vec::new(), false);
    for byte in data {
        stream.push(*byte);
        match take_message(&mut stream) {
            Ok(message) => messages.extend(message),
            Err(()) => {
                has_failed = true;
                break;
            }
        }
        assert!(stream.len() < 5 + 1024, "more than a message is never kept");
    }
    let mut whole = data.to_vec();
    for message in messages {
        assert!(message.len() <= 1024);
        assert_eq!(take_message(&mut whole), Ok(Some(message)));
    }
    let rest = take_message(&mut whole);
    assert_eq!(rest, if has_failed { Err(()) } else { Ok(None) });
}
