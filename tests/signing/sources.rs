//! Secrets and assertions that are obtained for each token request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use http::header::AUTHORIZATION;
use serde_json::json;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::TokenEndpoint;
use tower_oauth2::form::Form;
use tower_oauth2::grant::{ClientCredentials, JwtBearer, TokenExchange, token_type};
use tower_oauth2::source::{Source, SourceContext, source_fn};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use crate::support::{Server, TOKEN_URL, printed};

/// A secret that is another one each time.
fn rotating() -> impl Source {
    let number = Arc::new(AtomicUsize::new(0));
    source_fn(move |_| {
        let number = number.fetch_add(1, Ordering::SeqCst);
        async move { Ok(format!("secret-number-{number}")) }
    })
}

fn form() -> Form {
    Form::new("client_credentials")
}

#[tokio::test]
async fn each_token_request_has_the_secret_of_that_moment() {
    let server = Server::default();
    let basic = TokenEndpoint::new(TOKEN_URL, Client::basic_from("id", rotating())).unwrap();
    let post = TokenEndpoint::new(TOKEN_URL, Client::post_from("id", rotating())).unwrap();
    for number in 0..2 {
        basic.token(&server.transport(), form()).await.unwrap();
        let request = server.take_one();
        let pair = base64::prelude::BASE64_STANDARD.encode(format!("id:secret-number-{number}"));
        assert_eq!(request.headers[AUTHORIZATION], format!("Basic {pair}"));
        assert!(request.headers[AUTHORIZATION].is_sensitive());

        post.token(&server.transport(), form()).await.unwrap();
        let request = server.take_one();
        assert_eq!(request.get("client_secret"), format!("secret-number-{number}"));
        assert_eq!(request.get("client_id"), "id");
    }
}

#[tokio::test]
async fn a_secret_that_no_server_issues_is_not_sent() {
    for secret in ["", "line\n", "two\nlines", "\u{feff}mark", "é"] {
        let server = Server::default();
        let source = source_fn(move |_| async move { Ok(secret.to_owned()) });
        let endpoint = TokenEndpoint::new(TOKEN_URL, Client::basic_from("id", source)).unwrap();
        let error = endpoint.token(&server.transport(), form()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Proof, "{secret:?}");
        assert!(server.take().is_empty(), "{secret:?}");
        assert!(secret.len() < 4 || !printed(&error).contains(secret), "{secret:?}");
    }
}

/// A file with two line breaks at its end, for example. The next version of the file may be good, so this is no mistake of the
/// configuration.
#[tokio::test]
async fn an_assertion_with_control_characters_is_not_sent() {
    for text in ["e30.e30.c2ln\n", "e30\0", "e30\u{ffff}", "\n"] {
        let server = Server::default();
        let source = || source_fn(move |_| async move { Ok(text.to_owned()) });
        let client = Client::assertion("id", source());
        let exchange = TokenExchange::new(TOKEN_URL, Client::public("id"), token_type::JWT, source()).unwrap();
        let good = source_fn(async |_| Ok("e30.e30.c2ln".to_owned()));
        let actor = TokenExchange::new(TOKEN_URL, Client::public("id"), token_type::JWT, good).unwrap();
        let tokens = [
            OAuth2Layer::new(ClientCredentials::new(TOKEN_URL, client).unwrap())
                .token_service(server.service())
                .tokens(),
            OAuth2Layer::new(JwtBearer::new(TOKEN_URL, Client::none(), source()).unwrap())
                .token_service(server.service())
                .tokens(),
            OAuth2Layer::new(exchange).token_service(server.service()).tokens(),
            OAuth2Layer::new(actor.actor(token_type::JWT, source())).token_service(server.service()).tokens(),
        ];
        for tokens in tokens {
            let error = tokens.get().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Proof, "{error}");
            assert!(error.is_transient());
            assert!(server.take().is_empty(), "{text:?}");
        }
    }
}

/// A16.
#[tokio::test]
async fn an_error_that_repeats_the_secret_loses_its_description() {
    let encoded = base64::prelude::BASE64_STANDARD.encode("id:hunter2+%26+more");
    for text in ["hunter2 & more", "hunter2+%26+more", &encoded] {
        for is_basic in [true, false] {
            let body = json!({"error": "invalid_client", "error_description": format!("no such secret: {text}")});
            let server = Server::default().respond(401, body);
            let source = source_fn(async |_| Ok("hunter2 & more".to_owned()));
            let client = if is_basic { Client::basic_from("id", source) } else { Client::post_from("id", source) };
            let endpoint = TokenEndpoint::new(TOKEN_URL, client).unwrap();
            let error = endpoint.token(&server.transport(), form()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ClientRejected);
            // With `post_from`, the encoded pair is not sent, and no secret of the request.
            if is_basic || text != encoded {
                assert_eq!(error.oauth().unwrap().description(), None, "{error}");
                assert!(!printed(&error).contains(text), "{error}");
            }
        }
    }
}

/// A15.
#[tokio::test(start_paused = true)]
async fn a_source_that_never_returns_ends_with_the_token_timeout() {
    let server = Server::default();
    let never = source_fn(|_| std::future::pending::<Result<String, Error>>());
    let grant = ClientCredentials::new(TOKEN_URL, Client::post_from("id", never)).unwrap();
    let layer = OAuth2Layer::new(grant).token_timeout(Duration::from_secs(7)).unwrap().token_service(server.service());
    let began = tokio::time::Instant::now();
    let error = layer.tokens().get().await.unwrap_err();
    assert_eq!((error.kind(), began.elapsed()), (ErrorKind::Proof, Duration::from_secs(7)));
    assert!(error.retry_at().is_some(), "the layer tries again after the back-off");
}

/// The token in use is sent until it expires, and the refresh token is kept.
#[tokio::test(start_paused = true)]
async fn a_missing_proof_costs_neither_the_token_nor_the_refresh_token() {
    let server = Server::default()
        .respond(200, json!({"access_token": "a", "refresh_token": "r", "token_type": "Bearer", "expires_in": 3600}));
    let calls = Arc::new(AtomicUsize::new(0));
    let source = source_fn({
        let calls = calls.clone();
        move |_| {
            let is_first = calls.fetch_add(1, Ordering::SeqCst) != 1;
            async move {
                if is_first {
                    Ok("secret".to_owned())
                } else {
                    Err(Error::caused_by(ErrorKind::Proof, "no secret now"))
                }
            }
        }
    });
    let grant = ClientCredentials::new(TOKEN_URL, Client::post_from("id", source)).unwrap();
    let tokens = OAuth2Layer::new(grant).token_service(server.service()).tokens();
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    assert_eq!(tokens.refresh().await.unwrap_err().kind(), ErrorKind::Proof);
    assert_eq!(tokens.get().await.unwrap().access_token(), "a");
    tokio::time::sleep(Duration::from_secs(600)).await;
    server.take();
    tokens.refresh().await.unwrap();
    assert_eq!(server.take_one().get("refresh_token"), "r");
}

#[tokio::test]
async fn a_source_gets_the_request() {
    let server = Server::default();
    let source = source_fn(async |cx: SourceContext| {
        assert_eq!(cx.client_id(), Some("id"));
        assert_eq!(cx.endpoint().unwrap(), TOKEN_URL);
        assert_eq!(cx.issuer(), None);
        assert!(format!("{cx:?}").contains("client_id"));
        Ok("secret".to_owned())
    });
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::basic_from("id", source)).unwrap();
    endpoint.token(&server.transport(), form()).await.unwrap();
}

/// Another layer's token, as an assertion.
#[tokio::test]
async fn the_token_of_another_layer_is_a_source() {
    let outer = OAuth2Layer::new(ClientCredentials::new(TOKEN_URL, Client::public("outer")).unwrap());
    outer.tokens().set(Token::bearer("e30.e30.c2ln").unwrap());
    let server = Server::default();
    let endpoint = TokenEndpoint::new(TOKEN_URL, Client::assertion("id", outer.tokens())).unwrap();
    endpoint.token(&server.transport(), form()).await.unwrap();
    assert_eq!(server.take_one().get("client_assertion"), "e30.e30.c2ln");
    outer.tokens().set(Token::bearer("e30.e30.bmV3").unwrap());
    endpoint.token(&server.transport(), form()).await.unwrap();
    assert_eq!(server.take_one().get("client_assertion"), "e30.e30.bmV3");
}

/// A cell that waits for itself is an error at once; two cells that wait for each other end with the timeout.
#[tokio::test(start_paused = true)]
async fn cells_that_wait_for_each_other_end() {
    use std::sync::OnceLock;

    use tower_oauth2::Tokens;

    fn layer(server: &Server, of: &'static OnceLock<Tokens>) -> OAuth2Layer<ClientCredentials, impl Clone> {
        let source = source_fn(|cx| Source::fetch(of.get().unwrap(), cx));
        let grant = ClientCredentials::new(TOKEN_URL, Client::assertion("id", source)).unwrap();
        OAuth2Layer::new(grant).token_service(server.service())
    }
    static SAME: OnceLock<Tokens> = OnceLock::new();
    let server = Server::default();
    let tokens = layer(&server, &SAME).tokens();
    SAME.set(tokens.clone()).unwrap();
    assert_eq!(tokens.get().await.unwrap_err().kind(), ErrorKind::Recursion);

    static ONE: OnceLock<Tokens> = OnceLock::new();
    static OTHER: OnceLock<Tokens> = OnceLock::new();
    let (one, other) = (layer(&server, &OTHER).tokens(), layer(&server, &ONE).tokens());
    ONE.set(one.clone()).unwrap();
    OTHER.set(other.clone()).unwrap();
    let began = tokio::time::Instant::now();
    let error = one.get().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Proof | ErrorKind::Recursion), "{error:?}");
    assert!(began.elapsed() <= Duration::from_secs(60));
    assert!(server.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_is_an_error_and_is_called_again_later() {
    let server = Server::default();
    let calls = Arc::new(AtomicUsize::new(0));
    let source = source_fn({
        let calls = calls.clone();
        move |_| {
            let is_first = calls.fetch_add(1, Ordering::SeqCst) == 0;
            async move { if is_first { panic!("hunter2") } else { Ok("secret".to_owned()) } }
        }
    });
    let grant = ClientCredentials::new(TOKEN_URL, Client::basic_from("id", source)).unwrap();
    let tokens = OAuth2Layer::new(grant).token_service(server.service()).tokens();
    let error = tokens.get().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panicked);
    assert!(!printed(&error).contains("hunter2"), "{error:?}");
    assert!(server.take().is_empty());
    tokio::time::sleep(Duration::from_secs(60)).await;
    tokens.get().await.unwrap();
}

/// The token of a caller is set while the proof is fetched, so the result of that refresh is not used.
#[tokio::test(start_paused = true)]
async fn a_token_that_is_set_while_a_source_is_pending_wins() {
    let server = Server::default();
    let never = source_fn(|_| std::future::pending::<Result<String, Error>>());
    let grant = ClientCredentials::new(TOKEN_URL, Client::basic_from("id", never)).unwrap();
    let tokens = OAuth2Layer::new(grant).token_service(server.service()).tokens();
    let waiting = tokio::spawn({
        let tokens = tokens.clone();
        async move { tokens.get().await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    tokens.set(Token::bearer("b").unwrap());
    assert_eq!(waiting.await.unwrap().unwrap().access_token(), "b");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(tokens.get().await.unwrap().access_token(), "b");
    assert!(server.take().is_empty());
}
