//! One request, from readiness to the last byte of its answer, and what became of it.

use std::{borrow::Cow, future::poll_fn, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::time::sleep;
use tower::{BoxError, Service, ServiceExt, util::BoxCloneService};
use tower_oauth2::{Error, ErrorKind, Tokens};

use super::{
    ledger::Ledger,
    plan::{Manners, Plan},
    run::Run,
    tally::Part,
    witness::{Knowledge, SentWith},
};

pub(crate) type Client = BoxCloneService<Request<Full<Bytes>>, Response<Incoming>, BoxError>;

/// What the callers of one login have in common.
pub(crate) struct Place {
    pub(crate) run: Arc<Run>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) tokens: Tokens,
    pub(crate) api: String,
    /// Whether requests and token calls have to wait for a place.
    pub(crate) is_crowded: bool,
}

/// So long before its expiry a token of two seconds counts as expired: what is waited for then is the next.
const SKEW: Duration = Duration::from_millis(200);

pub(crate) enum Outcome {
    Answered(u16),
    /// The connection to the API broke.
    Broken(&'static str),
    /// The caller went away.
    Left(&'static str),
    /// The layer's own error.
    NoToken(ErrorKind),
    Hung,
}

impl Outcome {
    pub(crate) fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Answered(status) => format!("{status}").into(),
            Self::Broken(how) => (*how).into(),
            Self::Left(how) => format!("caller gone: {how}").into(),
            Self::NoToken(kind) => format!("no token: {kind:?}").into(),
            Self::Hung => "hung".into(),
        }
    }
}

pub(crate) async fn attempt(place: &Place, client: &mut Client, plan: Plan) -> Outcome {
    if client.ready().now_or_never().is_none() {
        if place.tokens.peek().is_none_or(|token| token.is_expired(SKEW)) {
            place.run.count(Part::OnTheWay, place.ledger.why_wait());
        }
        if plan.manners == Manners::WaitsForNoToken {
            return Outcome::Left("rather than wait for a token");
        }
    }
    let client = match client.ready().await {
        Ok(client) => client,
        Err(error) => return failed(&error),
    };
    let mut pause = Duration::ZERO;
    match plan.manners {
        Manners::OnlyReadies => return Outcome::Left("ready, without a call"),
        Manners::Dawdles(before, after) => {
            sleep(before).await;
            pause = after;
        }
        _ => {}
    }
    let Ok(mut request) = Request::get(format!("{}{}", place.api, plan.fate.path())).body(Full::default()) else {
        return Outcome::Broken("no request");
    };
    let knowledge = Arc::new(Knowledge::default());
    request.extensions_mut().insert(knowledge.clone());
    knowledge.refresh(&place.tokens, &place.ledger);
    let mut response = pin!(client.call(request));
    let mut response = poll_fn(|cx| {
        knowledge.refresh(&place.tokens, &place.ledger);
        response.as_mut().poll(cx)
    });
    let mut early = None;
    if !pause.is_zero() {
        early = (&mut response).now_or_never();
        sleep(pause).await;
    }
    let response = match early {
        Some(response) => response,
        None => response.await,
    };
    match response {
        Ok(response) => heard(place, response).await,
        Err(error) => failed(&error),
    }
}

async fn heard(place: &Place, response: Response<Incoming>) -> Outcome {
    let status = response.status().as_u16();
    if let Some(SentWith(access)) = response.extensions().get() {
        match status {
            200 => place.ledger.accepted(*access),
            401 => place.ledger.refused(*access),
            _ => {}
        }
    }
    match response.into_body().collect().await {
        Ok(_) => Outcome::Answered(status),
        Err(_) => Outcome::Broken("half an answer"),
    }
}

fn failed(error: &BoxError) -> Outcome {
    match error.downcast_ref::<Error>() {
        Some(error) => Outcome::NoToken(error.kind()),
        None => Outcome::Broken("the connection to the API broke"),
    }
}
