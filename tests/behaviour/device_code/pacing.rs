//! The schedule of the polls (RFC 8628 §3.5).

use serde_json::json;
use tokio::time::Instant;

use super::{code, login, oauth_error};
use crate::support::{answer, token};

#[tokio::test(start_paused = true)]
async fn the_interval_of_the_server_is_used_unless_it_is_zero() {
    for (interval, times) in
        [(json!(1), [1, 2, 3]), (json!(0), [5, 10, 15]), (json!("2"), [2, 4, 6]), (json!(null), [5, 10, 15])]
    {
        let mut login = login(|grant| grant);
        let _request = login.request();
        let mut code = code();
        code["interval"] = interval;
        login.send_code(code).await;
        assert_eq!(login.respond_to_polls(["authorization_pending"; 3].map(oauth_error)).await, times);
    }
}

#[tokio::test(start_paused = true)]
async fn slow_down_increases_the_interval_permanently() {
    let mut login = login(|grant| grant);
    let _request = login.request();
    login.send_code(code()).await;
    let times =
        login.respond_to_polls(["slow_down", "authorization_pending", "authorization_pending"].map(oauth_error)).await;
    assert_eq!(times, [5, 15, 25]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_does_not_end_a_login() {
    let mut login = login(|grant| grant);
    let request = login.request();
    login.send_code(code()).await;
    let page = || json!("<html>Bad gateway</html>");
    let responses =
        [(502, page()), (200, page()), (403, page()), (429, json!({})), (503, json!({"error": "access_denied"}))];
    let times = login.respond_to_polls(responses.into_iter().chain([(200, token("a", 3600))])).await;
    assert_eq!(times, [5, 10, 15, 20, 25, 30]);
    assert_eq!(login.server.next_authorization().await.as_deref(), Some("Bearer a"));
    request.await.unwrap().unwrap();
    assert_eq!(login.prompt_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_delay_doubles_until_the_server_responds() {
    let mut login = login(|grant| grant);
    let _request = login.request();
    let mut code = code();
    code["expires_in"] = json!(600);
    login.send_code(code).await;
    let start = Instant::now();
    let (_, respond) = login.server.token_request().await;
    respond.send_error("connection reset");
    let (_, unanswered) = login.server.token_request().await;
    assert_eq!(start.elapsed().as_secs(), 5 + 10);
    // The poll times out after 30 s.
    let time = login.poll_time(start, oauth_error("authorization_pending")).await;
    drop(unanswered);
    assert_eq!(time, 15 + 30 + 20);
    assert_eq!(login.poll_time(start, oauth_error("authorization_pending")).await, time + 5);
}

#[tokio::test(start_paused = true)]
async fn a_longer_retry_after_is_used() {
    let mut login = login(|grant| grant);
    let _request = login.request();
    login.send_code(code()).await;
    for (wait, since) in [("20", 5), ("1", 20), ("", 5)] {
        let start = Instant::now();
        let (_, respond) = login.server.token_request().await;
        assert_eq!(start.elapsed().as_secs(), since);
        let mut pending = answer(400, json!({"error": "authorization_pending"}));
        pending.headers_mut().insert("retry-after", wait.parse().unwrap());
        respond.send_response(pending);
        tokio::task::yield_now().await;
    }
}
