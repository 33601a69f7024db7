//! What is answered: bytes that are there, or whatever axum makes of a handler's answer.

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
        /// All of it, without an allocation; none when it has been taken.
        Whole { bytes: Option<Bytes> },
        /// Whatever axum makes of a handler's answer.
        Axum { #[pin] body: Body },
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self::Whole { bytes: Some(bytes) }
    }
}

impl From<Body> for Content {
    fn from(body: Body) -> Self {
        Self::Axum { body }
    }
}

impl Content {
    /// Nothing at all.
    pub(super) fn empty() -> Self {
        Self::Whole { bytes: None }
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
            ContentProjection::Whole { bytes } => {
                Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))))
            }
            ContentProjection::Axum { body } => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole { bytes } => bytes.is_none(),
            Self::Axum { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole { bytes } => {
                let left = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(left).unwrap_or(u64::MAX))
            }
            Self::Axum { body } => body.size_hint(),
        }
    }
}
