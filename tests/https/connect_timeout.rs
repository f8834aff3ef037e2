//! The connect timeout.

use std::time::Duration;

use http_body_util::Full;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, client::Client, grant::ClientCredentials};

use crate::child_process::in_child;
use crate::requests::{get, report, with};

const SHORT: Duration = Duration::from_millis(100);

#[test]
fn a_handshake_without_a_reply_times_out() {
    in_child("connect_timeout::a_handshake_without_a_reply_times_out", async || {
        // The system accepts the connection, but no server replies to the TLS handshake.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/token", silent.local_addr().unwrap().port());
        let grant = ClientCredentials::new(&url, Client::basic("id", "secret")).unwrap();
        let api = OAuth2Layer::new(grant).layer(with(&[]).connect_timeout(SHORT).build().unwrap());
        let request = http::Request::get("https://localhost/").body(Full::<bytes::Bytes>::default()).unwrap();
        let error = api.oneshot(request).await.unwrap_err().downcast::<Error>().unwrap();
        assert_eq!(error.kind(), ErrorKind::Transport);
        assert!(report(&*error).contains("no connection within 100ms"), "{}", report(&*error));
    });
}

#[test]
fn the_error_names_a_proxy_that_does_not_respond() {
    in_child("connect_timeout::the_error_names_a_proxy_that_does_not_respond", async || {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("http://alice:hunter2@{}", silent.local_addr().unwrap());
        let client = with(&[("https_proxy", &proxy)]).connect_timeout(SHORT).build().unwrap();
        let error = report(&*get(&client, "https://api.example.com/").await.unwrap_err());
        assert!(
            error.contains(&format!("the proxy http://{} (`https_proxy`)", silent.local_addr().unwrap())),
            "{error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    });
}

#[test]
fn zero_and_the_maximum_are_valid_timeouts() {
    in_child("connect_timeout::zero_and_the_maximum_are_valid_timeouts", async || {
        let server = crate::server::Server::https().await;
        let url = format!("https://localhost:{}/", server.address.port());
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = with(&[]).connect_timeout(Duration::ZERO).build().unwrap();
        get(&client, &format!("https://{}/", silent.local_addr().unwrap())).await.unwrap_err();
        let maximum = with(&[]).connect_timeout(Duration::MAX).keep_alive(Duration::MAX, Duration::MAX);
        assert_eq!(get(&maximum.build().unwrap(), &url).await.unwrap(), "HTTP/2.0 /");
        let none = with(&[]).keep_alive(Duration::ZERO, Duration::ZERO);
        assert_eq!(get(&none.build().unwrap(), &url).await.unwrap(), "HTTP/2.0 /");
    });
}
