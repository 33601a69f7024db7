//! Text from outside as it is printed, and sentences in Chinese.

#![no_main]

use chassis::text::{MAX_SHOWN, shown};
use libfuzzer_sys::fuzz_target;
use twoapi::fuzz::chinese;

fuzz_target!(|bytes: &[u8]| {
    let text = shown(bytes);
    assert!(text.chars().count() <= MAX_SHOWN);
    assert_eq!(shown(&text), text, "a second time changes nothing");
    let is_turning = |char| matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(
        !text.contains(|char: char| char.is_control() || is_turning(char)),
        "{text:?}"
    );
    if bytes.len() <= MAX_SHOWN && bytes.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        assert_eq!(text.as_bytes(), bytes, "what can be read is not changed");
    }

    let said = chinese(&text);
    assert!(said.len() < 8 * MAX_SHOWN + 100, "{said}");
    assert!(!said.contains(char::is_control), "{said:?}");
});
