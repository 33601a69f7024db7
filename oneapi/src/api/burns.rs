//! `POST /burns` starts a burn that no client waits for, `GET /burns/ID` says how far one is. `GET /burns`
//! lists those that run, `DELETE /burns` and `DELETE /burns/ID` end them: their clients, if they have
//! any, then get their answer, and how far they came.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use chassis::{
    http::{Refusal, RequestBody, Segment, refuse_browser},
    system::seconds,
    text::shown,
};
use serde::Serialize;

use super::{
    highcpu::{self, CannotBurn, End, Report},
    query,
};
use crate::{
    Oneapi,
    burn::{Burn, Burns, Handle},
};

/// A burn in the list.
#[derive(Debug, Serialize)]
pub(crate) struct ListedBurn {
    id: u64,
    /// As the client named itself, if it did.
    caller: Option<String>,
    asked_millicores: u32,
    granted_millicores: u32,
    /// CPU seconds, to its end.
    asked_seconds: f64,
    /// CPU seconds, so far.
    achieved_seconds: f64,
    left_seconds: f64,
}

impl From<&Burn> for ListedBurn {
    fn from(burn: &Burn) -> Self {
        let caller = burn.request.caller.as_ref();
        Self {
            id: burn.id,
            caller: caller.map(ToString::to_string),
            asked_millicores: burn.request.millicores,
            granted_millicores: burn.granted(),
            asked_seconds: seconds(burn.request.cpu_time()),
            achieved_seconds: seconds(burn.achieved()),
            left_seconds: seconds(burn.remaining()),
        }
    }
}

pub(crate) async fn list(
    State(oneapi): State<Oneapi>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<ListedBurn>>, Refusal> {
    query::nothing(&query.unwrap_or_default())?;
    let burns = oneapi.burns.list();
    Ok(Json(burns.iter().map(|burn| (&**burn).into()).collect()))
}

/// `POST /burns?minutes=N…`, with the parameters of `/test/highcpu`. A gateway that ends each request
/// after a minute doesn't end such a burn.
pub(crate) async fn start(
    State(oneapi): State<Oneapi>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: RequestBody,
) -> Result<Response, CannotBurn> {
    check_client(&headers)?;
    if let Err(refusal) = body.read(0).await {
        if refusal.status != StatusCode::PAYLOAD_TOO_LARGE {
            return Err(refusal.into());
        }
        // As `curl -d minutes=1` sends it: a burn of no time would be no answer to that.
        let sentence =
            "a burn's parameters stand in the query, as in /burns?minutes=1, and not in a body";
        return Err(Refusal::bad_input(sentence).into());
    }
    let request = highcpu::accepted(&oneapi, query)?;
    let handle = oneapi.burns.start(request)?;
    let location = [(header::LOCATION, format!("/burns/{}", handle.burn.id))];
    let started = Json(ShownBurn::running(&oneapi.burns, &handle.burn));
    oneapi.unattended.start(&oneapi, handle);
    Ok((StatusCode::CREATED, location, started).into_response())
}

/// `GET /burns/ID`: of a burn that runs, or of one that `POST` started and that has ended lately.
pub(crate) async fn show(
    State(oneapi): State<Oneapi>,
    Segment(id): Segment,
    RawQuery(query): RawQuery,
) -> Result<Json<ShownBurn>, Refusal> {
    query::nothing(&query.unwrap_or_default())?;
    let burn = number(&id).and_then(|id| oneapi.unattended.show(&oneapi.burns, id));
    burn.map(Json).ok_or_else(|| {
        let id = shown(&id);
        Refusal::not_found(format!(
            "no burn '{id}' is running, and none of the last {MAX_ENDED} that POST /burns started has \
             that number"
        ))
    })
}

/// `DELETE /burns`, or of one caller alone: `DELETE /burns?caller=NAME`.
pub(crate) async fn end_all(
    State(oneapi): State<Oneapi>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<String, Refusal> {
    check_client(&headers)?;
    let caller = query::caller_alone(&query.unwrap_or_default())?;
    let ended = oneapi.burns.cancel_all(caller.as_ref());
    Ok(format!("{ended} ended"))
}

pub(crate) async fn end_one(
    State(oneapi): State<Oneapi>,
    Segment(id): Segment,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<&'static str, Refusal> {
    check_client(&headers)?;
    query::nothing(&query.unwrap_or_default())?;
    if number(&id).is_some_and(|id| oneapi.burns.cancel(id)) {
        Ok("ended")
    } else {
        let id = shown(&id);
        Err(Refusal::not_found(format!("no burn '{id}' is running")))
    }
}

/// A burn that a site had started would go on after its page is closed.
fn check_client(headers: &HeaderMap) -> Result<(), Refusal> {
    refuse_browser(headers, "starting and ending burns is")
}

/// What is no number, or not written as one is, names no burn.
fn number(id: &str) -> Option<u64> {
    id.parse()
        .ok()
        .filter(|number: &u64| number.to_string() == id)
}

/// One burn, with all that its answer says.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ShownBurn {
    id: u64,
    caller: Option<String>,
    /// `running`, or how it ended.
    state: &'static str,
    /// Of one that was ended: what it left.
    left_seconds: f64,
    #[serde(flatten)]
    report: Report,
}

impl ShownBurn {
    fn new(burns: &Burns, burn: &Burn, state: &'static str) -> Self {
        Self {
            id: burn.id,
            caller: burn.request.caller.as_ref().map(ToString::to_string),
            state,
            left_seconds: seconds(burn.remaining()),
            report: Report::of(burns, burn),
        }
    }

    fn running(burns: &Burns, burn: &Burn) -> Self {
        // One that was ended is gone at once for every list, though its threads take a moment.
        let ended = burn.is_cancelled();
        let state = if ended { End::Ended.name() } else { "running" };
        Self::new(burns, burn, state)
    }
}

/// How many ended burns can still be asked for: a script that starts all that `MAX_BURNS` allows finds
/// each of them, and once more as many.
const MAX_ENDED: usize = 32;

/// The burns that `POST` started. Each has a task of its own, which holds its handle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unattended(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    running: Vec<Arc<Burn>>,
    /// The last to end is the last here.
    ended: VecDeque<ShownBurn>,
}

impl Unattended {
    fn start(&self, oneapi: &Oneapi, handle: Handle) {
        self.known().running.push(Arc::clone(&handle.burn));
        let (known, oneapi) = (self.clone(), oneapi.clone());
        oneapi.life.clone().spawn(async move {
            let end = highcpu::attend(&oneapi, &handle).await;
            known.ended(ShownBurn::new(&oneapi.burns, &handle.burn, end.name()));
        });
    }

    fn ended(&self, burn: ShownBurn) {
        let mut known = self.known();
        known.running.retain(|running| running.id != burn.id);
        known.ended.push_back(burn);
        if known.ended.len() > MAX_ENDED {
            known.ended.pop_front();
        }
    }

    /// Those that requests wait for are shown too, while they run.
    fn show(&self, burns: &Burns, id: u64) -> Option<ShownBurn> {
        let known = self.known();
        if let Some(ended) = known.ended.iter().find(|burn| burn.id == id) {
            return Some(ended.clone());
        }
        let own = known.running.iter().find(|burn| burn.id == id).cloned();
        drop(known);
        let burn = own.or_else(|| burns.list().into_iter().find(|burn| burn.id == id))?;
        Some(ShownBurn::running(burns, &burn))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
