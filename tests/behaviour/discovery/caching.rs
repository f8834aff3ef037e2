//! I5–I7, I15: how often the document is fetched.

use std::time::Duration;

use serde_json::json;
use tower::{Layer, ServiceExt};
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::Issuer;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::{ErrorKind, OAuth2Layer};

use super::site::{ISSUER, OAUTH_DOCUMENT, Site, document};
use crate::support::{API_URL, answer, get, pass, token};

const TOKEN: &str = "https://auth.example.com/token";

fn grant(issuer: &Issuer) -> ClientCredentials {
    ClientCredentials::from_issuer(issuer, Client::basic("id", "secret")).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_layer_is_built_without_a_request_and_a_herd_causes_two() {
    let site = Site::new();
    site.status(API_URL, 200);
    let layer = OAuth2Layer::new(grant(&Issuer::new(ISSUER).unwrap())).token_service(site.service());
    let api = layer.layer(site.service());
    pass(Duration::from_secs(60)).await;
    assert!(site.take_urls().is_empty());

    let herd: Vec<_> = (0..1000).map(|_| tokio::spawn(api.clone().oneshot(get(API_URL)))).collect();
    for request in herd {
        assert_eq!(request.await.unwrap().unwrap().status(), 200);
    }
    let mut urls = site.take_urls();
    urls.retain(|url| url != API_URL);
    assert_eq!(urls, [OAUTH_DOCUMENT, TOKEN]);
}

#[tokio::test(start_paused = true)]
async fn ten_layers_and_a_hundred_callers_of_one_issuer_cause_one_fetch() {
    let site = Site::new();
    let issuer = Issuer::new(ISSUER).unwrap();
    let mut callers = Vec::new();
    for _ in 0..10 {
        let tokens = OAuth2Layer::new(grant(&issuer)).token_service(site.service());
        let service = tokens.layer(site.service());
        callers.push(tokio::spawn(async move { service.tokens().get().await.map(drop) }));
    }
    for _ in 0..90 {
        let (issuer, transport) = (issuer.clone(), site.transport());
        callers.push(tokio::spawn(async move { issuer.metadata(&transport).await.map(drop) }));
    }
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    let urls = site.take_urls();
    assert_eq!(urls.iter().filter(|url| *url == OAUTH_DOCUMENT).count(), 1);
    assert_eq!(urls.iter().filter(|url| *url == TOKEN).count(), 10);
}

#[tokio::test(start_paused = true)]
async fn the_callers_of_a_failed_fetch_share_its_error() {
    let site = Site::new();
    site.status(OAUTH_DOCUMENT, 503);
    let issuer = Issuer::new(ISSUER).unwrap();
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let (issuer, transport) = (issuer.clone(), site.transport());
            tokio::spawn(async move { issuer.metadata(&transport).await.unwrap_err().kind() })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), ErrorKind::Overloaded);
    }
    assert_eq!(site.take_urls(), [OAUTH_DOCUMENT]);
    // An error is not kept: the next caller tries again.
    issuer.metadata(&site.transport()).await.unwrap_err();
    site.json(OAUTH_DOCUMENT, document());
    issuer.metadata(&site.transport()).await.unwrap();
    assert_eq!(site.take_urls(), [OAUTH_DOCUMENT, OAUTH_DOCUMENT]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_caller_leaves_the_fetch_to_the_next() {
    let site = Site::new();
    let (issuer, transport) = (Issuer::new(ISSUER).unwrap(), site.transport());
    let (waiting, http) = (issuer.clone(), site.transport());
    let mut first = tokio_test::task::spawn(issuer.metadata(&transport));
    tokio_test::assert_pending!(first.poll());
    let waiting = tokio::spawn(async move { waiting.metadata(&http).await.map(drop) });
    tokio::task::yield_now().await;
    drop(first);
    waiting.await.unwrap().unwrap();
    assert_eq!(site.take_urls(), [OAUTH_DOCUMENT, OAUTH_DOCUMENT]);
}

#[tokio::test(start_paused = true)]
async fn the_document_is_fetched_within_the_token_timeout_in_all() {
    let site = Site::new();
    let slow = tower::service_fn(move |request| {
        let service = site.service();
        async move {
            tokio::time::sleep(Duration::from_secs(20)).await;
            service.oneshot(request).await
        }
    });
    let issuer = Issuer::new("https://auth.example.com/missing").unwrap();
    let start = tokio::time::Instant::now();
    let error = issuer.metadata(&tower_oauth2::transport::Transport::new(slow)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(start.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn the_document_is_kept_for_max_age_within_bounds() {
    for (cache_control, seconds) in [("", 3600), ("max-age=0", 300), ("max-age=600", 600), ("max-age=1000000", 86400)] {
        let site = Site::new();
        site.page(OAUTH_DOCUMENT, move || {
            let mut response = answer(200, document());
            response.headers_mut().insert("cache-control", cache_control.parse().unwrap());
            response
        });
        let issuer = Issuer::new(ISSUER).unwrap();
        issuer.metadata(&site.transport()).await.unwrap();
        pass(Duration::from_secs(seconds - 1)).await;
        issuer.metadata(&site.transport()).await.unwrap();
        assert_eq!(site.take_urls().len(), 1, "{cache_control}");
        pass(Duration::from_secs(2)).await;
        issuer.metadata(&site.transport()).await.unwrap();
        assert_eq!(site.take_urls().len(), 1, "{cache_control}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_good_document_survives_a_bad_one() {
    let bad: [fn() -> http::Response<_>; 5] = [
        || answer(503, ""),
        || answer(404, ""),
        || answer(200, "<html>"),
        || answer(200, json!({"issuer": "https://evil.example.com", "token_endpoint": "https://evil.example.com/t"})),
        || answer(200, "x".repeat(2 << 20)),
    ];
    for page in bad {
        let site = Site::new();
        let issuer = Issuer::new(ISSUER).unwrap();
        issuer.metadata(&site.transport()).await.unwrap();
        site.page(OAUTH_DOCUMENT, page);
        pass(Duration::from_secs(3601)).await;
        site.take_urls();
        for _ in 0..3 {
            let metadata = issuer.metadata(&site.transport()).await.unwrap();
            assert_eq!(metadata.token_endpoint().unwrap().as_str(), TOKEN);
        }
        let tried = site.take_urls().iter().filter(|url| *url == OAUTH_DOCUMENT).count();
        assert_eq!(tried, 1, "the old document stays in use for a while");
        site.json(OAUTH_DOCUMENT, json!({"issuer": ISSUER, "token_endpoint": "https://auth.example.com/new"}));
        pass(Duration::from_secs(61)).await;
        let metadata = issuer.metadata(&site.transport()).await.unwrap();
        assert_eq!(metadata.token_endpoint().unwrap().as_str(), "https://auth.example.com/new");
    }
}

#[tokio::test(start_paused = true)]
async fn a_moved_token_endpoint_is_found_at_the_next_attempt() {
    for status in [404, 405, 410, 302, 308] {
        let site = Site::new();
        let issuer = Issuer::new(ISSUER).unwrap();
        let service = OAuth2Layer::new(grant(&issuer)).token_service(site.service()).layer(site.service());
        let tokens = service.tokens();
        tokens.get().await.unwrap();

        let moved = "https://auth.example.com/v2/token";
        let mut new = document();
        new["token_endpoint"] = json!(moved);
        site.json(OAUTH_DOCUMENT, new);
        site.json(moved, token("b", 3600));
        site.status(TOKEN, status);
        site.take_urls();

        // The document is recent, so it is not suspected.
        tokens.refresh().await.unwrap_err();
        tokens.refresh().await.unwrap_err();
        assert_eq!(site.take_urls(), [TOKEN, TOKEN], "{status}");

        pass(Duration::from_secs(301)).await;
        tokens.refresh().await.unwrap_err();
        assert_eq!(tokens.refresh().await.unwrap().access_token(), "b");
        assert_eq!(site.take_urls(), [TOKEN, OAUTH_DOCUMENT, moved], "{status}");
    }
}
