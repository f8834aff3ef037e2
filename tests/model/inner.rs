//! What is under the layer: one service, through which the requests for the API go and the token calls too.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tokio::time::sleep;
use tower::{BoxError, Service};

use crate::calls::Reply;
use crate::server::{Credential, Mode};
use crate::world::Shared;

pub(crate) type Body = Full<Bytes>;
type Answer = Result<Response<Body>, BoxError>;

pub(crate) const TOKEN_URL: &str = "https://auth.example.com/token";

/// More token calls than any sequence needs.
const MANY: usize = 2_000;

/// Says which ask a request is of.
pub(crate) const ASK: &str = "x-ask";

#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) world: Shared,
    /// Whether it is ready only while the gate is open.
    pub(crate) gated: bool,
}

impl Service<Request<Body>> for Inner {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

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
            (header(ASK).parse().unwrap_or(usize::MAX), header("authorization").split_off("Bearer ".len()));
        let delay = {
            let mut world = world.lock();
            world.is_sent(id, &access);
            world.api_delay
        };
        Box::pin(async move {
            if delay > 0 {
                sleep(Duration::from_millis(delay)).await;
            }
            answer(if world.lock().is_answered(id, &access) { 200 } else { 401 }, "")
        })
    }
}

async fn token(world: &Shared, request: Request<Body>) -> Answer {
    let body = request.into_body().collect().await?.to_bytes();
    let mut form = url::form_urlencoded::parse(&body);
    let refresh_token = form.find(|(name, _)| name == "refresh_token");
    let credential = refresh_token.map_or(Credential::Client, |(_, text)| Credential::RefreshToken(text.into_owned()));
    let (id, mode) = {
        let mut world = world.lock();
        (world.call_begins(credential), world.server.mode)
    };
    let under_way = UnderWay { world, id };
    if id >= MANY {
        // A client that never stops would not let time pass.
        world.lock().fault("too many token calls");
        std::future::pending::<()>().await;
    }
    if let Mode::Slow(secs) = mode {
        sleep(Duration::from_secs(secs)).await;
    }
    let reply = world.lock().call_ends(under_way.id);
    match reply {
        Reply::Issued(issued) => {
            let (access, refresh, lifetime) = (issued.access, issued.refresh, issued.lifetime);
            answer(200, json!({"access_token": access, "refresh_token": refresh, "expires_in": lifetime}))
        }
        Reply::InvalidGrant => answer(400, json!({"error": "invalid_grant"})),
        Reply::Broken => Err("the connection broke".into()),
        Reply::Busy(retry_after) => {
            let mut response = answer(503, "")?;
            if let Some(secs) = retry_after {
                response.headers_mut().insert("retry-after", secs.into());
            }
            Ok(response)
        }
    }
}

fn answer(status: u16, body: impl ToString) -> Answer {
    Ok(Response::builder().status(status).body(body.to_string().into())?)
}

/// A token call that somebody waits for.
struct UnderWay<'a> {
    world: &'a Shared,
    id: usize,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        // After its answer there is nothing left of it.
        self.world.lock().call_is_dropped(self.id);
    }
}
