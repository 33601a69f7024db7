//! An answer that is not a success: a status, and one sentence in plain text.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::content::Content;
use crate::lifecycle::NotReady;

/// What a client is told when it doesn't get what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of refusal it is.
    pub status: StatusCode,
    /// The cause, and for a 400 which field it is and what is allowed.
    pub sentence: String,
}

impl Refusal {
    /// A refusal with any status.
    pub fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self {
            status,
            sentence: sentence.into(),
        }
    }

    /// 400, the request can't be understood.
    pub fn bad_input(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, sentence)
    }

    /// 404, there is nothing by that name.
    pub fn not_found(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, sentence)
    }

    /// 503, not ready or stopping.
    pub fn unavailable(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, sentence)
    }
}

impl Refusal {
    pub(super) fn into_content(self) -> Response<Content> {
        self.into_response().map(Content::from)
    }
}

impl From<NotReady> for Refusal {
    fn from(why: NotReady) -> Self {
        Self::unavailable(why.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, [(header::CONTENT_TYPE, TEXT)], self.sentence).into_response()
    }
}

/// The content type of every plain answer.
pub const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
