//! Certificate files that are replaced while requests run.

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::{JoinHandle, LocalSet};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tower_oauth2::https::{self, Identity};

use crate::child_process::in_child;
use crate::mutual_tls::{ClientCertificate, MutualTls, Options, folder};
use crate::requests::{Client, get};

/// A handshake looks at the files if the last look was this long ago.
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn write(&self, certificate: &str, key: &str) {
        std::fs::write(&self.certificate, certificate).unwrap();
        std::fs::write(&self.key, key).unwrap();
    }
}

/// Returns the name in the certificate that was presented to the server.
async fn presented(client: &Client, server: &MutualTls) -> String {
    let response = get(client, server.url()).await.expect("no request fails");
    response.split(' ').next().unwrap().to_owned()
}

/// Sends requests with new connections until one that began long enough after a change must have noticed it.
async fn expect_new_connections_of(name: &str, client: &Client, server: &MutualTls) {
    let changed = Instant::now();
    loop {
        let must_have_noticed = changed.elapsed() > RELOAD_INTERVAL;
        assert_eq!(presented(client, server).await, name);
        if must_have_noticed {
            return;
        }
    }
}

/// Sends requests all the time. The task returns the names in the certificates that were presented, in their order.
fn load(client: &Client, server: &Rc<MutualTls>, is_running: &Rc<Cell<bool>>) -> JoinHandle<Vec<String>> {
    let (client, server, is_running) = (client.clone(), server.clone(), is_running.clone());
    tokio::task::spawn_local(async move {
        let mut names = Vec::new();
        while is_running.get() {
            names.push(presented(&client, &server).await);
            names.dedup();
        }
        names
    })
}

#[test]
fn new_connections_present_a_new_certificate_and_no_request_fails() {
    in_child("identity_rotation::new_connections_present_a_new_certificate_and_no_request_fails", async || {
        LocalSet::new().run_until(rotate()).await;
    });
}

async fn rotate() {
    let [one, two] = ["client-one", "client-two"].map(ClientCertificate::new);
    let ((certificate_one, key_one), (certificate_two, key_two)) = (one.pem(), two.pem());
    let pooled = Rc::new(MutualTls::start(&[&one, &two], Options::POOLED).await);
    let new = Rc::new(MutualTls::start(&[&one, &two], Options::NEW_CONNECTIONS).await);
    let files = Files { certificate: folder().join("tls.crt"), key: folder().join("tls.key") };
    files.write(&certificate_one, &key_one);
    let client: Client =
        https::client_with_identity(Identity::from_files(&files.certificate, &files.key).unwrap()).unwrap();

    // The pool opens one connection for the first request, and all others share it.
    assert_eq!(presented(&client, &pooled).await, "client-one");
    let is_running = Rc::new(Cell::new(true));
    let loads = [&pooled, &pooled, &new, &new].map(|server| load(&client, server, &is_running));

    // Half written pairs, as a program that replaces the files in place leaves them for a moment.
    for (certificate, key) in [
        (&certificate_two[..certificate_two.len() / 2], &*key_one),
        ("", &*key_one),
        (&*certificate_two, &*key_one),
        (&*certificate_two, &key_two[..key_two.len() / 2]),
    ] {
        files.write(certificate, key);
        expect_new_connections_of("client-one", &client, &new).await;
    }

    files.write(&certificate_two, &key_two);
    // The test has a timeout of its own.
    while presented(&client, &new).await != "client-two" {}
    assert_eq!(presented(&client, &pooled).await, "client-one");

    std::fs::remove_file(&files.certificate).unwrap();
    expect_new_connections_of("client-two", &client, &new).await;

    is_running.set(false);
    let [pooled_one, pooled_two, new_one, new_two] = loads;
    for load in [pooled_one, pooled_two] {
        assert_eq!(load.await.unwrap(), ["client-one"]);
    }
    for load in [new_one, new_two] {
        assert_eq!(load.await.unwrap(), ["client-one", "client-two"]);
    }
    assert_eq!(pooled.connections(), 1);
}

/// A resumed session would keep the certificate of the earlier handshake.
#[test]
fn files_are_presented_in_full_handshakes() {
    in_child("identity_rotation::files_are_presented_in_full_handshakes", async || {
        let one = ClientCertificate::new("client-one");
        for version in [&TLS12, &TLS13] {
            let server = MutualTls::start(&[&one], Options { version, ..Options::NEW_CONNECTIONS }).await;
            let identity = Identity::from_files(&one.certificate, &one.key).unwrap();
            let client: Client = https::client_with_identity(identity).unwrap();
            for _ in 0..3 {
                assert_eq!(get(&client, server.url()).await.unwrap(), "client-one Full", "{version:?}");
            }
        }
    });
}
