//! What the server is handed for each connection: the app, and the client of that connection.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::http::{Request, Response};
use hyper::{body::Incoming, service::Service};

use super::{answer::Answer, app::App, host, refusal::Refusal};
use crate::server::Peer;

/// Answers the requests of one connection.
#[derive(Clone, Debug)]
pub struct AppService(Arc<(App, Peer)>);

impl AppService {
    /// The service of the connection that leads to `peer`.
    pub fn new(app: App, peer: Peer) -> Self {
        Self(Arc::new((app, peer)))
    }
}

impl Service<Request<Incoming>> for AppService {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let (app, peer) = &*self.0;
        if !host::is_said(&request) {
            let refusal = Refusal::bad_input(
                "a request of HTTP/1.1 has one header Host, with a host and perhaps a port",
            );
            return Answering::AtOnce(Some(app.refuse(peer, &request, refusal)));
        }
        if peer.is_surplus() && !app.is_probe(&request) {
            let refusal = Refusal::unavailable(
                "there are as many connections as MAX_CONNECTIONS allows; try again later",
            );
            return Answering::AtOnce(Some(app.refuse(peer, &request, refusal)));
        }
        if let Some(response) = app.answer_at_once(peer, &request) {
            return Answering::AtOnce(Some(response));
        }
        let both = Arc::clone(&self.0);
        // Boxed, so that a connection that asks for nothing else doesn't take the memory for it.
        Answering::Waiting(Box::pin(async move {
            let (app, peer) = &*both;
            app.answer_to(peer, request).await
        }))
    }
}

/// The answer to a request.
#[allow(missing_debug_implementations)] // a future has nothing to show
pub enum Answering {
    /// It is there. `None` once it has been taken.
    AtOnce(Option<Response<Answer>>),
    /// It is there once the handler has made it.
    Waiting(Pin<Box<dyn Future<Output = Response<Answer>> + Send>>),
}

impl Future for Answering {
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::AtOnce(response) => {
                let response = response.take().expect("hyper polls it once");
                Poll::Ready(Ok(response))
            }
            Self::Waiting(answer) => answer.as_mut().poll(cx).map(Ok),
        }
    }
}
