//! The page's files, which are part of the program. `build.rs` has compressed them; whoever doesn't
//! accept gzip gets the plain bytes.

use axum::{
    body::{Body, Bytes},
    extract::Path,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
            CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
};
use chassis::http::Refusal;

/// A file of the page.
struct Asset {
    name: &'static str,
    content_type: &'static str,
    /// Of the content, in quotes.
    etag: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
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

pub(super) async fn file(
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    serve(&file, &headers)
}

fn serve(name: &str, headers: &HeaderMap) -> Result<Response, Refusal> {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    let asset = asset.ok_or_else(|| Refusal::not_found(format!("the page has no file {name}")))?;
    let has = |header, wanted: &str| {
        headers
            .get_all(header)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|part| part.trim())
            .any(|part| part == wanted || part.strip_prefix("W/") == Some(wanted))
    };
    let (etag, gzip) = (asset.etag, has(ACCEPT_ENCODING, "gzip"));
    let mut response = if has(IF_NONE_MATCH, etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if gzip {
        let body = Body::from(Bytes::from_static(asset.gzip));
        ([(CONTENT_ENCODING, "gzip")], body).into_response()
    } else {
        Body::from(Bytes::from_static(asset.plain)).into_response()
    };
    let own = response.headers_mut();
    own.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    own.insert(ETAG, HeaderValue::from_static(etag));
    own.insert(VARY, HeaderValue::from_static("accept-encoding"));
    // Always asked for again, and answered with 304: after an update it is the new version's page.
    own.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    protect(own);
    Ok(response)
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
            let plain: usize = assets().map(|asset| asset.plain.len()).sum();
            let gzip: usize = assets().map(|asset| asset.gzip.len()).sum();
            assert!(plain < 100_000, "{plain} bytes without {other}");
            assert!(gzip < 40_000, "{gzip} bytes without {other}, compressed");
        }
    }
}
