//! `GET /page/qr.svg?ADDRESS`: an address of this page as a QR code, for phones of a class. The address is
//! percent-encoded, and begins with `http://` or `https://` and the host that the request was sent to: 400 for others.

use axum::{
    http::{
        HeaderMap, HeaderValue, Uri,
        header::{CACHE_CONTROL, CONTENT_TYPE, HOST},
        uri::Authority,
    },
    response::{IntoResponse, Response},
};
use chassis::http::Refusal;
use qrcodegen::{QrCode, QrCodeEcc};
use reqwest::Url;

use super::assets::protect;

/// Longer ones make a code that nobody's phone reads from a wall.
const MAX_ADDRESS: usize = 300;

/// So many modules round a code stay white.
const QUIET: i32 = 4;

pub(super) async fn qr(uri: Uri, headers: HeaderMap) -> Result<Response, Response> {
    let refused = |sentence| Refusal::bad_input(sentence).into_response();
    let query = uri.query().unwrap_or_default();
    let authority = uri.authority().map(Authority::as_str);
    let host = authority.or_else(|| headers.get(HOST)?.to_str().ok());
    let mut decoded = form_urlencoded::parse(query.as_bytes());
    let address = match (decoded.next(), decoded.next()) {
        (Some((address, value)), None) if value.is_empty() => Url::parse(&address).ok(),
        _ => None, // an address with an & or = that isn't encoded is another one
    };
    let own = address.filter(|address| {
        let scheme = address.scheme();
        // With this scheme's port and in lower case, as the address is.
        let host = Url::parse(&format!("{scheme}://{}", host.unwrap_or_default()));
        matches!(scheme, "http" | "https")
            && address.as_str().len() <= MAX_ADDRESS
            && host.is_ok_and(|host| host.authority() == address.authority())
    });
    let Some(address) = own else {
        return Err(refused(format!(
            "the query must be an address of this page, of {MAX_ADDRESS} characters at most"
        )));
    };
    let code = QrCode::encode_text(address.as_str(), QrCodeEcc::Medium)
        .map_err(|_| refused("the address is too long".to_owned()))?;
    let mut response = svg(&code).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    protect(headers);
    Ok(response)
}

fn svg(code: &QrCode) -> String {
    let side = code.size() + 2 * QUIET;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|&x| code.get_module(x, y)) {
            path += &format!("M{} {}h1v1h-1z", x + QUIET, y + QUIET);
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\">\
         <path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path d=\"{path}\"/></svg>"
    )
}
