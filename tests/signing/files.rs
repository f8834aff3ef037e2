//! Files that another program replaces while requests run.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::FutureExt as _;
use tower_oauth2::ErrorKind;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::form::Form;
use tower_oauth2::jwt::{Algorithm, Claims, Key, KeyFile};
use tower_oauth2::source::{File, Source, SourceContext};

use crate::support::{ISSUER, Server, TOKEN_URL, decoded, pem, printed};

/// A directory that is removed with its content.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("signing-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn cx() -> SourceContext {
    SourceContext::new(Server::default().transport())
}

/// A12.
#[tokio::test]
async fn one_line_break_at_the_end_is_removed_and_nothing_else() {
    let directory = Directory::new("line-breaks");
    for (content, read) in
        [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a \n", " a "), ("a\r", "a\r")]
    {
        let path = directory.write("secret", content);
        assert_eq!(File::new(path).fetch(cx()).await.unwrap(), read, "{content:?}");
    }
}

/// A12, A13.
#[tokio::test]
async fn a_file_that_cannot_be_read_is_an_error_of_this_request() {
    let directory = Directory::new("unreadable");
    let path = directory.0.join("secret");
    let file = File::new(&path);
    let server = Server::default();
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::post_from("id", file)).unwrap();
    let too_long = vec![b'a'; 1024 * 1024 + 1];
    let contents: [Option<&[u8]>; 5] = [None, Some(b""), Some(b"\n"), Some(b"hunter2-\xff"), Some(&too_long)];
    for content in contents {
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        let error = endpoint.token(&server.transport(), Form::new("client_credentials")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Proof);
        let text = printed(&error);
        assert!(text.contains(path.to_str().unwrap()) && !text.contains("hunter2"), "{text}");
    }
    assert!(server.take().is_empty());
    fs::write(&path, "secret").unwrap();
    endpoint.token(&server.transport(), Form::new("client_credentials")).await.unwrap();
    fs::write(&path, "a".repeat(1024 * 1024)).unwrap();
    endpoint.token(&server.transport(), Form::new("client_credentials")).await.unwrap();
}

/// A directory in place of the file: an error, and no hang.
#[tokio::test]
async fn a_directory_is_an_error() {
    let directory = Directory::new("directory");
    let error = File::new(&directory.0).fetch(cx()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Proof);
}

/// Without a runtime the file is read in place.
#[test]
fn a_file_is_read_without_a_runtime() {
    let directory = Directory::new("no-runtime");
    let path = directory.write("secret", "a");
    assert_eq!(File::new(path).fetch(cx()).now_or_never().unwrap().unwrap(), "a");
}

#[cfg(unix)]
fn pipe(directory: &Directory) -> PathBuf {
    let path = directory.0.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// Opening a pipe blocks its thread, also that of a program without a runtime.
#[cfg(unix)]
#[test]
fn a_pipe_is_an_error() {
    let directory = Directory::new("pipe");
    let path = pipe(&directory);
    let (sender, kinds) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let read = File::new(&path).fetch(cx()).now_or_never().unwrap();
        let signed = Claims::signed_by(KeyFile::new(&path)).sign().now_or_never().unwrap();
        let _ = sender.send([read.unwrap_err().kind(), signed.unwrap_err().kind()]);
    });
    assert_eq!(kinds.recv_timeout(Duration::from_secs(20)).expect("no hang"), [ErrorKind::Proof; 2]);
}

/// Kubernetes replaces a mounted secret by changing a symbolic link to a directory.
#[cfg(unix)]
#[tokio::test]
async fn a_volume_whose_links_change_is_read_anew() {
    use std::os::unix::fs::symlink;

    let directory = Directory::new("volume");
    let (data, new) = (directory.0.join("..data"), directory.0.join("..data_tmp"));
    for version in ["one", "two"] {
        fs::create_dir(directory.0.join(version)).unwrap();
        fs::write(directory.0.join(version).join("token"), format!("e30.{version}.c2ln")).unwrap();
    }
    symlink("one", &data).unwrap();
    symlink("..data/token", directory.0.join("token")).unwrap();

    let server = Server::default();
    let client = Client::assertion_file("id", directory.0.join("token"));
    let endpoint = TokenEndpoint::new(TOKEN_URL, client).unwrap();
    endpoint.token(&server.transport(), Form::new("client_credentials")).await.unwrap();
    assert_eq!(server.take_one().get("client_assertion"), "e30.one.c2ln");
    symlink("two", &new).unwrap();
    fs::rename(&new, &data).unwrap();
    fs::remove_dir_all(directory.0.join("one")).unwrap();
    endpoint.token(&server.transport(), Form::new("client_credentials")).await.unwrap();
    assert_eq!(server.take_one().get("client_assertion"), "e30.two.c2ln");
}

/// A14.
#[tokio::test]
async fn a_new_key_signs_the_next_request_and_a_half_written_one_does_not() {
    let directory = Directory::new("key");
    let (first, second) = (pem("p256.pkcs8.pem"), Key::generate_pem().unwrap());
    let path = directory.write("key.pem", &first);
    let server = Server::default();
    let client = Client::private_key_jwt("id", KeyFile::new(&path).thumbprint_as_id()).audience(ISSUER);
    let endpoint = TokenEndpoint::new(TOKEN_URL, client).unwrap();
    let thumbprint = |pem: &str| Key::from_pem(pem).unwrap().thumbprint().to_owned();
    for (content, signs) in [
        (Some(&*first), &first),
        (Some(&first[..100]), &first),
        (Some(""), &first),
        (None, &first),
        (Some(&second), &second),
        (Some("-----BEGIN PRIVATE KEY-----\n"), &second),
    ] {
        match content {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        endpoint.token(&server.transport(), Form::new("client_credentials")).await.unwrap();
        let (header, _) = decoded(server.take_one().get("client_assertion"));
        assert_eq!(header["kid"], thumbprint(signs));
    }
}

#[tokio::test]
async fn a_file_that_never_held_a_key_is_an_error_that_names_it() {
    let directory = Directory::new("no-key");
    let server = Server::default();
    for content in ["hunter2-hunter2", "{\"kty\": \"EC\", \"d\": \"hunter2-hunter2\"}", &pem("p521.sec1.pem")] {
        let path = directory.write("key.pem", content);
        let client = Client::private_key_jwt("id", KeyFile::new(&path)).audience(ISSUER);
        let endpoint = TokenEndpoint::new(TOKEN_URL, client).unwrap();
        let error = endpoint.token(&server.transport(), Form::new("client_credentials")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Proof);
        let text = printed(&error);
        assert!(text.contains(path.to_str().unwrap()) && !text.contains("hunter2"), "{text}");
    }
    assert!(server.take().is_empty());
}

#[tokio::test]
async fn a_key_file_has_the_options_of_a_key() {
    let directory = Directory::new("options");
    let path = directory.write("key.pem", pem("rsa2048.pkcs8.pem") + &pem("rsa2048.certificate.pem"));
    let key = KeyFile::new(&path).id("k").algorithm(Algorithm::Ps384).with_certificate();
    assert!(format!("{key:?}").contains("key.pem"));
    let server = Server::default();
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::private_key_jwt("id", key).audience(ISSUER)).unwrap();
    endpoint.token(&server.transport(), Form::new("client_credentials")).await.unwrap();
    let (header, _) = decoded(server.take_one().get("client_assertion"));
    assert_eq!((&header["alg"], &header["kid"]), (&"PS384".into(), &"k".into()));
    assert!(header["x5t#S256"].is_string());
}
