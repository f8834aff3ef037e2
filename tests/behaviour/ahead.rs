//! A token is renewed before it ends, in the background: while it serves, nobody waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Response;
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use crate::support::{
    API_URL, Body, Server, Service, TOKEN_URL, answer, authorization, conversation, get, layer, pass, token,
};

/// When a token of an hour is due: between these, and chance says when.
const NOT_YET_DUE: Duration = Duration::from_secs(3600 - 301);
const DUE: Duration = Duration::from_secs(3600 - 239);

/// One request that finds its token, with no time passing.
async fn served(service: &Service, server: &mut Server) -> String {
    let began = Instant::now();
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let authorization = server.serves().await.unwrap();
    assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    assert_eq!(began.elapsed(), Duration::ZERO, "it waited");
    authorization
}

/// A service that has had this token for `age`.
async fn aged(age: Duration) -> (Service, Server) {
    let (service, server) = conversation(&layer());
    let hour = Duration::from_secs(3600);
    service.tokens().set(Token::bearer("a").unwrap().with_expires_in(hour).with_refresh_token("r"));
    // Now the handles have something to send a token call through.
    service.clone().ready().await.unwrap();
    pass(age).await;
    (service, server)
}

/// A server that takes two seconds, tokens of ten, and a request each tenth of a second for ten minutes.
#[tokio::test(start_paused = true)]
async fn a_steady_stream_never_waits_after_the_first() {
    let token_calls = Arc::new(AtomicUsize::new(0));
    let counter = token_calls.clone();
    let inner = service_fn(move |request: http::Request<Body>| {
        let counter = counter.clone();
        async move {
            if request.uri() != TOKEN_URL {
                return Ok::<_, std::convert::Infallible>(answer(200, authorization(&request).unwrap()));
            }
            let call = counter.fetch_add(1, Ordering::SeqCst);
            pass(Duration::from_secs(2)).await;
            Ok(answer(200, token(&format!("t{call}"), 10)))
        }
    });
    let service = layer().layer(inner);
    service.clone().oneshot(get(API_URL)).await.unwrap();
    for _ in 0..6000 {
        let began = Instant::now();
        service.clone().oneshot(get(API_URL)).await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO, "a request waited");
        pass(Duration::from_millis(100)).await;
    }
    // Each token serves for five to six of its ten seconds, and for two more while the next one comes.
    let calls = token_calls.load(Ordering::SeqCst);
    assert!((600 / 8 - 1..=600 / 7 + 2).contains(&calls), "{calls} token calls in 600 s");
}

#[tokio::test(start_paused = true)]
async fn it_begins_in_the_window_and_the_old_one_serves_meanwhile() {
    let (service, mut server) = aged(NOT_YET_DUE).await;
    assert_eq!(served(&service, &mut server).await, "Bearer a");
    server.hears_nothing().await;

    pass(DUE - NOT_YET_DUE).await;
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    // The request and the token call are both under way.
    let (one, respond_one) = server.next().await;
    let (two, respond_two) = server.next().await;
    let (respond_api, respond_token) = match one.uri() == TOKEN_URL {
        true => (respond_two, respond_one),
        false => (respond_one, respond_two),
    };
    assert!(one.uri() == TOKEN_URL || two.uri() == TOKEN_URL);
    respond_api.send_response(answer(200, ""));
    sent.await.unwrap().unwrap();
    for _ in 0..3 {
        assert_eq!(served(&service, &mut server).await, "Bearer a");
    }
    server.hears_nothing().await;

    respond_token.send_response(answer(200, token("b", 3600)));
    pass(Duration::from_millis(1)).await;
    assert_eq!(served(&service, &mut server).await, "Bearer b");
}

#[tokio::test(start_paused = true)]
async fn nobody_calls_while_nobody_asks() {
    let (_service, mut server) = aged(DUE).await;
    pass(Duration::from_secs(10)).await;
    server.hears_nothing().await;
}

/// Answers what comes until all have had their turn: requests with 200, token calls with `answer_token`; how many of these.
async fn answers(server: &mut Server, requests: usize, answer_token: impl Fn() -> Response<Body>) -> usize {
    let (mut calls, mut served) = (0, 0);
    while served < requests {
        let (request, respond) = server.next().await;
        if request.uri() == TOKEN_URL {
            calls += 1;
            respond.send_response(answer_token());
        } else {
            assert_eq!(authorization(&request), Some("Bearer a"));
            served += 1;
            respond.send_response(answer(200, ""));
        }
    }
    calls
}

/// A request a second, from the time the token is due to its very end, and no authorization server.
#[tokio::test(start_paused = true)]
async fn it_serves_through_an_outage_to_its_very_end() {
    let (service, mut server) = aged(DUE).await;
    let left = 239;
    let mut calls = 0;
    for second in 0..left - 1 {
        let began = Instant::now();
        let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
        calls += answers(&mut server, 1, || answer(503, "")).await;
        assert_eq!(sent.await.unwrap().unwrap().status(), 200, "{second}");
        assert_eq!(began.elapsed(), Duration::ZERO, "it waited");
        pass(Duration::from_secs(1)).await;
    }
    // The gap of 30 s, and later the back-off, which is longer: 1.6^8 s is 43 s.
    assert!((3..=9).contains(&calls), "{calls} token calls");

    pass(Duration::from_secs(2)).await;
    let error = service.clone().oneshot(get(API_URL));
    let error = tokio::spawn(error);
    let outcome = tokio::time::timeout(Duration::from_secs(1), async {
        loop {
            let (request, respond) = server.next().await;
            assert_eq!(request.uri(), TOKEN_URL, "an expired token was sent");
            respond.send_response(answer(503, ""));
        }
    });
    assert!(outcome.await.is_err());
    assert_eq!(crate::support::ours(error.await.unwrap().unwrap_err()).kind(), ErrorKind::Overloaded);
}

/// Between the skew and the expiry requests wait for the call; when it fails, the old token has to do.
#[tokio::test(start_paused = true)]
async fn the_skew_is_a_caution_and_no_outage() {
    let (service, mut server) = aged(Duration::from_secs(3600 - 29)).await;
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    let got = tokio::spawn({
        let tokens = service.tokens();
        async move { tokens.get().await }
    });
    server.token_request().await.1.send_response(answer(503, ""));
    assert_eq!(server.serves().await.as_deref(), Some("Bearer a"));
    sent.await.unwrap().unwrap();
    assert_eq!(got.await.unwrap().unwrap().access_token(), "a");

    // The back-off passes, and the next try is in the background.
    pass(Duration::from_secs(2)).await;
    assert_eq!(served(&service, &mut server).await, "Bearer a");
    server.grants(token("b", 3600)).await;
    pass(Duration::from_millis(1)).await;
    assert_eq!(served(&service, &mut server).await, "Bearer b");
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_a_new_one_is_told_that_there_is_none() {
    let (service, mut server) = aged(DUE).await;
    let tokens = service.tokens();
    let asked = tokio::spawn(async move { tokens.refresh().await });
    server.token_request().await.1.send_response(answer(503, ""));
    assert_eq!(asked.await.unwrap().unwrap_err().kind(), ErrorKind::Overloaded);
    assert_eq!(served(&service, &mut server).await, "Bearer a");
}

/// A failure is remembered also when it came before the token was due.
#[tokio::test(start_paused = true)]
async fn what_the_server_asked_for_holds_when_the_token_is_due() {
    let (service, mut server) = aged(NOT_YET_DUE).await;
    let tokens = service.tokens();
    let asked = tokio::spawn(async move { tokens.refresh().await });
    let mut busy = answer(503, "");
    busy.headers_mut().insert("retry-after", "120".parse().unwrap());
    server.token_request().await.1.send_response(busy);
    assert_eq!(asked.await.unwrap().unwrap_err().kind(), ErrorKind::Overloaded);
    for _ in 0..118 {
        assert_eq!(served(&service, &mut server).await, "Bearer a");
        server.hears_nothing().await;
        pass(Duration::from_secs(1)).await;
    }
    pass(Duration::from_secs(3)).await;
    assert_eq!(served(&service, &mut server).await, "Bearer a");
    server.grants(token("b", 3600)).await;
}

#[tokio::test(start_paused = true)]
async fn the_handle_renews_ahead_too() {
    let (service, mut server) = aged(DUE).await;
    assert_eq!(service.tokens().get().await.unwrap().access_token(), "a");
    server.grants(token("b", 3600)).await;
    pass(Duration::from_millis(1)).await;
    assert_eq!(service.tokens().get().await.unwrap().access_token(), "b");
}

#[tokio::test(start_paused = true)]
async fn it_can_be_switched_off() {
    let (service, mut server) = conversation(&layer().refresh_ahead(Duration::ZERO));
    service.tokens().set(Token::bearer("a").unwrap().with_expires_in(Duration::from_secs(3600)));
    pass(Duration::from_secs(3600 - 31)).await;
    assert_eq!(served(&service, &mut server).await, "Bearer a");
    server.hears_nothing().await;
    pass(Duration::from_secs(2)).await;
    let sent = tokio::spawn(service.clone().oneshot(get(API_URL)));
    server.grants(token("b", 3600)).await;
    assert_eq!(server.serves().await.as_deref(), Some("Bearer b"));
    sent.await.unwrap().unwrap();
}

/// Some servers keep a token and give it again until its end: they are asked again at half of what is left, and no more often.
#[tokio::test(start_paused = true)]
async fn a_server_that_gives_the_same_token_again_is_not_stormed() {
    let began = Instant::now();
    let token_calls = Arc::new(AtomicUsize::new(0));
    let counter = token_calls.clone();
    let inner = service_fn(move |request: http::Request<Body>| {
        if request.uri() != TOKEN_URL {
            return std::future::ready(Ok::<_, std::convert::Infallible>(answer(200, "")));
        }
        counter.fetch_add(1, Ordering::SeqCst);
        let age = began.elapsed().as_secs();
        std::future::ready(Ok(answer(200, token(&format!("t{}", age / 3600), 3600 - age % 3600))))
    });
    let service = layer().layer(inner);
    for _ in 0..36_000 {
        service.clone().oneshot(get(API_URL)).await.unwrap();
        pass(Duration::from_millis(100)).await;
    }
    let calls = token_calls.load(Ordering::SeqCst);
    assert!(calls <= 20, "{calls} token calls in the life of one token");
}

/// Without a runtime those who pass by drive the call, and do not wait for it.
#[cfg(feature = "test-util")]
#[test]
fn without_a_runtime_passing_traffic_drives_it() {
    use std::task::Poll;

    use tokio_test::{assert_ready_ok, task};
    use tower::Service as _;

    let clock = tower_oauth2::test_util::Clock::new();
    let _entered = clock.enter();
    let (inner, mut handle) = tower_test::mock::pair::<http::Request<Body>, Response<Body>>();
    let service = layer().layer(inner);
    let mut next = || match task::spawn(handle.next_request()).poll() {
        Poll::Ready(Some((request, respond))) => Some((request, respond)),
        _ => None,
    };
    service.tokens().set(Token::bearer("a").unwrap().with_expires_in(Duration::from_secs(3600)));
    clock.step_forward(DUE);

    let mut passer = service.clone();
    assert_ready_ok!(task::spawn(passer.ready()).poll(), "the old one serves");
    let (request, respond) = next().expect("the call has begun");
    assert_eq!(request.uri(), TOKEN_URL);
    respond.send_response(answer(200, token("b", 3600)));
    // The next one who passes sees that the answer is there.
    let mut passer = service.clone();
    assert_ready_ok!(task::spawn(passer.ready()).poll());
    let _sent = passer.call(get(API_URL));
    let (request, _respond) = next().expect("the request");
    assert_eq!(authorization(&request), Some("Bearer b"));
}

/// A person is asked only when the token has ended, and even then by one who may.
#[tokio::test(start_paused = true)]
async fn nobody_is_asked_to_log_in_while_the_token_serves() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let grant = move |previous: Option<Token>, http: Transport| {
        let counter = counter.clone();
        async move {
            if previous.is_some() && http.is_ahead() {
                return Err(Error::caused_by(ErrorKind::LoginNeeded, "not now"));
            }
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(Token::bearer("a")?.with_expires_in(Duration::from_secs(3600)))
        }
    };
    let (service, _server) = conversation(&OAuth2Layer::new(grant));
    let tokens = service.tokens();
    let mut inner = service.clone();
    inner.ready().await.unwrap();
    for _ in 0..3569 {
        tokens.get().await.unwrap();
        pass(Duration::from_secs(1)).await;
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    pass(Duration::from_secs(31)).await;
    tokens.get().await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}
