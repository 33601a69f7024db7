//! Reads the bodies of answers. An answer may be longer than is wanted.

use reqwest::{Response, Result};

/// As much of a body as may be read.
///
/// # Errors
/// When the connection fails before.
pub(crate) async fn beginning(mut response: Response, most: usize) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while body.len() < most
        && let Some(chunk) = response.chunk().await?
    {
        let left = most - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(left)]);
    }
    Ok(body)
}
