//! The page's files, which are part of the program. `build.rs` has compressed them; whoever doesn't
//! accept gzip gets the plain bytes.

use axum::{
    body::{Body, Bytes},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
            IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
};
use chassis::http::{Refusal, Segment, prefers_gzip};

/// A file of the page.
struct Asset {
    name: &'static str,
    content_type: &'static str,
    plain: Encoded,
    gzip: Encoded,
}

/// One of the two ways in which a file is sent.
struct Encoded {
    /// In quotes, and different for each of the two: whoever has the one doesn't have the other's
    /// bytes. <https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3.3>
    etag: &'static str,
    bytes: &'static [u8],
}

// `const ASSETS: &[Asset]`, one entry for each file in the folder `page`.
include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Everything comes from this server, nothing is inline, nobody may frame the page.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

pub(super) async fn index(headers: HeaderMap) -> Result<Response, Refusal> {
    serve("index.html", &headers)
}

pub(super) async fn file(Segment(file): Segment, headers: HeaderMap) -> Result<Response, Refusal> {
    serve(&file, &headers)
}

fn serve(name: &str, headers: &HeaderMap) -> Result<Response, Refusal> {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    let asset = asset.ok_or_else(|| Refusal::not_found("the page has no file of that name"))?;
    let gzip = prefers_gzip(headers);
    let encoded = if gzip { &asset.gzip } else { &asset.plain };
    let mut response = if is_known(headers, encoded.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Body::from(Bytes::from_static(encoded.bytes)).into_response()
    };
    let is_whole = response.status() == StatusCode::OK;
    let own = response.headers_mut();
    if gzip && is_whole {
        own.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    own.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    own.insert(ETAG, HeaderValue::from_static(encoded.etag));
    own.insert(VARY, HeaderValue::from_static("accept-encoding"));
    // Always asked for again, and answered with 304: after an update it is the new version's page.
    own.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    protect(own);
    Ok(response)
}

/// Whether `If-None-Match` lists this tag, strong or weak, or has `*`, which stands for any.
/// <https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2>
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).iter();
    lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// The headers that keep a browser from doing more with an answer than is meant.
pub(super) fn protect(headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small_in_each_language() {
        for other in ["en.js", "zh.js"] {
            let assets = || ASSETS.iter().filter(|asset| asset.name != other);
            let plain: usize = assets().map(|asset| asset.plain.bytes.len()).sum();
            let gzip: usize = assets().map(|asset| asset.gzip.bytes.len()).sum();
            assert!(plain < 100_000, "{plain} bytes without {other}");
            assert!(gzip < 40_000, "{gzip} bytes without {other}, compressed");
        }
    }
}
