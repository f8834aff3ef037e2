//! The context of a grant: the previous token, the reason, and a transport.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::timeout;
use tower::ServiceExt;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{ClientCredentials, Context, Grant, Reason, RefreshToken, grant_fn};
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, OAuth2Layer, Token};

use crate::support::{API_URL, Server, Service, TOKEN_URL, answer, get, grant, mock_service, pass, token_endpoint};

const HOUR: Duration = Duration::from_secs(3600);

/// Numbers its tokens, and records the reason and the previous token of each call.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Call>>>);

type Call = (Reason, Option<String>);

impl Recorder {
    #[track_caller]
    fn calls(&self, expected: &[(Reason, Option<&str>)]) {
        let calls = self.0.lock().unwrap();
        let calls: Vec<_> = calls.iter().map(|(reason, previous)| (*reason, previous.as_deref())).collect();
        assert_eq!(calls, expected);
    }
}

impl Grant for Recorder {
    async fn obtain(&self, cx: Context) -> Result<Token, Error> {
        let mut calls = self.0.lock().unwrap();
        calls.push((cx.reason(), cx.previous().map(|token| token.access_token().to_owned())));
        Ok(Token::bearer(format!("t{}", calls.len()))?.with_expires_in(HOUR))
    }
}

fn recorded() -> (Recorder, Service<Recorder>, Server) {
    let recorder = Recorder::default();
    let (service, server) = mock_service(&OAuth2Layer::new(recorder.clone()));
    (recorder, service, server)
}

/// Sends a request, which the API answers with this status. Returns its `Authorization`.
async fn request(service: &Service<Recorder>, server: &mut Server, status: u16) -> String {
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let (request, respond) = server.next().await;
    respond.send_response(answer(status, ""));
    sent.await.unwrap().unwrap();
    crate::support::authorization(&request).unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_missing_token() {
    let (recorder, service, mut server) = recorded();
    request(&service, &mut server, 200).await;
    pass(HOUR).await;
    request(&service, &mut server, 200).await;
    service.tokens().invalidate();
    request(&service, &mut server, 200).await;
    service.tokens().forget();
    assert_eq!(request(&service, &mut server, 200).await, "Bearer t4");
    let missing = Reason::Missing;
    recorder.calls(&[(missing, None), (missing, Some("t1")), (missing, Some("t2")), (missing, None)]);
}

#[tokio::test(start_paused = true)]
async fn a_proactive_refresh() {
    let (recorder, service, mut server) = recorded();
    request(&service, &mut server, 200).await;
    pass(HOUR - Duration::from_secs(60)).await;
    assert_eq!(request(&service, &mut server, 200).await, "Bearer t1");
    recorder.calls(&[(Reason::Missing, None), (Reason::Proactive, Some("t1"))]);
}

#[tokio::test(start_paused = true)]
async fn a_forced_refresh() {
    let (recorder, service, mut server) = recorded();
    request(&service, &mut server, 200).await;
    service.tokens().refresh().await.unwrap();
    recorder.calls(&[(Reason::Missing, None), (Reason::Forced, Some("t1"))]);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_token() {
    let (recorder, service, mut server) = recorded();
    request(&service, &mut server, 401).await;
    assert_eq!(request(&service, &mut server, 200).await, "Bearer t2");
    service.tokens().invalidate();
    request(&service, &mut server, 200).await;
    recorder.calls(&[(Reason::Missing, None), (Reason::Rejected, Some("t1")), (Reason::Missing, Some("t2"))]);
}

#[tokio::test(start_paused = true)]
async fn a_rejection_and_then_a_forced_refresh() {
    let (recorder, service, mut server) = recorded();
    request(&service, &mut server, 401).await;
    service.tokens().refresh().await.unwrap();
    recorder.calls(&[(Reason::Missing, None), (Reason::Rejected, Some("t1")), (Reason::Forced, Some("t2"))]);
}

#[tokio::test(start_paused = true)]
async fn a_grant_without_a_layer() {
    let (service, mut forms) = token_endpoint(vec![]);
    let cx = Context::new(Transport::new(service));
    assert_eq!((cx.previous(), cx.reason()), (None, Reason::Missing));
    let previous = Token::bearer("old").unwrap().with_refresh_token("r1");
    let forced = cx.clone().with_previous(previous.clone()).with_reason(Reason::Forced);
    assert_eq!((forced.previous(), forced.reason()), (Some(&previous), Reason::Forced));

    assert_eq!(grant().obtain(forced.clone()).await.unwrap().refresh_token(), Some("r1"));
    assert_eq!(forms.recv().await.unwrap()[0].1, "refresh_token");
    grant().obtain(forced.with_previous(None)).await.unwrap();
    assert_eq!(forms.recv().await.unwrap()[0].1, "client_credentials");

    let text = format!("{:?}", cx.with_previous(Token::bearer("hunter2").unwrap().with_refresh_token("hunter2-r")));
    assert!(text.contains("Missing") && !text.contains("hunter2"), "{text}");
}

/// Calls the inner grant as for a proactive refresh.
struct Hesitant<G>(G);

impl<G: Grant> Grant for Hesitant<G> {
    async fn obtain(&self, cx: Context) -> Result<Token, Error> {
        let previous = Token::bearer("changed").unwrap().with_refresh_token("r9");
        self.0.obtain(cx.with_previous(previous).with_reason(Reason::Proactive)).await
    }

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn initial_token(&self) -> Option<Token> {
        self.0.initial_token()
    }
}

#[tokio::test(start_paused = true)]
async fn a_grant_passes_on_a_changed_context() {
    let recorder = Recorder::default();
    let (service, _forms) = token_endpoint(vec![]);
    OAuth2Layer::new(Hesitant(recorder.clone())).token_service(service).tokens().get().await.unwrap();
    recorder.calls(&[(Reason::Proactive, Some("changed"))]);

    let (service, mut forms) = token_endpoint(vec![]);
    let inside: ClientCredentials = grant().token(Token::bearer("initial").unwrap());
    let tokens = OAuth2Layer::new(Hesitant(inside)).token_service(service).tokens();
    assert_eq!(tokens.get().await.unwrap().access_token(), "initial");
    tokens.refresh().await.unwrap();
    assert_eq!(forms.recv().await.unwrap()[1].1, "r9");
}

#[tokio::test(start_paused = true)]
async fn the_refresh_token_of_a_grant_is_sent_by_one_call_at_a_time_and_not_after_a_success() {
    let (service, mut forms) = token_endpoint(vec![answer(503, "")]);
    let grant = RefreshToken::new(TOKEN_URL, Client::public("id"), "r1").unwrap();
    let cx = Context::new(Transport::new(service));
    for is_ok in [false, true] {
        assert_eq!(grant.obtain(cx.clone()).await.is_ok(), is_ok);
        assert_eq!(forms.recv().await.unwrap()[1].1, "r1");
    }
    grant.obtain(cx).await.unwrap_err();
    assert!(forms.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_closure_is_a_grant() {
    let (service, mut forms) = token_endpoint(vec![]);
    let inside = Arc::new(grant());
    let calls = inside.clone();
    let closure = grant_fn(move |cx: Context| {
        let inside = calls.clone();
        async move { inside.obtain(cx).await }
    });
    assert_eq!((closure.name(), closure.initial_token()), ("custom", None));
    let tokens = OAuth2Layer::new(closure.clone()).token_service(service).tokens();
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    assert_eq!(forms.recv().await.unwrap()[0].1, "client_credentials");
    assert!(format!("{closure:?}").starts_with("GrantFn"));
}

#[tokio::test(start_paused = true)]
async fn an_async_closure_and_a_function_are_grants() {
    async fn fixed(cx: Context) -> Result<Token, Error> {
        assert_eq!(cx.reason(), Reason::Missing);
        Token::bearer("function")
    }
    let (service, _forms) = token_endpoint(vec![]);
    let tokens = OAuth2Layer::new(grant_fn(fixed)).token_service(service.clone()).tokens();
    assert_eq!(tokens.get().await.unwrap().access_token(), "function");
    let closure = grant_fn(async |cx: Context| {
        timeout(HOUR, cx.transport().send(http::Request::post(TOKEN_URL).body("".into()).unwrap())).await.unwrap()?;
        Token::bearer("closure")
    });
    let tokens = OAuth2Layer::new(closure).token_service(service).tokens();
    assert_eq!(tokens.get().await.unwrap().access_token(), "closure");
}

/// The challenge of the response that rejected the token.
#[tokio::test(start_paused = true)]
async fn the_challenge_of_a_rejection() {
    let challenges = Arc::new(Mutex::new(Vec::new()));
    let seen = challenges.clone();
    let layer = OAuth2Layer::new(grant_fn(move |cx: Context| {
        seen.lock().unwrap().push(cx.challenge().map(|challenge| challenge.error().unwrap_or_default().to_owned()));
        async { Token::bearer("next") }
    }));
    let (service, mut server) = mock_service(&layer);
    for (challenge, expected) in [
        (Some("Negotiate, Bearer error=\"invalid_token\""), Some("invalid_token".to_owned())),
        (Some("OAuth error='invalid_token'"), Some("invalid_token".to_owned())),
        (None, None),
    ] {
        service.tokens().set(Token::bearer("a").unwrap());
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        let mut rejected = answer(401, "");
        if let Some(challenge) = challenge {
            rejected.headers_mut().insert("www-authenticate", challenge.parse().unwrap());
        }
        server.next().await.1.send_response(rejected);
        sent.await.unwrap().unwrap();
        service.tokens().get().await.unwrap();
        assert_eq!(challenges.lock().unwrap().pop(), Some(expected), "{challenge:?}");
    }
    service.tokens().refresh().await.unwrap();
    assert_eq!(challenges.lock().unwrap().pop(), Some(None), "not that of an older rejection");
}
