//! I6: callers that wait for the fetch of another caller, whatever becomes of that caller.

use std::time::Duration;

use tokio::time::Instant;
use tokio_test::{assert_pending, task};
use tower::{BoxError, service_fn};
use tower_oauth2::ErrorKind;
use tower_oauth2::endpoint::Issuer;
use tower_oauth2::transport::Transport;

use super::site::{ISSUER, OAUTH_DOCUMENT, Site, document};
use crate::support::{Body, answer, pass};

const NEVER: Duration = Duration::from_secs(1_000_000);

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_not_polled_any_more_stops_the_others_for_half_the_token_timeout() {
    let site = Site::new();
    let (issuer, transport) = (Issuer::new(ISSUER).unwrap(), site.transport());
    let mut first = task::spawn(issuer.metadata(&transport));
    assert_pending!(first.poll());
    let start = Instant::now();
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let (issuer, transport) = (issuer.clone(), site.transport());
            tokio::spawn(async move { issuer.metadata(&transport).await.map(drop) })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(start.elapsed().as_secs(), 15);
    assert_eq!(site.take_urls(), [OAUTH_DOCUMENT, OAUTH_DOCUMENT]);
    // It continues later, and does not replace the newer document.
    pass(Duration::from_secs(600)).await;
    first.await.unwrap();
    pass(Duration::from_secs(2999)).await;
    issuer.metadata(&transport).await.unwrap();
    assert!(site.take_urls().is_empty());
    pass(Duration::from_secs(2)).await;
    issuer.metadata(&transport).await.unwrap();
    assert_eq!(site.take_urls(), [OAUTH_DOCUMENT]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_caller_that_is_not_polled_any_more_does_not_stop_the_others() {
    let site = Site::new();
    site.delay(OAUTH_DOCUMENT, Duration::from_secs(1));
    let (issuer, transport) = (Issuer::new(ISSUER).unwrap(), site.transport());
    let mut leader = task::spawn(issuer.metadata(&transport));
    assert_pending!(leader.poll());
    let mut idle = task::spawn(issuer.metadata(&transport));
    assert_pending!(idle.poll());
    let (other, http) = (issuer.clone(), site.transport());
    let other = tokio::spawn(async move { other.metadata(&http).await.map(drop) });
    tokio::task::yield_now().await;
    let start = Instant::now();
    leader.await.unwrap();
    other.await.unwrap().unwrap();
    issuer.metadata(&transport).await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 1);
    assert_eq!(site.take_urls(), [OAUTH_DOCUMENT]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_respond_holds_each_caller_for_the_token_timeout() {
    let site = Site::new();
    site.delay(OAUTH_DOCUMENT, NEVER);
    let issuer = Issuer::new(ISSUER).unwrap();
    let callers: Vec<_> = (0..100)
        .map(|at| {
            let (issuer, transport) = (issuer.clone(), site.transport());
            tokio::spawn(async move {
                pass(Duration::from_secs(at % 3)).await;
                let start = Instant::now();
                (issuer.metadata(&transport).await.unwrap_err(), start.elapsed())
            })
        })
        .collect();
    for caller in callers {
        let (error, waited) = caller.await.unwrap();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(waited.as_secs(), 30, "{error}");
    }
    let requests = site.take_urls().len();
    assert!(requests <= 4, "{requests}");
}

#[tokio::test(start_paused = true)]
async fn an_error_of_one_transport_is_not_one_of_another() {
    let site = Site::new();
    let broken = Transport::new(service_fn(async |_: http::Request<Body>| {
        pass(Duration::from_secs(1)).await;
        Err::<http::Response<Body>, _>(BoxError::from("the proxy of this client is broken"))
    }));
    let panics = Transport::new(service_fn(async |_: http::Request<Body>| -> Result<http::Response<Body>, BoxError> {
        pass(Duration::from_secs(1)).await;
        panic!("of the transport")
    }));
    for transport in [broken, panics] {
        let issuer = Issuer::new(ISSUER).unwrap();
        let leader = issuer.clone();
        let leader = tokio::spawn(async move { leader.metadata(&transport).await.map(drop) });
        tokio::task::yield_now().await;
        let callers: Vec<_> = (0..100)
            .map(|_| {
                let (issuer, transport) = (issuer.clone(), site.transport());
                tokio::spawn(async move { issuer.metadata(&transport).await.map(drop) })
            })
            .collect();
        assert!(leader.await.map_or(true, |outcome| outcome.is_err()));
        for caller in callers {
            caller.await.unwrap().unwrap();
        }
        assert_eq!(site.take_urls(), [OAUTH_DOCUMENT]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_callers_with_one_transport_share_its_error() {
    let site = Site::new();
    site.try_page(OAUTH_DOCUMENT, || Err("connection refused".into()));
    let (issuer, transport) = (Issuer::new(ISSUER).unwrap(), site.transport());
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let (issuer, transport) = (issuer.clone(), transport.clone());
            tokio::spawn(async move { issuer.metadata(&transport).await.unwrap_err().kind() })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), ErrorKind::Transport);
    }
    assert_eq!(site.take_urls(), [OAUTH_DOCUMENT]);
}

#[tokio::test(start_paused = true)]
async fn an_outdated_document_is_better_than_a_wait() {
    let site = Site::new();
    let issuer = Issuer::new(ISSUER).unwrap();
    issuer.metadata(&site.transport()).await.unwrap();
    pass(Duration::from_secs(3601)).await;
    site.delay(OAUTH_DOCUMENT, Duration::from_secs(3));
    let transport = site.transport();
    let mut leader = task::spawn(issuer.metadata(&transport));
    assert_pending!(leader.poll());
    let start = Instant::now();
    for _ in 0..10 {
        issuer.metadata(&site.transport()).await.unwrap();
    }
    assert_eq!(start.elapsed().as_secs(), 0);
    leader.await.unwrap();
    assert_eq!(site.take_urls(), [OAUTH_DOCUMENT, OAUTH_DOCUMENT]);
}

#[test]
fn it_works_without_a_runtime_and_across_runtimes() {
    let site = Site::new();
    let http =
        Transport::new(service_fn(|_: http::Request<Body>| async { Ok::<_, BoxError>(answer(200, document())) }));
    let issuer = Issuer::new(ISSUER).unwrap();
    futures_util::FutureExt::now_or_never(issuer.metadata(&http)).expect("it is ready at once").unwrap();

    // The runtime of the first caller ends.
    let issuer = Issuer::new(ISSUER).unwrap();
    site.delay(OAUTH_DOCUMENT, Duration::from_secs(1000));
    let idle = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (leader, transport) = (issuer.clone(), site.transport());
    let leader = idle.spawn(async move { leader.metadata(&transport).await.map(drop) });
    idle.block_on(tokio::task::yield_now());
    let waiting = std::thread::spawn({
        let issuer = issuer.clone();
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move { issuer.metadata(&http).await.map(drop) })
        }
    });
    drop(idle);
    waiting.join().unwrap().unwrap();
    drop(leader);
}
