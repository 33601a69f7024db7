//! As `bare-caller`, with reqwest as its client: the least that a call can take with it.

use std::convert::Infallible;

use bench::{Failure, address, serve, text};
use hyper::{Request, body::Incoming, service::service_fn};
use reqwest::{Client, Url};

fn main() -> Result<(), Failure> {
    let client = Client::builder().no_proxy().build()?;
    let url: Url = format!("http://{}/test", address("--call")?).parse()?;
    serve(service_fn(move |request: Request<Incoming>| {
        let (client, url) = (client.clone(), url.clone());
        async move {
            if request.uri().path() == "/livez" {
                return Ok::<_, Infallible>(text("ok".into()));
            }
            let call = async { client.get(url).send().await?.bytes().await };
            Ok(text(match call.await {
                Ok(body) => [b"one api response is ", &body[..]].concat().into(),
                Err(error) => error.to_string().into(),
            }))
        }
    }))
}
