//! The other side of a conversation: a mock that stands for the authorization server and the API.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, service_fn};
use tower_test::mock::{self, Mock, SendResponse};

use tower_oauth2::client::Client;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::{Error, OAuth2, OAuth2Layer};

pub(crate) type Body = Full<Bytes>;
pub(crate) type Inner = Mock<Request<Body>, Response<Body>>;
pub(crate) type TokenService = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;
pub(crate) type Forms = UnboundedReceiver<Vec<(String, String)>>;
pub(crate) type Service<G = ClientCredentials> = OAuth2<Inner, G>;

pub(crate) const TOKEN_URL: &str = "https://auth.example.com/token";
pub(crate) const API_URL: &str = "https://api.example.com/things";

/// What waits for the test's answer.
pub(crate) struct Server(mock::Handle<Request<Body>, Response<Body>>);

pub(crate) fn grant() -> ClientCredentials {
    ClientCredentials::new(TOKEN_URL, Client::basic("id", "secret")).unwrap()
}

pub(crate) fn layer() -> OAuth2Layer<ClientCredentials> {
    OAuth2Layer::new(grant())
}

/// A service of `layer`, and the server behind it.
pub(crate) fn conversation<G>(layer: &OAuth2Layer<G>) -> (Service<G>, Server) {
    let (inner, handle) = mock::pair();
    (tower::Layer::layer(layer, inner), Server(handle))
}

pub(crate) fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::default()).unwrap()
}

pub(crate) fn ours(error: BoxError) -> Error {
    *error.downcast::<Error>().unwrap()
}

/// The one `Authorization` of the request, if it has any.
pub(crate) fn authorization(request: &Request<Body>) -> Option<&str> {
    let mut all = request.headers().get_all(AUTHORIZATION).iter();
    let first = all.next().map(|value| value.to_str().unwrap());
    assert_eq!(all.next(), None, "two of them");
    first
}

pub(crate) fn token(access_token: &str, expires_in: u64) -> Value {
    json!({"access_token": access_token, "token_type": "Bearer", "expires_in": expires_in})
}

pub(crate) fn answer(status: u16, body: impl ToString) -> Response<Body> {
    Response::builder().status(status).body(body.to_string().into()).unwrap()
}

/// Moves the clock, and lets everything run that this wakes.
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

impl Server {
    /// The next request, whatever it is for.
    pub(crate) async fn next(&mut self) -> (Request<Body>, SendResponse<Response<Body>>) {
        // A deadline, so that a request which never comes is a failure and not a hang.
        tokio::time::timeout(Duration::from_secs(3600), self.0.next_request()).await.expect("no request").unwrap()
    }

    /// The next request must be a token request: its form.
    pub(crate) async fn token_request(&mut self) -> (Vec<(String, String)>, SendResponse<Response<Body>>) {
        let (request, respond) = self.next().await;
        assert_eq!(request.uri(), TOKEN_URL);
        (form(request).await, respond)
    }

    /// Answers the next request, which must be a token request.
    pub(crate) async fn grants(&mut self, answer_body: Value) {
        let (_, respond) = self.token_request().await;
        respond.send_response(answer(200, answer_body));
    }

    /// Answers the next request, which must be for the API: what it was authorized with.
    pub(crate) async fn serves(&mut self) -> Option<String> {
        let (request, respond) = self.next().await;
        assert_ne!(request.uri(), TOKEN_URL);
        let authorized = authorization(&request).map(ToOwned::to_owned);
        respond.send_response(answer(200, ""));
        authorized
    }

    /// Nothing is asked for, even after everybody had a turn.
    pub(crate) async fn hears_nothing(&mut self) {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(tokio_test::task::spawn(self.0.next_request()).poll().is_pending(), "an unexpected request");
    }
}

pub(crate) async fn form(request: Request<Body>) -> Vec<(String, String)> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    url::form_urlencoded::parse(&body).into_owned().collect()
}

/// A token endpoint that gives these answers, one after the other, and then tokens; and the forms that it gets.
pub(crate) fn token_endpoint(answers: Vec<Response<Body>>) -> (TokenService, Forms) {
    let (tell, forms) = unbounded_channel();
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    let service = service_fn(move |request: Request<Body>| {
        let (tell, answers) = (tell.clone(), answers.clone());
        async move {
            assert_eq!(request.uri(), TOKEN_URL);
            tell.send(form(request).await)?;
            let next = answers.lock().unwrap().pop_front();
            Ok(next.unwrap_or_else(|| answer(200, token("a", 3600))))
        }
    });
    (BoxCloneSyncService::new(service), forms)
}

/// A form as a test writes it.
pub(crate) fn pairs(form: &[(&str, &str)]) -> Vec<(String, String)> {
    form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
