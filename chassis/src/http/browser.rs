//! What only programs may do. A site that a browser shows can have it send requests to any address that
//! the browser reaches, such as that of a port-forward.

use axum::http::{HeaderMap, StatusCode, header::ORIGIN};

use super::refusal::Refusal;

/// Refuses a request of a browser, which says `Origin` with every POST, PUT and DELETE. Not compared with
/// `Host`: a site whose name leads here is of the same origin. `what` begins the sentence.
///
/// # Errors
/// 403.
pub fn refuse_browser(headers: &HeaderMap, what: &str) -> Result<(), Refusal> {
    if !headers.contains_key(ORIGIN) {
        return Ok(());
    }
    let sentence =
        format!("{what} for programs such as curl, and this request has the Origin of a browser");
    Err(Refusal::new(StatusCode::FORBIDDEN, sentence))
}
