//! How an HTTP client is built.

use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect::Policy};

/// A client with the settings that all clients have, and its own. It asks the URL that it is given and
/// nothing else: no proxy that the environment names, which knows nothing of a pod's localhost, and no
/// URL to which an answer redirects.
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
