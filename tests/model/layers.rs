//! The layer under test and its services, independent of their types.

use http::{Request, Response};
use tokio::sync::watch;
use tower::retry::RetryLayer;
use tower::util::BoxCloneService;
use tower::{BoxError, Layer, Service as _, ServiceExt};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, Grant, RefreshToken};
use tower_oauth2::retry::RetryUnauthorized;
use tower_oauth2::{Error, OAuth2Layer, Token, Tokens};

use crate::inner::{Body, CALLER, Inner, TOKEN_URL};
use crate::results::End;
use crate::server::Credential;
use crate::service_count::Alive;
use crate::steps::Setting;
use crate::world::Shared;

type Boxed = BoxCloneService<Request<Body>, Response<Body>, BoxError>;

/// The parts of a token that are compared: the access token and the refresh token.
pub(crate) type Shown = Option<(String, Option<String>)>;

pub(crate) struct Layered {
    tokens: Tokens,
    changes: watch::Receiver<Option<Token>>,
    /// The newest token and the one before it.
    known: [Option<Token>; 2],
    layer: Box<dyn Fn() -> Boxed>,
}

#[derive(Clone)]
pub(crate) struct Service(Boxed);

impl Layered {
    pub(crate) fn new(setting: Setting, world: &Shared) -> Self {
        let preset = world.lock().reference.credential();
        let made = match preset {
            Some(Credential::RefreshToken(text)) => RefreshToken::new(TOKEN_URL, Client::public("id"), text)
                .and_then(|grant| Self::of(grant, setting, world)),
            _ => ClientCredentials::new(TOKEN_URL, Client::basic("id", "secret"))
                .and_then(|grant| Self::of(grant, setting, world)),
        };
        made.expect("the settings are valid")
    }

    fn of(grant: impl Grant, setting: Setting, world: &Shared) -> Result<Self, Error> {
        let inner = Inner { world: world.clone(), gated: setting.token_service };
        let mut layer = OAuth2Layer::new(grant);
        if !setting.with_jitter {
            layer = layer.refresh_ahead_jitter(0.0)?.backoff_jitter(0.0)?;
        }
        let tokens = layer.tokens();
        let layer: Box<dyn Fn() -> Boxed> = if setting.token_service {
            let layer = layer.token_service(Inner { world: world.clone(), gated: false });
            Box::new(move || BoxCloneService::new(Alive::new(layer.layer(inner.clone()), &inner.world)))
        } else {
            Box::new(move || BoxCloneService::new(Alive::new(layer.layer(inner.clone()), &inner.world)))
        };
        Ok(Self { changes: tokens.changes(), tokens, known: [None, None], layer })
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Returns the newest token that was seen, or the one before it.
    pub(crate) fn token(&self, newest: bool) -> Option<Token> {
        self.known[usize::from(!newest)].clone()
    }

    /// Records the newest token.
    pub(crate) fn remember(&mut self) {
        let newest = self.tokens.peek();
        if newest.is_some() && self.known[0] != newest {
            self.known = [newest, self.known[0].take()];
        }
    }

    /// Returns the token that the handle returns, and the newest value of its changes.
    pub(crate) fn shown(&self) -> (Shown, Shown) {
        let shown = |token: &Token| (token.access_token().to_owned(), token.refresh_token().map(ToOwned::to_owned));
        (self.tokens.peek().as_ref().map(shown), self.changes.borrow().as_ref().map(shown))
    }

    /// Creates another service of the layer.
    pub(crate) fn service(&self) -> Service {
        Service((self.layer)())
    }
}

impl Service {
    pub(crate) async fn once(self, caller: usize) -> End {
        end(self.0.oneshot(request(caller)).await)
    }

    /// Sends a request, and retries it if its token is rejected.
    pub(crate) async fn with_retry(self, caller: usize) -> End {
        end(RetryLayer::new(RetryUnauthorized::new()).layer(self.0).oneshot(request(caller)).await)
    }

    /// Waits until the service is ready. Returns `None` if it fails, which must not happen.
    pub(crate) async fn ready(mut self) -> Option<Self> {
        self.0.ready().await.is_ok().then_some(self)
    }

    pub(crate) async fn call(mut self, caller: usize) -> End {
        end(self.0.call(request(caller)).await)
    }
}

fn request(caller: usize) -> Request<Body> {
    let mut request = Request::new(Body::default());
    *request.uri_mut() = http::Uri::from_static("https://api.example.com/things");
    request.headers_mut().insert(CALLER, caller.into());
    request
}

fn end(outcome: Result<Response<Body>, BoxError>) -> End {
    match outcome {
        Ok(response) => End::Response(response.status().as_u16()),
        Err(error) => match error.downcast::<Error>() {
            Ok(ours) => End::Failed(ours.kind()),
            Err(theirs) => panic!("an error of another type than the layer's: {theirs}"),
        },
    }
}
