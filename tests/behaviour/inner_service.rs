//! Access to the inner service, with the methods of tower's own middleware.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::{Layer, Service as _, ServiceExt};
use tower_oauth2::{OAuth2, Token};

use crate::support::{API_URL, Body, answer, get, layer};

/// A client with a setting. Each `poll_ready` makes it ready for one call.
#[derive(Clone, Debug, PartialEq)]
struct Client {
    name: &'static str,
    is_ready: bool,
}

impl tower::Service<Request<Body>> for Client {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called without readiness");
        ready(Ok(answer(200, self.name)))
    }
}

fn service() -> OAuth2<Client, tower_oauth2::grant::ClientCredentials> {
    let service = layer().layer(Client { name: "one", is_ready: false });
    service.tokens().set(Token::bearer("a").unwrap());
    service
}

#[tokio::test]
async fn get_ref_and_get_mut() {
    let mut service = service();
    assert_eq!(service.get_ref().name, "one");
    service.get_mut().name = "two";
    assert_eq!(service.get_ref().name, "two");
    let clone = service.clone();
    service.get_mut().name = "three";
    assert_eq!(clone.get_ref().name, "two", "a clone is independent");
    // `get_mut` may be used between `poll_ready` and `call`, if the service stays ready.
    service.ready().await.unwrap();
    service.get_mut().name = "four";
    assert!(service.get_ref().is_ready);
    service.call(get(API_URL)).await.unwrap();
    assert!(!service.get_ref().is_ready);
}

#[tokio::test]
async fn into_inner() {
    let mut service = service();
    let tokens = service.tokens();
    service.ready().await.unwrap();
    assert_eq!(service.into_inner(), Client { name: "one", is_ready: true });
    assert_eq!(tokens.peek().unwrap().access_token(), "a");
}
