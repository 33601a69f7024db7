//! What a program says to a person who started it: in sentences on stderr, beside its exit code.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Says it on stderr. `eprintln` panics when that can't be written to, as when its reader has left,
/// and the exit code would then not be the one that is documented.
pub fn complain(sentence: impl Display) {
    let _ = writeln!(io::stderr(), "{sentence}");
}
