//! Sends one request, from readiness to the last byte of the response, and returns its outcome.

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
    behavior::{CallerBehavior, RequestPlan},
    ledger::Ledger,
    monitor::{NewestToken, SentWith},
    run::Run,
    sends::{Sends, demanded_nonce},
    tally::Part,
    token_requests::TokenRequests,
};

pub(crate) type Client = BoxCloneService<Request<Full<Bytes>>, Response<Incoming>, BoxError>;

/// What the callers of one login share.
pub(crate) struct LoginContext {
    pub(crate) run: Arc<Run>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) token_requests: Arc<TokenRequests>,
    pub(crate) tokens: Tokens,
    pub(crate) api: String,
    /// Whether API requests and token requests share a concurrency limit.
    pub(crate) has_concurrency_limit: bool,
}

/// The layer's clock skew for a token of two seconds: within it the token counts as expired.
const SKEW: Duration = Duration::from_millis(200);

pub(crate) enum Outcome {
    Response(u16),
    /// The connection to the API broke.
    Broken(&'static str),
    /// The caller dropped the request.
    Cancelled(&'static str),
    /// The layer's own error.
    NoToken(ErrorKind),
    TimedOut,
}

impl Outcome {
    pub(crate) fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Response(status) => format!("{status}").into(),
            Self::Broken(how) => (*how).into(),
            Self::Cancelled(how) => format!("cancelled: {how}").into(),
            Self::NoToken(kind) => format!("no token: {kind:?}").into(),
            Self::TimedOut => "hung".into(),
        }
    }
}

pub(crate) async fn send_request(context: &LoginContext, client: &mut Client, plan: RequestPlan) -> Outcome {
    if client.ready().now_or_never().is_none() {
        if context.tokens.peek().is_none_or(|token| token.is_expired(SKEW)) {
            context.run.count(Part::Events, context.ledger.wait_reason());
        }
        if plan.caller == CallerBehavior::DropsInsteadOfWaiting {
            return Outcome::Cancelled("instead of waiting for a token");
        }
    }
    let client = match client.ready().await {
        Ok(client) => client,
        Err(error) => return failed(&error),
    };
    let mut pause = Duration::ZERO;
    match plan.caller {
        CallerBehavior::DropsReadyService => return Outcome::Cancelled("ready, but not called"),
        CallerBehavior::Delays(before, after) => {
            sleep(before).await;
            pause = after;
        }
        _ => {}
    }
    let Ok(mut request) = Request::get(format!("{}{}", context.api, plan.api.path())).body(Full::default()) else {
        return Outcome::Broken("no request");
    };
    let newest_token = Arc::new(NewestToken::default());
    request.extensions_mut().insert(newest_token.clone());
    request.extensions_mut().insert(Arc::new(Sends::default()));
    newest_token.refresh(&context.tokens, &context.ledger);
    let mut response = pin!(client.call(request));
    let mut response = poll_fn(|cx| {
        newest_token.refresh(&context.tokens, &context.ledger);
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
        Ok(response) => read_response(context, response).await,
        Err(error) => failed(&error),
    }
}

async fn read_response(context: &LoginContext, response: Response<Incoming>) -> Outcome {
    let status = response.status().as_u16();
    if let Some(SentWith(access)) = response.extensions().get() {
        match status {
            200 => context.ledger.accepted(*access),
            401 if demanded_nonce(response.status(), response.headers()).is_none() => {
                context.token_requests.is_rejected(*access)
            }
            _ => {}
        }
    }
    match response.into_body().collect().await {
        Ok(_) => Outcome::Response(status),
        Err(_) => Outcome::Broken("truncated response"),
    }
}

fn failed(error: &BoxError) -> Outcome {
    match error.downcast_ref::<Error>() {
        Some(error) => Outcome::NoToken(error.kind()),
        None => Outcome::Broken("the connection to the API broke"),
    }
}
