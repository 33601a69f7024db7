//! What a program says to a person who started it: on stdout what was asked for, on stderr in sentences,
//! beside its exit code, what went wrong. And what becomes of it when that can't be written.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Says it on stderr. `eprintln` panics when that can't be written to, as when its reader has left,
/// and the exit code would then not be the one that is documented.
pub fn complain(sentence: impl Display) {
    let _ = writeln!(io::stderr(), "{sentence}");
}

/// Prints at once, since a reader wants each line when it is known. The program ends if that can't be written:
/// quietly when its reader has left, as `head` does, else with a sentence.
pub fn print(text: &str) {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    drop(out);
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            std::process::exit(READER_HAS_LEFT)
        }
        Err(error) => {
            complain(format_args!("cannot write to standard output: {error}"));
            std::process::exit(1)
        }
    }
}

/// 128 and the number of SIGPIPE, which ends other programs in this case: Rust has it ignored.
const READER_HAS_LEFT: i32 = 128 + 13;
