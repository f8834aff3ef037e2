//! `LoadShed` fails a request at once if the service is not ready.

use std::time::Duration;

use tower::Layer;
use tower::limit::ConcurrencyLimit;
use tower::load_shed::LoadShed;
use tower::load_shed::error::Overloaded;
use tower_oauth2::ErrorKind;

use crate::scenarios::{herd, herd_succeeds, recovers_from_failures};
use crate::support::{API, BACKOFF, Failure, LIFETIME, MockServer, get, layer, oauth_error};

/// A shed request starts a refresh task, which continues.
#[tokio::test(start_paused = true)]
async fn over_the_layer_it_sheds_until_there_is_a_token() {
    let server = MockServer::default();
    server.script().token_latency = Duration::from_secs(1);
    let oauth2 = layer();
    let stack = LoadShed::new(oauth2.layer(server.clone()));
    for response in herd(&stack).await {
        assert!(response.unwrap_err().is::<Overloaded>());
    }
    assert_eq!(server.received(API).len(), 0);

    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(oauth2.tokens().peek().unwrap().access_token(), "t1");
    herd_succeeds(&server, stack).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_over_the_layer() {
    let server = MockServer::default();
    server.script().token_latency = Duration::from_millis(10);
    server.script().failures.push_back(Failure::Status(503));
    let mut stack = LoadShed::new(layer().layer(server.clone()));
    assert!(get(&mut stack, API).await.unwrap_err().is::<Overloaded>());
    tokio::time::sleep(Duration::from_millis(20)).await;
    let error = get(&mut stack, API).await.unwrap_err();
    assert_eq!(oauth_error(&error).kind(), ErrorKind::Overloaded);

    tokio::time::sleep(BACKOFF).await;
    assert!(get(&mut stack, API).await.unwrap_err().is::<Overloaded>());
    tokio::time::sleep(Duration::from_millis(20)).await;
    get(&mut stack, API).await.unwrap();
    assert_eq!((server.token_requests(), server.received(API).len()), (2, 1));
}

/// After a shed request nothing polls the stack until its token has expired.
#[tokio::test(start_paused = true)]
async fn an_unused_token_over_the_layer() {
    let server = MockServer::default();
    let mut stack = LoadShed::new(layer().layer(server.clone()));
    assert!(get(&mut stack, API).await.unwrap_err().is::<Overloaded>());
    tokio::time::sleep(LIFETIME).await;

    assert!(get(&mut stack, API).await.unwrap_err().is::<Overloaded>());
    tokio::time::sleep(Duration::from_millis(1)).await;
    get(&mut stack, API).await.unwrap();
    assert_eq!(server.authorizations(API), [Some("Bearer t2".to_owned())]);
}

/// The same with a failure, whose back-off is long over.
#[tokio::test(start_paused = true)]
async fn an_unused_failure_over_the_layer() {
    let server = MockServer::default();
    server.script().failures.push_back(Failure::Status(503));
    let mut stack = LoadShed::new(layer().layer(server.clone()));
    assert!(get(&mut stack, API).await.unwrap_err().is::<Overloaded>());
    tokio::time::sleep(BACKOFF).await;

    assert!(get(&mut stack, API).await.unwrap_err().is::<Overloaded>());
    tokio::time::sleep(Duration::from_millis(1)).await;
    get(&mut stack, API).await.unwrap();
    assert_eq!((server.token_requests(), server.received(API).len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_herd_under_the_layer() {
    let server = MockServer::default();
    server.script().token_latency = Duration::from_secs(1);
    herd_succeeds(&server, layer().layer(LoadShed::new(ConcurrencyLimit::new(server.clone(), 1)))).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_under_the_layer() {
    let server = MockServer::default();
    recovers_from_failures(&server, layer().layer(LoadShed::new(server.clone()))).await;
}

/// `LoadShed` inside the layer sheds token requests like any request.
#[tokio::test(start_paused = true)]
async fn a_shed_token_request() {
    let server = MockServer::default();
    let mut stack = layer().layer(LoadShed::new(ConcurrencyLimit::new(server.clone(), 1)));
    get(&mut stack, API).await.unwrap();
    tokio::time::sleep(LIFETIME - Duration::from_secs(60)).await;

    server.script().api_latency = Duration::from_secs(90);
    let mut clone = stack.clone();
    let slow = tokio::spawn(async move { get(&mut clone, API).await });
    tokio::time::sleep(Duration::from_secs(80)).await;
    for response in herd(&stack).await {
        let error = response.unwrap_err();
        assert!(oauth_error(&error).is_transient());
        assert!(std::error::Error::source(oauth_error(&error)).unwrap().is::<Overloaded>());
    }
    slow.await.unwrap().unwrap();

    tokio::time::sleep(BACKOFF).await;
    get(&mut stack, API).await.unwrap();
    assert_eq!((server.token_requests(), server.received(API).len()), (2, 3));
}
