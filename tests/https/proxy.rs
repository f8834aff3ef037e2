//! An HTTP proxy that connects every tunnel to one server, and records the requests.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    client_certificates: Arc<AtomicUsize>,
}

#[derive(Clone)]
pub(crate) struct Rules {
    /// The server to which every tunnel connects.
    pub(crate) server: SocketAddr,
    /// The required value of `Proxy-Authorization`.
    pub(crate) auth: Option<&'static str>,
    /// Whether the proxy opens tunnels.
    pub(crate) tunnels: bool,
    pub(crate) tls: Option<TlsAcceptor>,
}

impl Rules {
    pub(crate) fn to(server: SocketAddr) -> Self {
        Self { server, auth: None, tunnels: true, tls: None }
    }
}

impl Proxy {
    pub(crate) async fn start(rules: Rules) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            heads: Arc::default(),
            client_certificates: Arc::default(),
        };
        let (heads, certificates) = (proxy.heads.clone(), proxy.client_certificates.clone());
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let (rules, heads, certificates) = (rules.clone(), heads.clone(), certificates.clone());
                tokio::spawn(async move {
                    match rules.tls.clone() {
                        None => serve(tcp, &rules, &heads).await,
                        Some(tls) => {
                            let tls = tls.accept(tcp).await.unwrap();
                            let presented = tls.get_ref().1.peer_certificates().map_or(0, <[_]>::len);
                            certificates.fetch_add(presented, Ordering::SeqCst);
                            serve(tls, &rules, &heads).await;
                        }
                    }
                });
            }
        });
        proxy
    }

    /// Returns the heads of the received requests.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// Returns the number of client certificates that were presented to the proxy.
    pub(crate) fn client_certificates(&self) -> usize {
        self.client_certificates.load(Ordering::SeqCst)
    }

    /// Returns the request lines of the received requests.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.heads().iter().map(|head| head.lines().next().unwrap().to_owned()).collect()
    }
}

async fn serve(mut client: impl AsyncRead + AsyncWrite + Unpin, rules: &Rules, heads: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match client.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    heads.lock().unwrap().push(head.clone());
    let sent = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("proxy-authorization").then_some(value)
    });
    let response = if rules.auth.is_some_and(|required| sent != Some(required)) {
        "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm=\"test\"\r\ncontent-length: 0\r\n\r\n"
    } else if !head.starts_with("CONNECT ") {
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\nforwarded"
    } else if !rules.tunnels {
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"
    } else {
        let mut server = TcpStream::connect(rules.server).await.unwrap();
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
        let _ = copy_bidirectional(&mut client, &mut server).await;
        return;
    };
    let _ = client.write_all(response.as_bytes()).await;
}
