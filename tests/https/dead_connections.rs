//! Connections that are dead because a firewall or a load balancer has dropped their state.

use std::time::Duration;

use crate::child_process::in_child;
use crate::relay::Relay;
use crate::requests::{Client, get, with};
use crate::server::Server;

const SHORT: Duration = Duration::from_millis(100);
/// Long enough for a reply on a busy machine.
const LONG: Duration = Duration::from_secs(2);

fn client() -> Client {
    with(&[]).keep_alive(SHORT, LONG).build().unwrap()
}

#[test]
fn an_idle_dead_connection_is_closed_before_the_next_request() {
    in_child("dead_connections::an_idle_dead_connection_is_closed_before_the_next_request", async || {
        let mut relay = Relay::to(Server::https().await.address).await;
        let (client, url) = (client(), format!("https://localhost:{}/", relay.address.port()));
        assert_eq!(get(&client, &url).await.unwrap(), "HTTP/2.0 /");
        relay.drop_all_bytes();
        relay.closed().await;
        assert_eq!(get(&client, &url).await.unwrap(), "HTTP/2.0 /");
        assert_eq!(relay.connections(), 2);
    });
}

#[test]
fn a_request_on_a_dead_connection_fails_and_the_next_succeeds() {
    in_child("dead_connections::a_request_on_a_dead_connection_fails_and_the_next_succeeds", async || {
        let relay = Relay::to(Server::https().await.address).await;
        let (client, url) = (client(), format!("https://localhost:{}/", relay.address.port()));
        assert_eq!(get(&client, &url).await.unwrap(), "HTTP/2.0 /");
        relay.drop_all_bytes();
        // The request fails, unless the client has detected the dead connection before.
        let _ = get(&client, &url).await;
        assert_eq!(get(&client, &url).await.unwrap(), "HTTP/2.0 /");
        assert_eq!(relay.connections(), 2);
    });
}

#[test]
fn an_idle_connection_that_replies_to_pings_is_kept() {
    in_child("dead_connections::an_idle_connection_that_replies_to_pings_is_kept", async || {
        let mut relay = Relay::to(Server::https().await.address).await;
        let client = with(&[]).keep_alive(SHORT, LONG).build().unwrap();
        let url = format!("https://localhost:{}/", relay.address.port());
        assert_eq!(get(&client, &url).await.unwrap(), "HTTP/2.0 /");
        relay.several_messages().await;
        assert_eq!(get(&client, &url).await.unwrap(), "HTTP/2.0 /");
        assert_eq!(relay.connections(), 1);
    });
}
