//! Connections through a SOCKS proxy.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::child_process::in_child;
use crate::requests::{get, report, with};
use crate::server::Server;

/// Starts a SOCKS proxy (RFC 1928) that connects to one server, and returns its address and the requested destinations.
///
/// If `needs_password`, it requires the user name `alice` and the password `hunter2` (RFC 1929).
async fn socks(server: SocketAddr, needs_password: bool) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, destinations) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
    let recorded = destinations.clone();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(client, server, needs_password, recorded.clone()));
        }
    });
    (address, destinations)
}

async fn serve(
    mut client: TcpStream,
    server: SocketAddr,
    needs_password: bool,
    destinations: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    client.read_u8().await?;
    let methods = length_prefixed(&mut client).await?;
    let method = if needs_password { 2 } else { 0 };
    if !methods.contains(&method) {
        return client.write_all(&[5, 0xff]).await;
    }
    client.write_all(&[5, method]).await?;
    if needs_password {
        client.read_u8().await?;
        let known = (length_prefixed(&mut client).await?, length_prefixed(&mut client).await?)
            == (b"alice".to_vec(), b"hunter2".to_vec());
        client.write_all(&[1, u8::from(!known)]).await?;
        if !known {
            return Ok(());
        }
    }
    let mut head = [0; 4];
    client.read_exact(&mut head).await?;
    assert_eq!(head, [5, 1, 0, 3], "CONNECT to a name");
    let name = length_prefixed(&mut client).await?;
    let port = client.read_u16().await?;
    destinations.lock().unwrap().push(format!("{}:{port}", String::from_utf8(name).unwrap()));
    let mut server = TcpStream::connect(server).await?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// Reads bytes that are preceded by their length.
async fn length_prefixed(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; client.read_u8().await?.into()];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}

#[test]
fn the_proxy_resolves_the_name() {
    in_child("socks::the_proxy_resolves_the_name", async || {
        let (https, http) = (Server::https().await, Server::http().await);
        for (scheme, password) in [("socks5", false), ("socks5h", true)] {
            let user = if password { "alice:hunter2@" } else { "" };
            let (address, destinations) = socks(https.address, password).await;
            let client = with(&[("ALL_PROXY", &format!("{scheme}://{user}{address}"))]).build().unwrap();
            assert_eq!(get(&client, "https://api.example.com/").await.unwrap(), "HTTP/2.0 /");
            assert_eq!(*destinations.lock().unwrap(), ["api.example.com:443"]);
        }
        let (address, destinations) = socks(http.address, false).await;
        let client = with(&[("ALL_PROXY", &format!("socks5://{address}"))]).build().unwrap();
        assert_eq!(get(&client, "http://api.example.com/").await.unwrap(), "HTTP/1.1 /");
        assert_eq!(*destinations.lock().unwrap(), ["api.example.com:80"]);
    });
}

#[test]
fn the_error_of_a_wrong_password_names_the_proxy() {
    in_child("socks::the_error_of_a_wrong_password_names_the_proxy", async || {
        let (address, _) = socks(Server::https().await.address, true).await;
        for user in ["alice:hunter3@", ""] {
            let client = with(&[("ALL_PROXY", &format!("socks5h://{user}{address}"))]).build().unwrap();
            let error = get(&client, "https://api.example.com/").await.unwrap_err();
            let text = report(&*error);
            assert!(text.contains(&format!("the proxy socks5h://{address} (`ALL_PROXY`)")), "{text}");
            assert!(!format!("{text} {error:?}").contains("hunter3"), "{error:?}");
        }
    });
}
