//! The body of a request. It is read whole and by nobody else than here, so that each one has to come
//! in time and is as long as its route needs at most; only gRPC's reflection, whose answers come between
//! the messages of a body, bounds each of them itself. A handler that doesn't ask for it leaves it
//! unread: hyper then closes the connection after the answer.

use std::{convert::Infallible, future::poll_fn, pin::Pin, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    http::StatusCode,
};
use hyper::body::Body as _;
use tokio::{task::yield_now, time::timeout};

use super::refusal::Refusal;

/// How long a body may take to come in, as long as the headers may.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a handler takes as its last argument, and reads after whatever can be checked without it.
#[derive(Debug)]
pub struct RequestBody(Body);

impl<S: Sync> FromRequest<S> for RequestBody {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        Ok(Self(request.into_body()))
    }
}

impl RequestBody {
    /// All of it.
    ///
    /// # Errors
    /// 413, longer than `most` bytes; 408, not there in time; 400, ended before its end.
    pub async fn read(self, most: usize) -> Result<Bytes, Refusal> {
        read_body(self.0, most).await.map_err(|why| match why {
            Unread::TooLong => Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body can't be longer than {most} bytes"),
            ),
            Unread::TooSlow => Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("the body did not come in {} s", BODY_TIMEOUT.as_secs()),
            ),
            Unread::BrokenOff => Refusal::bad_input("the body broke off"),
        })
    }

    /// Refuses one, since nobody would read it. The sentence says what there is in place of it.
    ///
    /// # Errors
    /// 400, there is one.
    pub async fn none(self, sentence: &'static str) -> Result<(), Refusal> {
        match self.read(0).await {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.status == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Refusal::bad_input(sentence))
            }
            Err(refusal) => Err(refusal),
        }
    }
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    TooLong,
    TooSlow,
    BrokenOff,
}

pub(crate) async fn read_body(body: Body, most: usize) -> Result<Bytes, Unread> {
    // By its length, if the client has said it: nothing of it need be read then.
    let bytes = if body.size_hint().lower() > most as u64 {
        drop(body);
        Err(Unread::TooLong)
    } else {
        let gathered = timeout(BODY_TIMEOUT, gather(body, most)).await;
        gathered.unwrap_or(Err(Unread::TooSlow))
    };
    if bytes.is_err() {
        // hyper now sees that nobody reads the rest, and says `Connection: close` in the answer. After
        // the answer it would look again only when more of the body has come.
        yield_now().await;
    }
    bytes
}

async fn gather(mut body: Body, most: usize) -> Result<Bytes, Unread> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| Unread::BrokenOff)?;
        let data = frame.data_ref().map_or(&[][..], |data| data);
        if bytes.len() + data.len() > most {
            return Err(Unread::TooLong);
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes.into())
}
