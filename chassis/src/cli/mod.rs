//! The subcommands for images without a shell: ask a URL, send a signal, print a file.

mod http2;
mod kill;
mod licenses;
mod probe;

pub use self::{kill::Kill, licenses::Licenses, probe::Probe};

/// What cargo fuzz tests of it.
#[cfg(fuzzing)]
#[allow(missing_docs)]
pub(crate) mod fuzz {
    use hyper::{StatusCode, Uri};
    use tokio::io::{AsyncRead, AsyncWrite};

    use super::{http2, probe};

    pub async fn ask(
        url: &Uri,
        over_http2: bool,
        stream: impl AsyncRead + AsyncWrite + Unpin,
    ) -> Option<StatusCode> {
        if over_http2 {
            http2::ask(url, stream).await.ok()
        } else {
            probe::ask_http1(url, stream).await.ok()
        }
    }
}
