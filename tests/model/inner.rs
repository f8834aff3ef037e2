//! The inner service, which handles requests to the API and token requests.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tokio::time::sleep;
use tower::{BoxError, Service};

use crate::server::{Credential, Mode};
use crate::token_requests::Reply;
use crate::world::Shared;

pub(crate) type Body = Full<Bytes>;
type InnerResult = Result<Response<Body>, BoxError>;

pub(crate) const TOKEN_URL: &str = "https://auth.example.com/token";

/// More token requests than any sequence needs.
const MANY: usize = 2_000;

/// The header with the caller's id.
pub(crate) const CALLER: &str = "x-caller";

#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) world: Shared,
    /// Whether the service is ready only while the gate is open.
    pub(crate) gated: bool,
}

impl Service<Request<Body>> for Inner {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = InnerResult> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let gate = &mut self.world.lock().gate;
        if self.gated && gate.closed {
            gate.wait(cx.waker());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let world = self.world.clone();
        if request.uri() == TOKEN_URL {
            return Box::pin(async move { token(&world, request).await });
        }
        let header = |name: &str| request.headers()[name].to_str().unwrap_or_default().to_owned();
        let (id, access) =
            (header(CALLER).parse().unwrap_or(usize::MAX), header("authorization").split_off("Bearer ".len()));
        let delay = {
            let mut world = world.lock();
            world.is_sent(id, &access);
            world.api_delay
        };
        Box::pin(async move {
            if delay > 0 {
                sleep(Duration::from_millis(delay)).await;
            }
            respond(if world.lock().is_answered(id, &access) { 200 } else { 401 }, "")
        })
    }
}

async fn token(world: &Shared, request: Request<Body>) -> InnerResult {
    let body = request.into_body().collect().await?.to_bytes();
    let mut form = url::form_urlencoded::parse(&body);
    let refresh_token = form.find(|(name, _)| name == "refresh_token");
    let credential = refresh_token.map_or(Credential::Client, |(_, text)| Credential::RefreshToken(text.into_owned()));
    let (id, mode) = {
        let mut world = world.lock();
        (world.token_request_begins(credential), world.server.mode)
    };
    let under_way = UnderWay { world, id };
    if id >= MANY {
        // A client that never stops would keep time from advancing.
        world.lock().fault("too many token requests");
        std::future::pending::<()>().await;
    }
    if let Mode::Slow(secs) = mode {
        sleep(Duration::from_secs(secs)).await;
    }
    let reply = world.lock().token_request_ends(under_way.id);
    match reply {
        Reply::Issued(issued) => {
            let (access, refresh, lifetime) = (issued.access, issued.refresh, issued.lifetime);
            respond(200, json!({"access_token": access, "refresh_token": refresh, "expires_in": lifetime}))
        }
        Reply::InvalidGrant => respond(400, json!({"error": "invalid_grant"})),
        Reply::Broken => Err("the connection broke".into()),
        Reply::Busy(retry_after) => {
            let mut response = respond(503, "")?;
            if let Some(secs) = retry_after {
                response.headers_mut().insert("retry-after", secs.into());
            }
            Ok(response)
        }
    }
}

fn respond(status: u16, body: impl ToString) -> InnerResult {
    Ok(Response::builder().status(status).body(body.to_string().into())?)
}

/// A running token request.
struct UnderWay<'a> {
    world: &'a Shared,
    id: usize,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        // A completed token request is already removed.
        self.world.lock().token_request_dropped(self.id);
    }
}
