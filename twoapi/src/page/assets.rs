//! The page itself: one document with its styles and scripts in each language, which is part of the program.
//! `build.rs` has made and compressed it. A client that doesn't accept gzip gets the plain bytes.

use axum::{
    body::{Body, Bytes},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY,
            CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
};
use chassis::http::{prefers_gzip, streamed};
use hyper::body::Frame;

use super::chinese::prefers_chinese;

/// One of the ways in which the document is sent.
struct Encoded {
    language: &'static str,
    /// In quotes, and different for each of them, since a client that has the one doesn't have the
    /// other's bytes. <https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3.3>
    etag: &'static str,
    bytes: &'static [u8],
}

// `EN`, `EN_GZIP` and `ZH_GZIP`, and `POLICY`, which allows what stands in the document and nothing else.
include!(concat!(env!("OUT_DIR"), "/document.rs"));

pub(super) async fn index(headers: HeaderMap) -> Response {
    let gzip = prefers_gzip(&headers);
    let encoded = match (prefers_chinese(&headers), gzip) {
        (true, true) => ZH_GZIP,
        (false, true) => EN_GZIP,
        // Browsers accept gzip, so it is a program that asks; once more in Chinese would be 50 kB of the image.
        (_, false) => EN,
    };
    let mut response = if is_known(&headers, encoded.etag) {
        // Of no known length, since that of a 304 would be that of the 200.
        let nothing = streamed((), async |()| None::<(Frame<Bytes>, ())>);
        (StatusCode::NOT_MODIFIED, nothing).into_response()
    } else {
        Body::from(Bytes::from_static(encoded.bytes)).into_response()
    };
    let is_whole = response.status() == StatusCode::OK;
    let own = response.headers_mut();
    if gzip && is_whole {
        own.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    own.insert(CONTENT_TYPE, html);
    own.insert(ETAG, HeaderValue::from_static(encoded.etag));
    let language = HeaderValue::from_static(encoded.language);
    own.insert(CONTENT_LANGUAGE, language);
    let chosen_by = HeaderValue::from_static("accept-encoding, accept-language");
    own.insert(VARY, chosen_by);
    // Always asked for again, and answered with 304: after an update it is the new version's page.
    own.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    protect(own);
    response
}

/// Whether `If-None-Match` lists this tag, strong or weak, or has `*`, which stands for any.
/// <https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2>
pub(super) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).iter();
    lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// The headers that keep a browser from doing more with an answer than is meant.
pub(super) fn protect(headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small_in_both_languages() {
        let plain = EN.bytes.len();
        assert!(plain < 60_000, "{plain} bytes");
        for gzip in [EN_GZIP, ZH_GZIP] {
            let size = gzip.bytes.len();
            assert!(size < 20_000, "{size} bytes, compressed: {}", gzip.language);
        }
    }

    #[test]
    fn the_page_needs_nothing_but_itself() {
        let document = std::str::from_utf8(EN.bytes).unwrap();
        for loaded in [
            "src=",
            "import(",
            "import ",
            "@import",
            "url(",
            "href=\"page",
        ] {
            assert!(!document.contains(loaded), "{loaded} loads another file");
        }
        assert!(document.contains("data:image/svg+xml,"));
        assert_eq!(
            POLICY.matches("'sha256-").count(),
            document.matches("<script").count(),
            "the style and the script; the texts are no script"
        );
    }
}
