//! All types can be spawned and shared, if the inner service can.

use http::Request;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::form::Form;
use tower_oauth2::future::ResponseFuture;
use tower_oauth2::grant::{
    AuthorizationCode, BoxGrant, ClientCredentials, Context, DeviceCode, DeviceOutcome, DevicePrompt, Grant, Password,
    RefreshToken,
};
use tower_oauth2::retry::{Buffered, RecordedBody, RecordingLayer, RecordingService, RetryUnauthorized, TokenRejected};
use tower_oauth2::transport::Transport;
use tower_oauth2::{Challenge, Error, ErrorKind, OAuth2, OAuth2Layer, Token, Tokens};

use crate::support::Body;

fn share<T: Send + Sync + Clone + 'static>() {}
fn send<T: Send>(_: &T) {}

/// A grant that implements no other trait.
struct Bare;

impl Grant for Bare {
    async fn obtain(&self, _: Context) -> Result<Token, Error> {
        Token::bearer("a")
    }
}

#[test]
fn types_are_shared_and_cloned() {
    share::<OAuth2Layer<Bare>>();
    share::<OAuth2<(), Bare>>();
    share::<BoxGrant>();
    share::<Context>();
    share::<Token>();
    share::<Tokens>();
    share::<Error>();
    share::<ErrorKind>();
    share::<Challenge>();
    share::<Client>();
    share::<ClientCredentials>();
    share::<AuthorizationCode>();
    share::<Password>();
    share::<RefreshToken>();
    share::<DeviceCode>();
    share::<DeviceOutcome>();
    share::<DevicePrompt>();
    share::<TokenEndpoint>();
    share::<Form>();
    share::<Transport>();
    share::<TokenRejected>();
    share::<RetryUnauthorized<Buffered>>();
    share::<RecordingLayer<fn()>>();
    share::<RecordingService<(), fn()>>();
}

#[test]
fn futures_are_send() {
    fn send_type<T: Send>() {}
    fn send_and_sync_type<T: Send + Sync>() {}
    send_type::<ResponseFuture<std::future::Ready<()>, (), Body>>();
    // reqwest takes bodies that are `Sync` only.
    send_and_sync_type::<RecordedBody<reqwest::Body>>();
    send_type::<RecordedBody<tonic::body::Body>>();
    let tokens = OAuth2Layer::new(Bare).tokens();
    let mut request = Request::new(());
    send(&tokens.get());
    send(&tokens.refresh());
    send(&tokens.authorize(&mut request));
    fn of_a_grant(endpoint: &TokenEndpoint, http: &Transport, grant: &ClientCredentials) {
        send(&endpoint.token(http, Form::new("g")));
        send(&http.send(Request::default()));
        send(&grant.obtain(Context::new(http.clone())));
    }
    let _ = of_a_grant;
}

/// Like [`OAuth2`], a service with a token for each tenant can be shared. Its future need not be pinned if the inner one need not be.
#[cfg(feature = "tenants")]
#[test]
fn types_of_tenants_are_shared_and_their_futures_are_send() {
    use tower_oauth2::route::{ThroughService, WithBody};
    use tower_oauth2::tenants::{Subject, TenantFuture, Tenants, TenantsLayer};

    fn share_unpinned<T: Send + Sync + Clone + Unpin + 'static>() {}
    fn send_unpinned<T: Send + Unpin + 'static>() {}
    share_unpinned::<Subject>();
    share_unpinned::<TenantsLayer<Subject>>();
    share_unpinned::<TenantsLayer<String, ThroughService>>();
    share_unpinned::<TenantsLayer<u64, WithBody<fn()>>>();
    share_unpinned::<Tenants<(), Subject>>();
    share_unpinned::<Tenants<(), Subject, ThroughService>>();
    fn send<T: Send>(_: T) {}
    let layer = TenantsLayer::new(|_: &u64| Ok(tower_oauth2::grant::grant_fn(async |_| Token::bearer("unused"))));
    send(layer.flush());
    send_unpinned::<TenantFuture<std::future::Ready<()>, (), Body>>();
    send_unpinned::<ResponseFuture<std::future::Ready<()>, (), Body>>();
}

/// The inner service must be `Send`, but not `Sync`.
#[test]
fn the_inner_service_need_not_be_sync() {
    fn service<S: tower::Service<Request<Body>>>(_: S) {}
    let counter = std::cell::Cell::new(0);
    let inner = tower::service_fn(move |_: Request<Body>| {
        counter.set(counter.get() + 1);
        std::future::ready(Ok::<_, std::io::Error>(http::Response::new(Body::default())))
    });
    service(tower::Layer::layer(&OAuth2Layer::new(Bare), inner));
}
