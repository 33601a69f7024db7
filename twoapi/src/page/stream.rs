//! `GET /page/events?rate=N`: server-sent events for one viewer, who wants N requests a second to be
//! sent through the Service (0 to 50). When the stop of this pod begins, `bye` says so: the browser
//! looks for another pod and has these events until it has found one, or until the drain is over. The
//! events, each with JSON as its data:
//!
//! | event | data |
//! | --- | --- |
//! | `hello` | the time here, the Services, whether actions are allowed, and what there is to try, as [`lessons`](mod@super::lessons) has it |
//! | `pods` | pods that have changed, as [`pod`](super::pod) has them, and those that have left; all of them at first |
//! | `traffic` | requests that are over, as [`traffic`](super::traffic) has them |
//! | `status` | how many viewers this pod has, and the rate at which it sends, the highest that one of them has chosen |
//! | `problems` | what doesn't work at the moment, in sentences, each in English and in Chinese |
//! | `bye` | this pod stops |

use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::State,
    http::{
        HeaderMap, HeaderValue, StatusCode, Uri,
        header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use chassis::{
    http::{Refusal, parameters, streamed},
    lifecycle::Life,
};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::{
    sync::{broadcast::error::RecvError, mpsc},
    time::interval,
};

use super::{
    assets::protect,
    board::{event, now},
    chinese::spoken,
    origin,
    traffic::MAX_RATE,
    viewers::{Viewer, Viewers},
};

/// What the handler needs. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Events {
    life: Life,
    viewers: Viewers,
    actions_allowed: bool,
    lessons: Arc<Value>,
}

impl Events {
    pub(super) fn new(life: Life, viewers: Viewers, actions_allowed: bool, lessons: Value) -> Self {
        Self {
            life,
            viewers,
            actions_allowed,
            lessons: Arc::new(lessons),
        }
    }
}

/// How often something is sent at least. Each side then knows within seconds that the other is gone.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(2);

/// A viewer that takes nothing for that long is given up.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// How many events a viewer may be behind before the board's own backlog is used, which all viewers
/// share. An event with all pods is large, so one that waits for each viewer is enough.
const BUFFER: usize = 1;

pub(super) async fn events(
    State(own): State<Events>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Response> {
    if origin::is_other_site(&headers) {
        let sentence = "events are for the page that this server has served";
        return Err(Refusal::new(StatusCode::FORBIDDEN, sentence).into_response());
    }
    let rate = rate(&uri).map_err(Refusal::into_response)?;
    if own.life.is_stopping() {
        return Err(Refusal::unavailable("stopping").into_response());
    }
    let viewer = own.viewers.add(rate).map_err(|why| {
        let why = spoken(&headers, why);
        let mut refusal = Refusal::unavailable(why).into_response();
        let soon = HeaderValue::from_static("5");
        refusal.headers_mut().insert(RETRY_AFTER, soon);
        refusal
    })?;
    let (sender, receiver) = mpsc::channel(BUFFER);
    tokio::spawn(serve(own, viewer, sender));
    // When the client is gone the receiver is dropped, and the sender notices.
    let body = streamed(receiver, |mut receiver| async {
        let event = receiver.recv().await?;
        Some((Frame::data(event), receiver))
    });
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // `no-transform`, or a proxy that compresses would hold events back.
    let cache = HeaderValue::from_static("no-store, no-transform");
    headers.insert(CACHE_CONTROL, cache);
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    protect(headers);
    Ok(response)
}

pub(super) fn rate(uri: &Uri) -> Result<u16, Refusal> {
    let mut values = parameters(uri.query().unwrap_or_default(), &["rate"])?;
    let Some(text) = values.remove("rate") else {
        return Ok(0);
    };
    match text.parse() {
        Ok(rate) if rate <= MAX_RATE => Ok(rate),
        _ => Err(Refusal::bad_input(format!(
            "rate must be a whole number of requests per second from 0 to {MAX_RATE}"
        ))),
    }
}

/// Passes the board's events on until the viewer leaves, is too slow, or this pod stops.
async fn serve(own: Events, viewer: Viewer, sender: mpsc::Sender<Bytes>) {
    let services = own.viewers.watched().services.iter().map(|service| {
        json!({
            "label": service.label,
            "pods": service.pods.join(","),
            "traffic": service.traffic.as_ref().map(ToString::to_string),
        })
    });
    let hello = json!({
        "now": now(),
        "services": services.collect::<Vec<_>>(),
        "actions": own.actions_allowed,
        "lessons": *own.lessons,
    });
    let send = async |event| sender.send_timeout(event, SEND_TIMEOUT).await.is_ok();
    if !send(event("hello", &hello)).await {
        return;
    }
    let mut heartbeat = interval(HEARTBEAT_INTERVAL);
    let mut stopping = false;
    loop {
        // At first, and again after events that were missed.
        let (known, mut events) = viewer.board.subscribe();
        let status = event("status", &viewer.status());
        for event in known.into_iter().chain([status]) {
            if !send(event).await {
                return;
            }
        }
        loop {
            let next = tokio::select! {
                () = sender.closed() => return,
                _ = own.life.stop_requested(), if !stopping => {
                    stopping = true;
                    event("bye", &json!({}))
                }
                () = own.life.closing() => return,
                _ = heartbeat.tick() => Bytes::from_static(b": still here\n\n"),
                event = events.recv() => match event {
                    Ok(event) => event,
                    Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return,
                }
            };
            if !send(next).await {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::services::Watched, *};

    #[tokio::test]
    async fn a_viewer_that_was_too_slow_gets_all_that_is_known_and_nothing_older_after_it() {
        let watched = Arc::new(Watched::new(&chassis::config::defaults()));
        let viewers = Viewers::new(1, watched);
        let viewer = viewers.add(0).unwrap();
        let board = Arc::clone(&viewer.board);
        let own = Events::new(Life::new(Duration::ZERO), viewers, true, Value::Null);
        let (sender, mut receiver) = mpsc::channel(BUFFER);
        tokio::spawn(serve(own, viewer, sender));
        let mut came = String::new();
        let mut next = async || {
            if came.is_empty() {
                let events = receiver.recv().await.expect("the stream goes on");
                came = String::from_utf8(events.to_vec()).unwrap();
            }
            let (event, rest) = came.split_once("\n\n").unwrap();
            let (name, data) = event.split_once("\ndata: ").unwrap_or_default();
            let data: Value = serde_json::from_str(data).unwrap_or_default();
            let event = (name.to_owned(), data);
            came = rest.to_owned();
            event
        };
        while next().await.0 != "event: status" {}
        // No await in between, so the viewer has all of it at once to catch up with.
        board.set_problem("test", Some("it is broken".to_owned()));
        board.send_news();
        for n in 1..=500 {
            board.put("a", json!({ "id": "a", "n": n }));
            board.send_news();
        }
        let (mut states, mut is_told_of_the_problem) = (Vec::new(), false);
        while states.last() != Some(&500) || !is_told_of_the_problem {
            let (name, data) = next().await;
            is_told_of_the_problem |= name == "event: problems" && data["test"][0].is_string();
            let pods = data["pods"].as_array().into_iter().flatten();
            states.extend(pods.filter_map(|pod| pod["n"].as_u64()));
            assert!(states.is_sorted(), "an older state: {states:?}");
        }
    }

    #[test]
    fn a_rate_is_a_whole_number_up_to_fifty() {
        let of = |query: &str| rate(&format!("/page/events{query}").parse().unwrap());
        assert_eq!(of(""), Ok(0));
        assert_eq!(of("?rate=50"), Ok(50));
        for (query, why) in [
            ("?rate=51", "from 0 to 50"),
            ("?rate=-1", "from 0 to 50"),
            ("?rate=x", "from 0 to 50"),
            ("?rate=", "from 0 to 50"),
            ("?rate=1&rate=1", "rate is given twice"),
            ("?rate=1&%72ate=50", "rate is given twice"),
            ("?rat=1", "there is no parameter 'rat'; allowed: rate"),
            ("?1", "there is no parameter '1'; allowed: rate"),
            ("?rate=1%", "a '%' without two hexadecimal digits"),
        ] {
            let refusal = of(query).unwrap_err();
            assert!(refusal.sentence.contains(why), "{query}: {refusal:?}");
        }
    }
}
