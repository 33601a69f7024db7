//! What a program says to a person who started it: on stdout what was asked for, on stderr in sentences,
//! beside its exit code, what went wrong. And what becomes of it when that can't be written.

use std::{
    fmt::Display,
    io::{self, Write},
    sync::atomic::{AtomicBool, Ordering},
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
    let written = if STDOUT_WAS_CLOSED.load(Ordering::Relaxed) {
        Err(io::Error::from_raw_os_error(libc::EBADF))
    } else {
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    };
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

/// Whether the program was started without a standard output (`>&-`). Rust's runtime puts `/dev/null` in its
/// place before `main`, and nothing tells from then on.
static STDOUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// What stands in this section is called before `main`, and so before Rust's runtime looks.
// SAFETY: the section is an array of pointers to functions that take what C's `main` takes, or nothing.
#[allow(unsafe_code)]
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(
    target_vendor = "apple",
    unsafe(link_section = "__DATA,__mod_init_func")
)]
static LOOK_AT_STDOUT: extern "C" fn() = {
    extern "C" fn look() {
        // SAFETY: the call has no pointer, and is one that even a signal handler may make.
        let closed = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) } == -1;
        STDOUT_WAS_CLOSED.store(closed, Ordering::Relaxed);
    }
    look
};
