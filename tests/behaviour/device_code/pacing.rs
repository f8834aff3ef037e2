//! The server is asked at the pace that it sets, and an outage does not end a login (RFC 8628 §3.5).

use serde_json::json;
use tokio::time::Instant;

use super::{code, login, says};
use crate::support::{answer, token};

#[tokio::test(start_paused = true)]
async fn an_interval_of_one_is_obeyed_and_zero_does_not_busy_loop() {
    for (interval, times) in
        [(json!(1), [1, 2, 3]), (json!(0), [5, 10, 15]), (json!("2"), [2, 4, 6]), (json!(null), [5, 10, 15])]
    {
        let mut login = login(|grant| grant);
        let _request = login.request();
        let mut code = code();
        code["interval"] = interval;
        login.gives(code).await;
        assert_eq!(login.answers(["authorization_pending"; 3].map(says)).await, times);
    }
}

#[tokio::test(start_paused = true)]
async fn slow_down_lasts() {
    let mut login = login(|grant| grant);
    let _request = login.request();
    login.gives(code()).await;
    let times = login.answers(["slow_down", "authorization_pending", "authorization_pending"].map(says)).await;
    assert_eq!(times, [5, 15, 25]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_does_not_end_a_login() {
    let mut login = login(|grant| grant);
    let request = login.request();
    login.gives(code()).await;
    let page = || json!("<html>Bad gateway</html>");
    let answers =
        [(502, page()), (200, page()), (403, page()), (429, json!({})), (503, json!({"error": "access_denied"}))];
    let times = login.answers(answers.into_iter().chain([(200, token("a", 3600))])).await;
    assert_eq!(times, [5, 10, 15, 20, 25, 30]);
    assert_eq!(login.server.serves().await.as_deref(), Some("Bearer a"));
    request.await.unwrap().unwrap();
    assert_eq!(login.times_shown(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_answer_doubles_the_interval_until_there_is_one() {
    let mut login = login(|grant| grant);
    let _request = login.request();
    let mut code = code();
    code["expires_in"] = json!(600);
    login.gives(code).await;
    let start = Instant::now();
    let (_, respond) = login.server.token_request().await;
    respond.send_error("connection reset");
    let (_, unanswered) = login.server.token_request().await;
    assert_eq!(start.elapsed().as_secs(), 5 + 10);
    // It is given up after 30 s.
    let asked = login.asked_after(start, says("authorization_pending")).await;
    drop(unanswered);
    assert_eq!(asked, 15 + 30 + 20);
    assert_eq!(login.asked_after(start, says("authorization_pending")).await, asked + 5);
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_kept_to_when_it_is_longer() {
    let mut login = login(|grant| grant);
    let _request = login.request();
    login.gives(code()).await;
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
