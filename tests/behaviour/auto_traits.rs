//! Everything can be spawned and shared, where the inner service allows.

use http::Request;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::form::Form;
use tower_oauth2::future::ResponseFuture;
use tower_oauth2::grant::{
    AuthorizationCode, ClientCredentials, DeviceCode, DevicePrompt, Grant, Password, RefreshToken,
};
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind, OAuth2, OAuth2Layer, Token, Tokens};

use crate::support::Body;

fn share<T: Send + Sync + Clone + 'static>() {}
fn send<T: Send>(_: &T) {}

/// A grant that is neither `Clone` nor anything else.
struct Bare;

impl Grant for Bare {
    async fn obtain(&self, _: Option<Token>, _: Transport) -> Result<Token, Error> {
        Token::bearer("a")
    }
}

#[test]
fn types_are_shared_and_cloned() {
    share::<OAuth2Layer<Bare>>();
    share::<OAuth2<(), Bare>>();
    share::<Token>();
    share::<Tokens>();
    share::<Error>();
    share::<ErrorKind>();
    share::<Client>();
    share::<ClientCredentials>();
    share::<AuthorizationCode>();
    share::<Password>();
    share::<RefreshToken>();
    share::<DeviceCode>();
    share::<DevicePrompt>();
    share::<TokenEndpoint>();
    share::<Form>();
    share::<Transport>();
}

#[test]
fn futures_are_sent() {
    fn send_type<T: Send>() {}
    send_type::<ResponseFuture<std::future::Ready<()>, (), Body>>();
    let tokens = OAuth2Layer::new(Bare).tokens();
    let mut request = Request::new(());
    send(&tokens.get());
    send(&tokens.refresh());
    send(&tokens.authorize(&mut request));
    fn of_a_grant(endpoint: &TokenEndpoint, http: &Transport, grant: &ClientCredentials) {
        send(&endpoint.token(http, Form::new("g")));
        send(&http.send(Request::default()));
        send(&grant.obtain(None, http.clone()));
    }
    let _ = of_a_grant;
}

/// An inner service that is not `Sync` is enough, for all that is sent.
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
