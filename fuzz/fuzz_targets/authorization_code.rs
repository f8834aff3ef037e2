//! A callback is accepted only if it belongs to the running login, and only its code is exchanged.
//!
//! An input has these lines: the issuer (empty if unknown), the redirect URI, and the query of the callback.

#![no_main]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::{Corpus, fuzz_target};
use sha2::{Digest, Sha256};
use tower::service_fn;
use tower_oauth2::client::Client;
use tower_oauth2::grant::{Authorization, AuthorizationCode, Code};
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind};
use tower_oauth2_fuzz::{
    CODE, Fields, Placeholders, Request, SECRET, ServerResponse, TOKEN_URL, contains_secret, error_text, form,
    in_virtual_time, is_credential,
};
use url::Url;

/// The query of the address has parameters that the crate must replace.
const AUTHORIZATION_URL: &str = "https://auth.example.com/authorize?tenant=7&state=theirs&code_challenge=theirs";

fuzz_target!(|input: &[u8]| -> Corpus {
    if contains_secret(input) {
        return Corpus::Reject;
    }
    let input = String::from_utf8_lossy(input);
    let mut lines = input.splitn(3, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let (issuer, redirect_uri, query) = (next(), next(), next());

    let mut grant = AuthorizationCode::new(AUTHORIZATION_URL, TOKEN_URL, Client::post("id", SECRET)).unwrap();
    if !issuer.is_empty() {
        grant = grant.issuer(issuer);
    }
    let is_uri = Url::parse(redirect_uri).is_ok_and(|uri| uri.fragment().is_none());
    let login = match grant.authorization_url(redirect_uri) {
        Ok(login) => login,
        Err(error) => {
            assert!(!is_uri && error.kind() == ErrorKind::Configuration, "{error}");
            return Corpus::Keep;
        }
    };
    assert!(is_uri);
    let challenge = check_authorization_url(&login, redirect_uri);
    // Another replica of a web application finishes the login.
    let login: Authorization = serde_json::from_str(&serde_json::to_string(&login).unwrap()).unwrap();
    assert_eq!(check_authorization_url(&login, redirect_uri), challenge);

    let state = login.state().to_owned();
    let (one, other) = state.split_at(state.len() / 2);
    let wrapped = format!("{one}\u{7f}{other}");
    let query = Placeholders(&[("$STATE", &state), ("$WRAPPED", &wrapped), ("$CODE", CODE)]).fill(query.as_bytes());
    let query = String::from_utf8(query).unwrap();
    let expected = expected(&query, &state, issuer);
    match grant.callback(login, &query) {
        Ok(code) => {
            assert_eq!(Ok(()), expected.as_ref().map(|_| ()), "{query}");
            assert!(!format!("{code:?}").contains(CODE) || redirect_uri.contains(CODE));
            let form = exchanged(&grant, code);
            assert_eq!(form.get("code"), expected.ok().as_deref());
            assert_eq!(form.get("redirect_uri"), Some(redirect_uri));
            let verifier = form.get("code_verifier").unwrap();
            assert_eq!(URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)), challenge);
        }
        Err(error) => {
            assert_eq!(Err(error.kind()), expected.map(|_| ()), "{query}");
            contains_no_state(&error, &state);
        }
    }
    Corpus::Keep
});

/// Returns the expected code, or the expected kind of the error (RFC 6749 §4.1.2, RFC 9207 §2.4).
fn expected(query: &str, state: &str, issuer: &str) -> Result<String, ErrorKind> {
    let mut parameters = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()).into_owned() {
        // Empty values and unknown parameters are ignored.
        let counts = ["state", "iss", "error", "code"].contains(&&*name) && !value.is_empty();
        if counts && parameters.insert(name, value).is_some() {
            return Err(ErrorKind::Malformed);
        }
    }
    let get = |name| parameters.get(name).map(String::as_str);
    let is_theirs = match get("iss") {
        iss if !issuer.is_empty() => iss == Some(issuer),
        Some(iss) => Url::parse(iss).is_ok_and(|iss| iss.origin() == Url::parse(AUTHORIZATION_URL).unwrap().origin()),
        None => true,
    };
    if get("state") != Some(state) || !is_theirs {
        return Err(ErrorKind::Malformed);
    }
    match get("error") {
        Some("access_denied") => Err(ErrorKind::Denied),
        Some("server_error" | "temporarily_unavailable") => Err(ErrorKind::Overloaded),
        Some("unauthorized_client") => Err(ErrorKind::ClientRejected),
        Some(_) => Err(ErrorKind::RequestRejected),
        None => get("code").filter(|code| is_credential(code)).map(str::to_owned).ok_or(ErrorKind::Malformed),
    }
}

/// Checks that the address has each parameter once and keeps the query of the server. Returns the challenge.
fn check_authorization_url(login: &Authorization, redirect_uri: &str) -> String {
    let asked = Fields(login.url().query_pairs().into_owned().collect());
    for (name, value) in [
        ("tenant", "7"),
        ("response_type", "code"),
        ("client_id", "id"),
        ("redirect_uri", redirect_uri),
        ("state", login.state()),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(asked.get(name), Some(value));
    }
    assert!(!format!("{login:?}").contains(login.state()));
    asked.get("code_challenge").unwrap().to_owned()
}

fn exchanged(grant: &AuthorizationCode, code: Code) -> Fields {
    let seen = Arc::new(Mutex::new(None));
    let http = Transport::new(service_fn({
        let seen = seen.clone();
        move |request: Request| {
            let seen = seen.clone();
            async move {
                assert_eq!(*request.uri(), *TOKEN_URL);
                *seen.lock().unwrap() = Some(form(request).await);
                ServerResponse::parse(b"200\n\n{\"access_token\":\"a\"}").deliver().await
            }
        }
    }));
    in_virtual_time(Duration::from_secs(1), grant.exchange(&http, code)).unwrap();
    seen.lock().unwrap().take().unwrap()
}

fn contains_no_state(error: &Error, state: &str) {
    let text = error_text(error);
    assert!(!text.contains(state), "{text}");
    if let Some(oauth) = error.oauth() {
        for text in [Some(oauth.error()), oauth.description(), oauth.uri()].into_iter().flatten() {
            assert!(!text.is_empty() && text.chars().count() <= 512 && !text.contains(char::is_control), "{text:?}");
        }
    }
}
