//! Changes of the token are logged at the levels that an operator expects.

use std::time::Duration;

use tower::ServiceExt;
use tower_oauth2::client::Client;
use tower_oauth2::grant::RefreshToken;
use tower_oauth2::store::MemoryStore;
use tower_oauth2::{OAuth2Layer, Token};
use tracing::Level;

use crate::endpoint;
use crate::recorded::{Recorded, RecordedEvent};
use crate::support::{API_URL, TOKEN_URL, answer, get, layer, mock_service, ours, pass, token};

fn lines(events: &[RecordedEvent]) -> Vec<(Level, &str)> {
    events.iter().map(|event| (event.level, event.field("message").unwrap())).collect()
}

#[tokio::test(start_paused = true)]
async fn each_refresh_has_its_reason() {
    let (recorded, _subscriber) = Recorded::install();
    let (service, mut server) = mock_service(&layer());
    let tokens = service.tokens();
    let mut send = async |status| {
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        let (request, mut respond) = server.next().await;
        if request.uri() == TOKEN_URL {
            respond.send_response(answer(200, token("a", 600)));
            respond = server.next().await.1;
        }
        respond.send_response(answer(status, ""));
        sent.await.unwrap().unwrap();
    };
    send(200).await;
    pass(Duration::from_secs(600)).await;
    send(401).await;
    send(200).await;
    tokens.invalidate();
    send(200).await;
    let (_, ()) = tokio::join!(async { tokens.refresh().await.unwrap() }, async {
        server.issue_token(token("b", 600)).await;
    });
    pass(Duration::from_secs(400)).await;
    tokens.get().await.unwrap();
    server.issue_token(token("c", 600)).await;
    pass(Duration::from_millis(1)).await;

    let reasons: Vec<_> =
        recorded.refresh_spans().iter().map(|span| span.field("oauth2.reason").unwrap().to_owned()).collect();
    assert_eq!(reasons, ["missing", "expired", "rejected", "invalidated", "forced", "proactive"]);
    let started = recorded.events("refresh started");
    assert_eq!(started.len(), reasons.len());
    assert!(started.iter().all(|event| event.field("oauth2.reason").is_none()), "only the span has the reason");
}

#[tokio::test(start_paused = true)]
async fn changes_and_rejections_of_the_token() {
    let (recorded, _subscriber) = Recorded::install();
    let (service, mut server) = mock_service(&layer());
    let tokens = service.tokens();
    tokens.set(Token::bearer("a").unwrap());
    for _ in 0..2 {
        // Both requests have the first token, so the second rejection is late.
        let one = tokio::spawn(service.clone().oneshot(get(API_URL)));
        let two = tokio::spawn(service.clone().oneshot(get(API_URL)));
        let (first, second) = (server.next().await.1, server.next().await.1);
        first.send_response(answer(401, ""));
        second.send_response(answer(401, ""));
        one.await.unwrap().unwrap();
        two.await.unwrap().unwrap();
        // The next token is rejected at once too, and it is too early for another refresh.
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        let (request, respond) = server.next().await;
        if request.uri() == TOKEN_URL {
            respond.send_response(answer(200, token("b", 3600)));
            server.next().await.1.send_response(answer(401, ""));
        } else {
            respond.send_response(answer(401, ""));
        }
        sent.await.unwrap().unwrap();
    }
    tokens.invalidate();
    tokens.forget();

    let all = recorded.all().events.clone();
    let of_the_token =
        lines(&all).into_iter().filter(|(_, message)| message.contains("token ") || *message == "older token rejected");
    let event: Vec<_> = of_the_token
        .filter(|(_, message)| !message.contains("refresh superseded") && !message.contains("wait"))
        .collect();
    assert_eq!(
        event[..5],
        [
            (Level::DEBUG, "token set"),
            (Level::DEBUG, "token rejected, and a refresh starts"),
            (Level::TRACE, "older token rejected"),
            (Level::DEBUG, "token obtained"),
            (Level::DEBUG, "token rejected again, and kept until the back-off has passed"),
        ]
    );
    assert_eq!(event[event.len() - 2..], [(Level::DEBUG, "token invalidated"), (Level::DEBUG, "token forgotten")]);
}

/// Events of single requests have the level `TRACE`, and belong to the span of the request.
#[tokio::test(start_paused = true)]
async fn waiting_and_failing_fast() {
    use tracing::Instrument;

    let (recorded, _subscriber) = Recorded::install();
    let (service, mut server) = mock_service(&layer());
    let request = service.clone().oneshot(get(API_URL)).instrument(tracing::info_span!("request"));
    let sent = tokio::spawn(request);
    let (_, respond) = server.token_request().await;
    pass(Duration::from_millis(100)).await;
    respond.send_response(answer(503, ""));
    ours(sent.await.unwrap().unwrap_err());
    ours(service.oneshot(get(API_URL)).await.unwrap_err());

    for message in ["waiting for a token", "finished waiting for a token"] {
        let event = recorded.event(message);
        assert_eq!((event.level, event.within), (Level::TRACE, vec!["request"]));
    }
    assert_eq!(recorded.event("finished waiting for a token").field("oauth2.duration_ms"), Some("100"));
    let failed_fast = recorded.event("failed without waiting for a token");
    assert_eq!((failed_fast.level, failed_fast.field("error.type")), (Level::TRACE, Some("overloaded")));
}

#[tokio::test(start_paused = true)]
async fn a_token_of_another_process() {
    let (recorded, _subscriber) = Recorded::install();
    let store = MemoryStore::new();
    let process = || {
        let grant = RefreshToken::new(TOKEN_URL, Client::public("app"), "r").unwrap();
        OAuth2Layer::new(grant.persisted(store.clone())).token_service(endpoint(vec![]))
    };
    let (one, two) = (process(), process());
    one.tokens().get().await.unwrap();
    two.tokens().get().await.unwrap();
    let outcomes: Vec<_> =
        recorded.refresh_spans().iter().map(|span| span.field("oauth2.outcome").unwrap().to_owned()).collect();
    assert_eq!(outcomes, ["ok", "local"], "the second layer loads the token from the store");
    one.tokens().refresh().await.unwrap();
    pass(Duration::from_millis(1)).await;
}

/// The result of a superseded refresh is discarded, and the refresh has not failed.
#[tokio::test(start_paused = true)]
async fn a_superseded_refresh() {
    let (recorded, _subscriber) = Recorded::install();
    let (service, mut server) = mock_service(&layer());
    let tokens = service.tokens();
    for status in [200, 503] {
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        let (_, respond) = server.token_request().await;
        tokens.set(Token::bearer("set").unwrap());
        respond.send_response(answer(status, token("late", 600)));
        assert_eq!(server.next_authorization().await.as_deref(), Some("Bearer set"));
        sent.await.unwrap().unwrap();
        tokens.invalidate();
    }
    for span in recorded.refresh_spans() {
        assert_eq!((span.field("oauth2.outcome"), span.field("error.type")), (Some("superseded"), None));
    }
    let event = recorded.events("refresh superseded: a token was set or forgotten");
    assert_eq!(event.iter().map(|event| event.level).collect::<Vec<_>>(), [Level::DEBUG; 2]);
}
