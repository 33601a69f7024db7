//! Text from outside, such as what a client sent, another service answered or somebody set, as it may
//! be printed anywhere: in an answer, a log, a table, on a terminal.

/// How many characters are shown of a text: more than the 253 of the longest name in Kubernetes.
pub const MAX_SHOWN: usize = 256;

/// The text on one line, with escapes (`\n`, `\u{1b}`, `\xff`) for whatever a terminal would obey or a
/// reader couldn't see: control characters, those that turn the direction of writing, and bytes that
/// are no UTF-8. If it is longer than [`MAX_SHOWN`] characters, it ends in `…` there. What was shown once
/// is not changed when it is shown again, so backslashes and quotes stay as they are.
pub fn shown(text: impl AsRef<[u8]>) -> String {
    shown_bytes(text.as_ref())
}

/// Of one type, so that a program has it once.
fn shown_bytes(text: &[u8]) -> String {
    // Most texts are names, shown as they are.
    if text.len() <= MAX_SHOWN && text.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return String::from_utf8_lossy(text).into_owned();
    }
    let pieces = text.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid().chars().map(escape);
        let invalid = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}"));
        valid.chain(invalid)
    });
    let mut shown = String::new();
    let (mut length, mut room_for_mark) = (0, 0);
    for piece in pieces {
        shown.push_str(&piece);
        length += piece.chars().count();
        if length < MAX_SHOWN {
            room_for_mark = shown.len();
        }
        if length > MAX_SHOWN {
            shown.truncate(room_for_mark);
            shown.push('…');
            break;
        }
    }
    shown
}

fn escape(char: char) -> String {
    match char {
        '\\' | '\'' | '"' => char.to_string(),
        // The standard library's list of what can't be seen has the control, format, private and
        // unassigned characters of Unicode, and all spaces but the usual one.
        _ => char.escape_debug().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_is_not_changed() {
        for text in [
            "",
            "/test?a=b",
            "it's \"quoted\", 1.0-β 版本 🦀",
            "a back\\slash",
        ] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn what_a_terminal_obeys_or_a_reader_cannot_see_is_escaped() {
        for (text, expected) in [
            ("a\r\n\tb", r"a\r\n\tb"),
            ("\0\u{1b}[31m\u{7f}", r"\0\u{1b}[31m\u{7f}"),
            ("\u{85}\u{9b}2J", r"\u{85}\u{9b}2J"),
            (
                "\u{202e}gpj\u{2066}\u{200f}",
                r"\u{202e}gpj\u{2066}\u{200f}",
            ),
            (
                "\u{61c}\u{feff}\u{200b}\u{ad}",
                r"\u{61c}\u{feff}\u{200b}\u{ad}",
            ),
            ("\u{2028}\u{a0}\u{e0041}", r"\u{2028}\u{a0}\u{e0041}"),
        ] {
            assert_eq!(shown(text), expected);
        }
        assert_eq!(shown(b"kube\xff\xe7\x89"), r"kube\xff\xe7\x89");
    }

    /// <https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>, and Trojan Source.
    #[test]
    fn no_character_that_turns_the_direction_of_writing_is_left() {
        let turning = ['\u{61c}', '\u{200e}', '\u{200f}']
            .into_iter()
            .chain('\u{202a}'..='\u{202e}')
            .chain('\u{2066}'..='\u{2069}');
        for char in turning.chain(
            (0..=0x9f)
                .filter_map(char::from_u32)
                .filter(|c| c.is_control()),
        ) {
            let shown = shown(char.to_string());
            assert!(shown.starts_with('\\') && shown.is_ascii(), "{shown}");
        }
    }

    #[test]
    fn a_long_text_is_cut_with_its_escapes_whole() {
        let fits = "版".repeat(MAX_SHOWN);
        assert_eq!(shown(&fits), fits);
        let cut = shown("版".repeat(10_000));
        assert_eq!(cut, format!("{}…", "版".repeat(MAX_SHOWN - 1)));
        for before in 0..10 {
            let text = format!("{}{}", "x".repeat(before), "\u{1b}".repeat(1000));
            let cut = shown(&text);
            assert!(cut.ends_with("\\u{1b}…"), "{cut}");
            assert!(cut.chars().count() <= MAX_SHOWN, "{cut}");
            assert_eq!(shown(&cut), cut, "a second time changes nothing");
        }
    }
}
