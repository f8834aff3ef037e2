//! I10–I14, T2: which addresses of the document are used, and what the document says in errors.

use serde_json::{Value, json};
use tower::Layer;
use tower_oauth2::client::Client;
use tower_oauth2::endpoint::{Issuer, RevocationEndpoint};
use tower_oauth2::grant::ClientCredentials;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use super::site::{ISSUER, OAUTH_DOCUMENT, Site, document};
use crate::support::{answer, token};

async fn first_token(site: &Site, issuer: &Issuer, client: Client) -> Result<Token, Error> {
    let grant = ClientCredentials::from_issuer(issuer, client).unwrap();
    let service = OAuth2Layer::new(grant).token_service(site.service()).layer(site.service());
    service.tokens().get().await
}

/// Returns the error of the first token request, if the token endpoint of the document is this.
async fn error_for(issuer: &Issuer, document_url: &str, token_endpoint: Value) -> Option<Error> {
    let site = Site::default();
    site.json(document_url, json!({"issuer": issuer.as_str(), "token_endpoint": &token_endpoint}));
    if let Some(url) = token_endpoint.as_str() {
        site.json(url, token("a", 3600));
    }
    first_token(&site, issuer, Client::basic("id", "secret")).await.err()
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_is_used_only_if_its_address_may_be() {
    for (address, works) in [
        (json!("https://auth.example.com/token"), true),
        (json!("https://oauth2.googleapis.example/token?a=b"), true),
        (json!("http://auth.example.com/token"), false),
        (json!("http://127.0.0.1/token"), false),
        (json!("https://127.0.0.1/token"), false),
        (json!("https://localhost/token"), false),
        (json!("https://169.254.169.254/token"), false),
        (json!("https://10.0.0.1/token"), false),
        (json!("https://[::ffff:192.168.0.1]/token"), false),
        (json!("https://user:hunter2@auth.example.com/token"), false),
        (json!("https://auth.example.com/token#x"), false),
        (json!("ftp://auth.example.com/token"), false),
        (json!("/token"), false),
        (json!(""), false),
        (json!(null), false),
        (json!(["https://auth.example.com/token"]), false),
        (json!(format!("https://auth.example.com/{}", "x".repeat(70_000))), false),
    ] {
        // With a cache of its own.
        let issuer = Issuer::new(ISSUER).unwrap();
        let error = error_for(&issuer, OAUTH_DOCUMENT, address.clone()).await;
        assert_eq!(error.is_none(), works, "{address} {error:?}");
        let Some(error) = error else { continue };
        assert_eq!(error.kind(), ErrorKind::Malformed, "{address}");
        assert!(error.to_string().contains("`token_endpoint`"), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_private_issuer_may_name_private_endpoints() {
    for (issuer, endpoint, works) in [
        ("https://10.0.0.1", "https://10.0.0.2/token", true),
        ("https://10.0.0.1", "http://10.0.0.2/token", false),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000/token", true),
        ("http://localhost:9000", "http://10.0.0.2/token", false),
        ("http://localhost:9000", "https://auth.example.com/token", true),
    ] {
        let document = format!("{issuer}/.well-known/oauth-authorization-server");
        let error = error_for(&Issuer::new(issuer).unwrap(), &document, json!(endpoint)).await;
        assert_eq!(error.is_none(), works, "{issuer} {endpoint} {error:?}");
    }
    let cleartext = Issuer::dangerous_cleartext("http://auth.internal").unwrap();
    let document = "http://auth.internal/.well-known/oauth-authorization-server";
    assert!(error_for(&cleartext, document, json!("http://auth.internal/token")).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn unknown_members_are_ignored_and_kept() {
    let site = Site::new();
    let mut with_more = document();
    with_more["scopes_supported"] = json!("read");
    with_more["x"] = json!({"y": [null]});
    with_more["jwks_uri"] = Value::Null;
    site.json(OAUTH_DOCUMENT, with_more);
    let metadata = Issuer::new(ISSUER).unwrap().metadata(&site.transport()).await.unwrap();
    assert_eq!(metadata.member("x"), Some(&json!({"y": [null]})));
    assert_eq!(metadata.member("scopes_supported"), Some(&json!("read")));
    assert_eq!(metadata.member("jwks_uri"), Some(&Value::Null));
    assert_eq!(metadata.member("none"), None);
    assert_eq!(metadata.device_authorization_endpoint().unwrap().as_str(), "https://auth.example.com/device");
    assert_eq!(metadata.registration_endpoint(), None);
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_rejected_client_names_the_methods_and_nothing_is_prevented() {
    let site = Site::new();
    let mut listing = document();
    listing["token_endpoint_auth_methods_supported"] = json!(["private_key_jwt", "<script>", 7]);
    listing["token_endpoint_auth_signing_alg_values_supported"] = json!(["ES256"]);
    site.json(OAUTH_DOCUMENT, listing);
    let client = || Client::basic("id", "hunter2-secret");
    first_token(&site, &Issuer::new(ISSUER).unwrap(), client()).await.expect("the list prevents no request");

    site.page("https://auth.example.com/token", || answer(401, json!({"error": "invalid_client"})));
    let error = first_token(&site, &Issuer::new(ISSUER).unwrap(), client()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ClientRejected);
    assert_eq!(error.oauth().unwrap().error(), "invalid_client");
    let text = error.to_string();
    assert!(text.contains("the server's metadata lists only `private_key_jwt`") && text.contains("`ES256`"), "{text}");
    assert!(!text.contains("script") && !text.contains("hunter2"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_client_with_a_certificate_uses_the_aliases() {
    let site = Site::new();
    let mut with_aliases = document();
    with_aliases["mtls_endpoint_aliases"] = json!({"token_endpoint": "https://mtls.example.com/token"});
    site.json(OAUTH_DOCUMENT, with_aliases);
    site.json("https://mtls.example.com/token", token("m", 3600));
    site.status("https://auth.example.com/revoke", 200);

    let issuer = Issuer::new(ISSUER).unwrap();
    assert_eq!(first_token(&site, &issuer, Client::tls("id")).await.unwrap().access_token(), "m");
    assert_eq!(first_token(&site, &issuer, Client::basic("id", "s")).await.unwrap().access_token(), "a");
    let preferring = issuer.clone().mtls_endpoints();
    assert_eq!(first_token(&site, &preferring, Client::basic("id", "s")).await.unwrap().access_token(), "m");
    // An endpoint without an alias has its usual address, and all share the document.
    assert_eq!(site.take_urls().iter().filter(|url| *url == OAUTH_DOCUMENT).count(), 1);
    let revocation = RevocationEndpoint::discover(&preferring, Client::tls("id")).unwrap();
    revocation.revoke(&site.transport(), &Token::bearer("a").unwrap()).await.unwrap();
    assert_eq!(site.take_urls(), ["https://auth.example.com/revoke"]);
}

#[tokio::test(start_paused = true)]
async fn a_missing_endpoint_is_named() {
    let site = Site::new();
    let mut short = document();
    short.as_object_mut().unwrap().remove("revocation_endpoint");
    site.json(OAUTH_DOCUMENT, short);
    let revocation = RevocationEndpoint::discover(ISSUER, Client::public("app")).unwrap();
    let error = revocation.revoke(&site.transport(), &Token::bearer("a").unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().contains("`revocation_endpoint`") && error.to_string().contains(ISSUER), "{error}");
}

/// The usual endpoint would issue a token that is not bound to the certificate.
#[tokio::test(start_paused = true)]
async fn an_alias_that_cannot_be_used_is_an_error() {
    let site = Site::new();
    let mut with_aliases = document();
    with_aliases["mtls_endpoint_aliases"] = json!({"token_endpoint": "https://10.0.0.1/token"});
    site.json(OAUTH_DOCUMENT, with_aliases);
    let error = first_token(&site, &Issuer::new(ISSUER).unwrap(), Client::tls("id")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().contains("`token_endpoint` cannot be used: its host is private"), "{error}");
    assert_eq!(site.take_urls(), [OAUTH_DOCUMENT]);
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_rejected_revocation_names_the_methods_of_its_endpoint() {
    let site = Site::new();
    let mut listing = document();
    listing["token_endpoint_auth_methods_supported"] = json!(["client_secret_basic"]);
    listing["revocation_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
    site.json(OAUTH_DOCUMENT, listing);
    site.page("https://auth.example.com/revoke", || answer(401, json!({"error": "invalid_client"})));
    let revocation = RevocationEndpoint::discover(ISSUER, Client::basic("id", "secret")).unwrap();
    let error = revocation.revoke(&site.transport(), &Token::bearer("a").unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("lists only `client_secret_post`"), "{error}");
    assert!(!error.to_string().contains("client_secret_basic"), "{error}");
}

/// A related endpoint receives the same credentials, so the issuer decides about cleartext for it too.
#[test]
fn cleartext_is_allowed_for_the_addresses_that_the_application_gives_as_for_the_issuer() {
    use tower_oauth2::endpoint::TokenEndpoint;
    use tower_oauth2::grant::DeviceCode;

    let grant = |issuer: Issuer| {
        let endpoint = TokenEndpoint::discover(issuer, Client::public("app"))?;
        DeviceCode::from_endpoint("http://auth.internal/device", endpoint, |_| {})
    };
    grant(Issuer::dangerous_cleartext("http://auth.internal").unwrap()).unwrap();
    let error = grant(Issuer::new("https://auth.internal").unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cleartext);
}
