//! I5: clocks that are stepped, and machines that are suspended.

use std::time::Duration;

use serde_json::json;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::{Issuer, TokenEndpoint};
use tower_oauth2::form::Form;
use tower_oauth2::test_util::Clock;

use super::site::{ISSUER, OAUTH_DOCUMENT, Site, document};
use crate::support::{pass, token};

#[tokio::test(start_paused = true)]
async fn a_document_does_not_outlive_a_suspended_machine_or_a_clock_that_is_set_back() {
    let clock = Clock::new();
    let _entered = clock.enter();
    let site = Site::new();
    let (issuer, http) = (Issuer::new(ISSUER).unwrap(), site.transport());
    issuer.metadata(&http).await.unwrap();
    clock.step_forward(Duration::from_secs(3601));
    issuer.metadata(&http).await.unwrap();
    assert_eq!(site.take_urls().len(), 2);
    clock.step_back(Duration::from_secs(1_000_000));
    issuer.metadata(&http).await.unwrap();
    assert!(site.take_urls().is_empty());
    pass(Duration::from_secs(3601)).await;
    issuer.metadata(&http).await.unwrap();
    assert_eq!(site.take_urls(), [OAUTH_DOCUMENT]);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_moved_during_a_suspend_is_found() {
    let clock = Clock::new();
    let _entered = clock.enter();
    let site = Site::new();
    let endpoint = TokenEndpoint::discover(ISSUER, Client::basic("id", "secret")).unwrap();
    let http = site.transport();
    endpoint.token(&http, Form::new("client_credentials")).await.unwrap();
    // The monotonic clock stops meanwhile.
    clock.step_forward(Duration::from_secs(600));
    let mut moved = document();
    moved["token_endpoint"] = json!("https://auth.example.com/v2/token");
    site.json(OAUTH_DOCUMENT, moved);
    site.json("https://auth.example.com/v2/token", token("b", 60));
    site.status("https://auth.example.com/token", 404);
    endpoint.token(&http, Form::new("client_credentials")).await.unwrap_err();
    assert_eq!(endpoint.token(&http, Form::new("client_credentials")).await.unwrap().access_token(), "b");
}
