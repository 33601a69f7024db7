//! What is answered: a text that is there, or whatever axum makes of a handler's answer.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};

pin_project_lite::pin_project! {
    /// What is answered.
    #[derive(Debug)]
    #[project = ContentProjection]
    pub(super) enum Content {
        /// The text of a text route, without an allocation. `None` once it has been taken.
        Text { bytes: Option<Bytes> },
        /// Whatever axum makes of a handler's answer.
        Axum { #[pin] body: Body },
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self::Text { bytes: Some(bytes) }
    }
}

impl From<Body> for Content {
    fn from(body: Body) -> Self {
        Self::Axum { body }
    }
}

impl Content {
    /// Without a single byte.
    pub(super) fn empty() -> Self {
        Self::Text { bytes: None }
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Text { bytes: Some(_) })
    }
}

impl hyper::body::Body for Content {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.project() {
            ContentProjection::Text { bytes } => {
                Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))))
            }
            ContentProjection::Axum { body } => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text { bytes } => bytes.is_none(),
            Self::Axum { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text { bytes } => {
                let left = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(left).unwrap_or(u64::MAX))
            }
            Self::Axum { body } => body.size_hint(),
        }
    }
}
