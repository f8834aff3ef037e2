//! `http://` requests through an HTTP proxy.

use crate::child_process::in_child;
use crate::proxy::{Proxy, Rules};
use crate::requests::{get, with};
use crate::server::Server;

#[test]
fn a_request_is_forwarded_with_its_absolute_address() {
    in_child("forwarding::a_request_is_forwarded_with_its_absolute_address", async || {
        let proxy = Proxy::start(Rules::to(Server::http().await.address)).await;
        let client = with(&[("http_proxy", &format!("http://{}/", proxy.address))]).build().unwrap();
        assert_eq!(get(&client, "http://api.example.com/x?y=z").await.unwrap(), "forwarded");
        assert_eq!(proxy.lines(), ["GET http://api.example.com/x?y=z HTTP/1.1"]);
    });
}

#[test]
fn a_request_uses_a_tunnel_if_the_proxy_has_a_user_name() {
    in_child("forwarding::a_request_uses_a_tunnel_if_the_proxy_has_a_user_name", async || {
        let auth = Some("Basic YWxpY2U6aHVudGVyMg==");
        let proxy = Proxy::start(Rules { auth, ..Rules::to(Server::http().await.address) }).await;
        let client = with(&[("HTTP_PROXY", &format!("http://alice:hunter2@{}", proxy.address))]).build().unwrap();
        assert_eq!(get(&client, "http://api.example.com/x").await.unwrap(), "HTTP/1.1 /x");
        assert_eq!(proxy.lines(), ["CONNECT api.example.com:80 HTTP/1.1"]);
    });
}

#[test]
fn an_excluded_host_is_connected_to_directly() {
    in_child("forwarding::an_excluded_host_is_connected_to_directly", async || {
        let server = Server::http().await;
        let proxy = Proxy::start(Rules::to(server.address)).await;
        let address = format!("http://{}", proxy.address);
        // An address of this machine that is not loopback.
        let url = format!("http://0.0.0.0:{}/", server.address.port());
        for (no_proxy, expected) in [("10.0.0.0/8, example.com", "forwarded"), ("10.0.0.0/8, 0.0.0.0", "HTTP/1.1 /")] {
            let client = with(&[("HTTP_PROXY", &address), ("NO_PROXY", no_proxy)]).build().unwrap();
            assert_eq!(get(&client, &url).await.unwrap(), expected);
        }
    });
}
