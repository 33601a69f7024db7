//! What twoapi's clients share: how one is built, the call to oneapi, and how much of an answer is read.

pub(crate) mod body;
pub(crate) mod upstream;

use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect::Policy};

/// A client with settings of its own beside those that all have. It asks whom it is told to and nobody
/// else: no proxy that the environment names, which knows nothing of a pod's localhost, and no other
/// URL because an answer redirects there.
pub(crate) fn client(
    connect_timeout: Duration,
    own: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Client {
    let common = Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .connect_timeout(connect_timeout);
    let client = own(common).build();
    client.expect("without TLS and proxies there is nothing that can fail")
}
