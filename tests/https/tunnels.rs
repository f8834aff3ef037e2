//! `https://` requests through an HTTP proxy.

use bytes::Bytes;
use http_body_util::Full;
use tower::{Layer, ServiceExt};
use tower_oauth2::{OAuth2Layer, client::Client, grant::ClientCredentials};

use crate::child_process::in_child;
use crate::proxy::{Proxy, Rules};
use crate::requests::{get, report, with};
use crate::server::{Server, acceptor};

#[test]
fn api_and_token_requests_use_a_tunnel_that_hides_them_from_the_proxy() {
    in_child("tunnels::api_and_token_requests_use_a_tunnel_that_hides_them_from_the_proxy", async || {
        let server = Server::https().await;
        let proxy = Proxy::start(Rules::to(server.address)).await;
        let client = with(&[("HTTPS_PROXY", &format!("http://{}", proxy.address))]).build().unwrap();
        let grant = ClientCredentials::new("https://auth.example.com/token", Client::basic("id", "secret")).unwrap();
        let request = http::Request::get("https://api.example.com/").body(Full::<Bytes>::default()).unwrap();
        let response = OAuth2Layer::new(grant).layer(client).oneshot(request).await.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, http::Version::HTTP_2));
        let connects = ["CONNECT auth.example.com:443 HTTP/1.1", "CONNECT api.example.com:443 HTTP/1.1"];
        assert_eq!(proxy.lines(), connects);
        assert!(!proxy.heads().concat().to_lowercase().contains("authorization"));
    });
}

#[test]
fn a_custom_port_and_a_proxy_address_without_a_scheme() {
    in_child("tunnels::a_custom_port_and_a_proxy_address_without_a_scheme", async || {
        let proxy = Proxy::start(Rules::to(Server::https().await.address)).await;
        let client = with(&[("all_proxy", &proxy.address.to_string())]).build().unwrap();
        assert_eq!(get(&client, "https://api.example.com:8443/x").await.unwrap(), "HTTP/2.0 /x");
        assert_eq!(proxy.lines(), ["CONNECT api.example.com:8443 HTTP/1.1"]);
    });
}

#[test]
fn a_user_name_and_a_password_are_sent_to_the_proxy() {
    in_child("tunnels::a_user_name_and_a_password_are_sent_to_the_proxy", async || {
        // alice:hunt/er@2
        let auth = Some("Basic YWxpY2U6aHVudC9lckAy");
        let proxy = Proxy::start(Rules { auth, ..Rules::to(Server::https().await.address) }).await;
        let url = format!("http://alice:hunt%2Fer%402@{}", proxy.address);
        let client = with(&[("HTTPS_PROXY", &url)]).build().unwrap();
        assert_eq!(get(&client, "https://api.example.com/").await.unwrap(), "HTTP/2.0 /");
        assert!(!format!("{client:?}").contains("hunt"), "{client:?}");
    });
}

#[test]
fn the_error_of_a_wrong_password_names_the_proxy_without_the_password() {
    in_child("tunnels::the_error_of_a_wrong_password_names_the_proxy_without_the_password", async || {
        let auth = Some("Basic YWxpY2U6aHVudC9lckAy");
        let proxy = Proxy::start(Rules { auth, ..Rules::to(Server::https().await.address) }).await;
        for (user, expected) in
            [("alice:hunter3@", "rejected the user name and password"), ("", "requires a user name")]
        {
            let client = with(&[("HTTPS_PROXY", &format!("http://{user}{}", proxy.address))]).build().unwrap();
            let error = get(&client, "https://api.example.com/").await.unwrap_err();
            let text = report(&*error);
            assert!(text.contains(&format!("the proxy http://{} (`HTTPS_PROXY`) {expected}", proxy.address)), "{text}");
            assert!(!format!("{text} {error:?}").contains("hunter3"), "{error:?}");
        }
    });
}

#[test]
fn the_error_names_a_proxy_that_denies_the_tunnel() {
    in_child("tunnels::the_error_names_a_proxy_that_denies_the_tunnel", async || {
        let proxy = Proxy::start(Rules { tunnels: false, ..Rules::to(Server::https().await.address) }).await;
        let client = with(&[("HTTPS_PROXY", &format!("http://{}", proxy.address))]).build().unwrap();
        let error = report(&*get(&client, "https://api.example.com/").await.unwrap_err());
        assert!(
            error.contains(&format!("{} (`HTTPS_PROXY`) did not open a tunnel to api.example.com:443", proxy.address)),
            "{error}"
        );
    });
}

#[test]
fn the_error_names_an_unreachable_proxy() {
    in_child("tunnels::the_error_names_an_unreachable_proxy", async || {
        let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        for scheme in ["http", "socks5"] {
            let client = with(&[("ALL_PROXY", &format!("{scheme}://{unused}"))]).build().unwrap();
            for url in ["https://api.example.com/", "http://api.example.com/"] {
                let error = report(&*get(&client, url).await.unwrap_err());
                assert!(error.contains(&format!("the proxy {scheme}://{unused} (`ALL_PROXY`)")), "{url}: {error}");
                assert!(error.to_lowercase().contains("connection refused"), "{error}");
            }
        }
    });
}

#[test]
fn the_connection_to_a_proxy_may_use_tls() {
    in_child("tunnels::the_connection_to_a_proxy_may_use_tls", async || {
        let tls = Some(acceptor(&["h2", "http/1.1"]));
        let proxy = Proxy::start(Rules { tls, ..Rules::to(Server::https().await.address) }).await;
        let client = with(&[("HTTPS_PROXY", &format!("https://localhost:{}", proxy.address.port()))]).build().unwrap();
        assert_eq!(get(&client, "https://api.example.com/").await.unwrap(), "HTTP/2.0 /");
        assert_eq!(proxy.lines(), ["CONNECT api.example.com:443 HTTP/1.1"]);
    });
}

#[test]
fn loopback_hosts_are_connected_to_directly() {
    in_child("tunnels::loopback_hosts_are_connected_to_directly", async || {
        let (https, http) = (Server::https().await, Server::http().await);
        let proxy = Proxy::start(Rules::to(https.address)).await;
        let client = with(&[("ALL_PROXY", &format!("http://{}", proxy.address))]).build().unwrap();
        get(&client, format!("https://localhost:{}/", https.address.port())).await.unwrap();
        get(&client, format!("http://{}/", http.address)).await.unwrap();
        assert_eq!((https.connections(), http.connections(), proxy.lines().len()), (1, 1, 0));
    });
}
