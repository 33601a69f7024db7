//! What a program says to a person who started it: in sentences on stderr, beside its exit code. And
//! what becomes of it when what it prints can't be written.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Says it on stderr. `eprintln` panics when that can't be written to, as when its reader has left,
/// and the exit code would then not be the one that is documented.
pub fn complain(sentence: impl Display) {
    let _ = writeln!(io::stderr(), "{sentence}");
}

/// 128 and the number of SIGPIPE, which ends other programs in this case: Rust has it ignored.
const READER_HAS_LEFT: i32 = 128 + 13;

/// Ends the program, since what it has to say can't be written to stdout: quietly when its reader has
/// left, as `head` does, else with a sentence.
pub fn exit_unheard(error: &io::Error) -> ! {
    if error.kind() == io::ErrorKind::BrokenPipe {
        std::process::exit(READER_HAS_LEFT);
    }
    complain(format_args!("cannot write to standard output: {error}"));
    std::process::exit(1)
}
