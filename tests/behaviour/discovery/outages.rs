//! I5, I15: how much an outage of the metadata costs, and for how long.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use tower::Layer;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::{Issuer, TokenEndpoint};
use tower_oauth2::form::Form;
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::{ErrorKind, OAuth2Layer};

use super::site::{ISSUER, OAUTH_DOCUMENT, Site, document};
use crate::support::{answer, pass, token};

const TOKEN: &str = "https://auth.example.com/token";
const NEVER: Duration = Duration::from_secs(1_000_000);

fn fetches(site: &Site) -> usize {
    site.take_urls().iter().filter(|url| *url == OAUTH_DOCUMENT).count()
}

#[tokio::test(start_paused = true)]
async fn a_metadata_server_that_does_not_respond_costs_five_seconds_a_minute() {
    let site = Site::new();
    let endpoint = TokenEndpoint::discover(ISSUER, Client::basic("id", "secret")).unwrap();
    let http = site.transport();
    endpoint.token(&http, Form::new("client_credentials")).await.unwrap();
    pass(Duration::from_secs(3601)).await;
    site.delay(OAUTH_DOCUMENT, NEVER);
    site.take_urls();
    let (start, mut waited) = (Instant::now(), Duration::ZERO);
    while start.elapsed() < Duration::from_secs(600) {
        let request = Instant::now();
        endpoint.token(&http, Form::new("client_credentials")).await.unwrap();
        waited += request.elapsed();
        pass(Duration::from_secs(1)).await;
    }
    let fetches = fetches(&site);
    assert!((9..=10).contains(&fetches), "{fetches}");
    assert_eq!(waited.as_secs(), 5 * fetches as u64);
}

#[tokio::test(start_paused = true)]
async fn a_refetch_waits_for_the_retry_after_of_the_metadata() {
    for (retry_after, seconds) in [("0", 60), ("30", 60), ("900", 900), ("99999999999999999999", 3600)] {
        let site = Site::new();
        let (issuer, http) = (Issuer::new(ISSUER).unwrap(), site.transport());
        issuer.metadata(&http).await.unwrap();
        pass(Duration::from_secs(3601)).await;
        site.page(OAUTH_DOCUMENT, move || {
            let mut response = answer(429, "");
            response.headers_mut().insert("retry-after", retry_after.parse().unwrap());
            response
        });
        issuer.metadata(&http).await.unwrap();
        pass(Duration::from_secs(seconds - 1)).await;
        issuer.metadata(&http).await.unwrap();
        assert_eq!(fetches(&site), 2, "{retry_after}");
        pass(Duration::from_secs(2)).await;
        issuer.metadata(&http).await.unwrap();
        assert_eq!(fetches(&site), 1, "{retry_after}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_back_off_of_the_layer_honours_the_retry_after_of_the_metadata() {
    let site = Site::new();
    site.page(OAUTH_DOCUMENT, || {
        let mut response = answer(503, "");
        response.headers_mut().insert("retry-after", "600".parse().unwrap());
        response
    });
    let grant = ClientCredentials::from_issuer(ISSUER, Client::basic("id", "secret")).unwrap();
    let service = OAuth2Layer::new(grant).token_service(site.service()).layer(site.service());
    let tokens = service.tokens();
    let error = tokens.get().await.unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Overloaded, 503));
    assert_eq!(error.retry_after().unwrap().as_secs(), 600);
    assert_eq!(error.endpoint(), Some("auth.example.com/.well-known/oauth-authorization-server"));
    site.json(OAUTH_DOCUMENT, document());
    pass(Duration::from_secs(599)).await;
    tokens.get().await.unwrap_err();
    assert_eq!(fetches(&site), 1);
    pass(Duration::from_secs(200)).await;
    tokens.get().await.unwrap();
}

/// The token endpoint is missing during a deployment, and so is the metadata.
#[tokio::test(start_paused = true)]
async fn a_thousand_requests_to_a_missing_endpoint_cause_few_fetches() {
    for metadata_works in [true, false] {
        let site = Site::new();
        let endpoint = TokenEndpoint::discover(ISSUER, Client::basic("id", "secret")).unwrap();
        let http = site.transport();
        endpoint.token(&http, Form::new("client_credentials")).await.unwrap();
        pass(Duration::from_secs(301)).await;
        site.status(TOKEN, 404);
        if !metadata_works {
            site.status(OAUTH_DOCUMENT, 503);
        }
        site.take_urls();
        for _ in 0..1000 {
            let error = endpoint.token(&http, Form::new("client_credentials")).await.unwrap_err();
            assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::NotOAuth, 404));
            pass(Duration::from_millis(100)).await;
        }
        // 100 seconds: once after the first 404, and then once a minute while it fails.
        assert_eq!(fetches(&site), if metadata_works { 1 } else { 2 });
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_endpoint_and_metadata_that_does_not_respond_leave_the_old_document() {
    let site = Site::new();
    let endpoint = TokenEndpoint::discover(ISSUER, Client::basic("id", "secret")).unwrap();
    let http = site.transport();
    endpoint.token(&http, Form::new("client_credentials")).await.unwrap();
    pass(Duration::from_secs(301)).await;
    site.status(TOKEN, 404);
    endpoint.token(&http, Form::new("client_credentials")).await.unwrap_err();
    site.json(TOKEN, token("b", 3600));
    site.delay(OAUTH_DOCUMENT, NEVER);
    let start = Instant::now();
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let (endpoint, http) = (endpoint.clone(), site.transport());
            tokio::spawn(async move { endpoint.token(&http, Form::new("client_credentials")).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap().access_token(), "b");
    }
    assert_eq!(start.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_moves_back_and_forth_is_found_after_five_minutes_each_time() {
    let site = Site::new();
    let endpoint = TokenEndpoint::discover(ISSUER, Client::basic("id", "secret")).unwrap();
    let http = site.transport();
    let urls = [TOKEN, "https://auth.example.com/v2/token"];
    endpoint.token(&http, Form::new("client_credentials")).await.unwrap();
    for round in 1..5 {
        pass(Duration::from_secs(301)).await;
        let (here, away) = (urls[round % 2], urls[(round + 1) % 2]);
        let mut moved = document();
        moved["token_endpoint"] = json!(here);
        site.json(OAUTH_DOCUMENT, moved);
        site.json(here, token(&format!("t{round}"), 60));
        site.status(away, 410);
        let error = endpoint.token(&http, Form::new("client_credentials")).await.unwrap_err();
        assert_eq!(error.status().unwrap().as_u16(), 410);
        let found = endpoint.token(&http, Form::new("client_credentials")).await.unwrap();
        assert_eq!(found.access_token(), format!("t{round}"));
    }
}
