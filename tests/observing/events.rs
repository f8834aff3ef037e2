//! What changes the token is told, at the levels that an operator expects.

use std::time::Duration;

use tower::ServiceExt;
use tower_oauth2::client::Client;
use tower_oauth2::grant::RefreshToken;
use tower_oauth2::store::MemoryStore;
use tower_oauth2::{OAuth2Layer, Token};
use tracing::Level;

use crate::endpoint;
use crate::seen::{Seen, Told};
use crate::support::{API_URL, TOKEN_URL, answer, conversation, get, layer, ours, pass, token};

fn lines(events: &[Told]) -> Vec<(Level, &str)> {
    events.iter().map(|event| (event.level, event.field("message").unwrap())).collect()
}

#[tokio::test(start_paused = true)]
async fn each_reason_has_a_word() {
    let (seen, _listening) = Seen::listen();
    let (service, mut server) = conversation(&layer());
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
        server.grants(token("b", 600)).await;
    });
    pass(Duration::from_secs(400)).await;
    tokens.get().await.unwrap();
    server.grants(token("c", 600)).await;
    pass(Duration::from_millis(1)).await;

    let reasons: Vec<_> = seen.flights().iter().map(|span| span.field("oauth2.reason").unwrap().to_owned()).collect();
    assert_eq!(reasons, ["first", "expired", "refused", "invalidated", "asked", "ahead"]);
    let begun: Vec<_> =
        seen.events("token call begins").iter().map(|told| told.fields["oauth2.reason"].clone()).collect();
    assert_eq!(begun, reasons);
}

#[tokio::test(start_paused = true)]
async fn what_the_user_and_the_servers_do_to_the_token() {
    let (seen, _listening) = Seen::listen();
    let (service, mut server) = conversation(&layer());
    let tokens = service.tokens();
    tokens.set(Token::bearer("a").unwrap());
    for _ in 0..2 {
        // Both with the first token: the second refusal is late.
        let one = tokio::spawn(service.clone().oneshot(get(API_URL)));
        let two = tokio::spawn(service.clone().oneshot(get(API_URL)));
        let (first, second) = (server.next().await.1, server.next().await.1);
        first.send_response(answer(401, ""));
        second.send_response(answer(401, ""));
        one.await.unwrap().unwrap();
        two.await.unwrap().unwrap();
        // Its successor is refused at once, too, and then it is too early for another.
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

    let all = seen.all().events.clone();
    let of_the_token = lines(&all)
        .into_iter()
        .filter(|(_, message)| message.contains("token ") || *message == "an older token refused");
    let told: Vec<_> =
        of_the_token.filter(|(_, message)| !message.contains("call") && !message.contains("wait")).collect();
    assert_eq!(
        told[..5],
        [
            (Level::DEBUG, "token set"),
            (Level::DEBUG, "token refused, and given up"),
            (Level::TRACE, "an older token refused"),
            (Level::DEBUG, "token obtained"),
            (Level::DEBUG, "token refused again, and kept for the back-off"),
        ]
    );
    assert_eq!(told[told.len() - 2..], [(Level::DEBUG, "token invalidated"), (Level::DEBUG, "token forgotten")]);
}

/// Of single requests at the lowest level only, in the span of the request.
#[tokio::test(start_paused = true)]
async fn who_waits_and_who_is_turned_away() {
    use tracing::Instrument;

    let (seen, _listening) = Seen::listen();
    let (service, mut server) = conversation(&layer());
    let request = service.clone().oneshot(get(API_URL)).instrument(tracing::info_span!("request"));
    let sent = tokio::spawn(request);
    let (_, respond) = server.token_request().await;
    pass(Duration::from_millis(100)).await;
    respond.send_response(answer(503, ""));
    ours(sent.await.unwrap().unwrap_err());
    ours(service.oneshot(get(API_URL)).await.unwrap_err());

    for message in ["waits for a token", "has waited for a token"] {
        let told = seen.event(message);
        assert_eq!((told.level, told.within), (Level::TRACE, vec!["request"]));
    }
    assert_eq!(seen.event("has waited for a token").field("oauth2.duration_ms"), Some("100"));
    let turned_away = seen.event("turned away without a token");
    assert_eq!((turned_away.level, turned_away.field("error.type")), (Level::TRACE, Some("overloaded")));
}

#[tokio::test(start_paused = true)]
async fn a_token_of_a_sibling() {
    let (seen, _listening) = Seen::listen();
    let store = MemoryStore::new();
    let sibling = || {
        let grant = RefreshToken::new(TOKEN_URL, Client::public("app"), "r").unwrap();
        OAuth2Layer::new(grant.persisted(store.clone())).token_service(endpoint(vec![]))
    };
    let (one, two) = (sibling(), sibling());
    one.tokens().get().await.unwrap();
    two.tokens().get().await.unwrap();
    let outcomes: Vec<_> = seen.flights().iter().map(|span| span.field("oauth2.outcome").unwrap().to_owned()).collect();
    assert_eq!(outcomes, ["ok", "at_hand"], "the second one found it in the store");
    one.tokens().refresh().await.unwrap();
    pass(Duration::from_millis(1)).await;
}

/// Nobody gets what a flight brings that was overtaken, and it is no failure.
#[tokio::test(start_paused = true)]
async fn a_flight_that_was_overtaken() {
    let (seen, _listening) = Seen::listen();
    let (service, mut server) = conversation(&layer());
    let tokens = service.tokens();
    for status in [200, 503] {
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        let (_, respond) = server.token_request().await;
        tokens.set(Token::bearer("set").unwrap());
        respond.send_response(answer(status, token("late", 600)));
        assert_eq!(server.serves().await.as_deref(), Some("Bearer set"));
        sent.await.unwrap().unwrap();
        tokens.invalidate();
    }
    for span in seen.flights() {
        assert_eq!((span.field("oauth2.outcome"), span.field("error.type")), (Some("overtaken"), None));
    }
    let told = seen.events("token call overtaken: another token was set, or this one forgotten");
    assert_eq!(told.iter().map(|told| told.level).collect::<Vec<_>>(), [Level::DEBUG; 2]);
}
