//! Rich authorization requests (RFC 9396): which requests have the details, and where they are not printed.

use serde_json::{Value, json};
use tower_oauth2::client::Client;
use tower_oauth2::grant::{
    AuthorizationCode, ClientCredentials, Context, DeviceCode, Grant, JwtBearer, Password, RefreshToken, TokenExchange,
    token_type,
};
use tower_oauth2::source::source_fn;
use tower_oauth2::store::MemoryStore;
use tower_oauth2::transport::Transport;
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token};

use crate::support::{TOKEN_URL, answer, token, token_endpoint};

const DETAILS: &str = "authorization_details";

fn client() -> Client {
    Client::public("id")
}

/// RFC 9396 §2.
fn details() -> Value {
    json!([{
        "type": "payment_initiation",
        "actions": ["initiate", "status", "cancel"],
        "locations": ["https://example.com/payments"],
        "instructedAmount": {"currency": "EUR", "amount": "123.50"},
        "creditorName": "Merchant A",
        "creditorAccount": {"iban": "DE02100100109307118603"},
        "remittanceInformationUnstructured": "Ref Number Merchant"
    }])
}

/// Returns the details in the first token request of a grant, which has this previous token.
async fn sent(grant: impl Grant, previous: Option<Token>) -> Option<Value> {
    let (service, mut forms) = token_endpoint(vec![]);
    grant.obtain(Context::new(Transport::new(service)).with_previous(previous)).await.unwrap();
    let form = forms.recv().await.unwrap();
    let mut found = form.into_iter().filter(|(name, _)| name == DETAILS).map(|(_, text)| text);
    let text = found.next();
    assert_eq!(found.next(), None, "they are sent twice");
    text.map(|text| serde_json::from_str(&text).unwrap())
}

/// RAR2.
#[tokio::test]
async fn a_token_request_without_a_person_has_the_details_and_a_refresh_only_with_the_scope() -> Result<(), Error> {
    macro_rules! check {
        ($grant:expr, $is_repeatable:expr) => {
            let refreshed = || Some(Token::bearer("a").unwrap().with_refresh_token("r"));
            if $is_repeatable {
                assert_eq!(sent($grant.authorization_details(details())?, None).await, Some(details()));
                let grant = $grant.param(DETAILS, "another").authorization_details(details())?;
                assert_eq!(sent(grant, None).await, Some(details()));
                assert_eq!(
                    sent($grant.authorization_details(details())?.authorization_details(json!([]))?, None).await,
                    None
                );
            }
            assert_eq!(sent($grant.authorization_details(details())?, refreshed()).await, None);
            let grant = $grant.scope_on_refresh().authorization_details(details())?;
            assert_eq!(sent(grant, refreshed()).await, Some(details()));
        };
    }
    let assertion = || source_fn(async |_| Ok("e30.e30.c2ln".to_owned()));
    check!(ClientCredentials::new(TOKEN_URL, client())?, true);
    check!(Password::new(TOKEN_URL, client(), "alice", "secret")?, true);
    check!(JwtBearer::new(TOKEN_URL, client(), assertion())?, true);
    check!(TokenExchange::new(TOKEN_URL, client(), token_type::ACCESS_TOKEN, assertion())?, true);
    check!(RefreshToken::new(TOKEN_URL, client(), "r")?, false);
    check!(DeviceCode::new("https://auth.example.com/device", TOKEN_URL, client(), |_| {})?, false);
    #[cfg(feature = "loopback")]
    check!(AuthorizationCode::new("https://auth.example.com/authorize", TOKEN_URL, client())?, false);
    Ok(())
}

/// RAR2, RFC 9396 §3: in the authorization request, and not in the exchange.
#[tokio::test]
async fn an_authorization_request_has_the_details_and_the_exchange_does_not() -> Result<(), Error> {
    let grant =
        AuthorizationCode::new("https://server.example.com/authorize", TOKEN_URL, Client::public("s6BhdRkqt3"))?;
    // The example encodes blanks as `%20`, and so does the crate: some servers do not decode `+` in a URL.
    let details = json!([{"actions": ["list accounts"], "type": "account_information"}]);
    let grant = grant.authorization_details(details)?;
    let login = grant.authorization_url("https://client.example.com/cb")?;
    let encoded = "%5B%7B%22actions%22%3A%5B%22list%20accounts%22%5D%2C%22type%22%3A%22account_information%22%7D%5D";
    let pair = format!("authorization_details={encoded}");
    assert!(login.url().query().unwrap().split('&').any(|sent| sent == pair), "{}", login.url());

    let (service, mut forms) = token_endpoint(vec![]);
    let query = format!("code=c&state={}", login.state());
    grant.exchange(&Transport::new(service), grant.callback(login, &query)?).await?;
    assert!(forms.recv().await.unwrap().iter().all(|(name, _)| name != DETAILS));
    Ok(())
}

/// RAR2, RFC 9396 §11.2 names no device flow, but its request is an authorization request.
#[tokio::test(start_paused = true)]
async fn a_device_authorization_request_has_the_details_and_the_polling_does_not() {
    let (requests, mut forms) = tokio::sync::mpsc::unbounded_channel();
    let service = tower::service_fn(move |request: http::Request<crate::support::Body>| {
        let requests = requests.clone();
        async move {
            let is_poll = request.uri() == TOKEN_URL;
            requests.send(crate::support::form(request).await)?;
            Ok::<_, tower::BoxError>(if is_poll {
                answer(200, token("a", 60))
            } else {
                let uri = "https://auth.example.com/device";
                answer(200, json!({"device_code": "d", "user_code": "u", "verification_uri": uri, "expires_in": 60}))
            })
        }
    });
    let grant = DeviceCode::new("https://auth.example.com/authorize_device", TOKEN_URL, client(), |_| {}).unwrap();
    let grant = grant.authorization_details(details()).unwrap();
    OAuth2Layer::new(grant).token_service(service).tokens().get().await.unwrap();
    for expected in [Some(details()), None] {
        let form = forms.recv().await.unwrap();
        let sent = form.iter().find(|(name, _)| name == DETAILS).map(|(_, text)| serde_json::from_str(text).unwrap());
        assert_eq!(sent, expected);
    }
}

/// RAR3, RFC 9396 §7.
#[tokio::test(start_paused = true)]
async fn the_granted_details_are_kept_until_a_refresh_changes_them() {
    let granted = |name: &str| json!([{"type": "account_information", "account": name}]);
    let response = |details: Option<Value>| {
        let mut body = token("a", 60);
        body["refresh_token"] = "r".into();
        if let Some(details) = details {
            body[DETAILS] = details;
        }
        answer(200, body)
    };
    let responses = vec![
        response(Some(granted("one"))),
        response(None),
        response(Some(Value::Null)),
        response(Some(granted("two"))),
    ];
    let (service, _forms) = token_endpoint(responses);
    let grant = ClientCredentials::new(TOKEN_URL, client()).unwrap().authorization_details(details()).unwrap();
    let tokens = OAuth2Layer::new(grant).token_service(service).tokens();
    for expected in [granted("one"), granted("one"), granted("one"), granted("two")] {
        let token = tokens.refresh().await.unwrap();
        assert_eq!(token.extra(DETAILS), Some(&expected));
        assert!(!format!("{token:?}").contains("account_information"));
    }
}

/// RAR4, RFC 9396 §5.
#[tokio::test]
async fn the_error_code_is_kept_and_no_value_is_repeated() {
    let text = "no such account: DE02100100109307118603, Merchant A, 123.50";
    for secret in ["hunter2", "details", "invalid_authorization_details"] {
        let body = json!({"error": "invalid_authorization_details", "error_description": text, "error_uri": text});
        let (service, _forms) = token_endpoint(vec![answer(400, body)]);
        let grant = ClientCredentials::new(TOKEN_URL, Client::post("id", secret)).unwrap();
        let grant = grant.authorization_details(details()).unwrap();
        let error = OAuth2Layer::new(grant).token_service(service).tokens().get().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RequestRejected);
        let oauth = error.oauth().unwrap();
        assert_eq!((oauth.error(), oauth.description(), oauth.uri()), ("invalid_authorization_details", None, None));
    }
    // A text without a value is kept.
    let body = json!({"error": "invalid_authorization_details", "error_description": "unknown field: iban"});
    let (service, _forms) = token_endpoint(vec![answer(400, body)]);
    let grant = ClientCredentials::new(TOKEN_URL, client()).unwrap().authorization_details(details()).unwrap();
    let error = OAuth2Layer::new(grant).token_service(service).tokens().get().await.unwrap_err();
    assert_eq!(error.oauth().unwrap().description(), Some("unknown field: iban"));
}

/// RAR5: neither in a refresh nor in the redirect, although these do not have the details.
#[tokio::test]
async fn no_other_response_can_put_a_value_into_an_error() {
    let text = "not valid: DE02100100109307118603";
    let rejects = || answer(400, json!({"error": "invalid_request", "error_description": text}));
    let (service, _forms) = token_endpoint(vec![rejects(), rejects()]);
    let http = Transport::new(service);
    let refresh = RefreshToken::new(TOKEN_URL, client(), "r").unwrap().authorization_details(details()).unwrap();
    let error = refresh.obtain(Context::new(http.clone())).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("DE0210"), "{error}");

    let grant = AuthorizationCode::new("https://auth.example.com/authorize", TOKEN_URL, client()).unwrap();
    let grant = grant.authorization_details(details()).unwrap();
    let begin = || grant.authorization_url("https://app.example.com/callback").unwrap();
    let login = begin();
    let query = format!("error=invalid_authorization_details&error_description={text}&state={}", login.state());
    let error = grant.callback(login, &query).unwrap_err();
    let oauth = error.oauth().unwrap();
    assert_eq!((oauth.error(), oauth.description()), ("invalid_authorization_details", None));
    let login = begin();
    let query = format!("code=c&state={}", login.state());
    let error = grant.exchange(&http, grant.callback(login, &query).unwrap()).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("DE0210"), "{error}");
}

/// RAR5: two programs with different details do not share a token.
#[tokio::test]
async fn the_details_are_part_of_the_key_and_not_printed() {
    let store = MemoryStore::new();
    for (details, is_stored) in [
        (json!([]), false),
        (details(), false),
        (json!([{"type": "payment_initiation"}]), false),
        (details(), true),
        (json!([]), true),
    ] {
        let (service, mut forms) = token_endpoint(vec![]);
        let grant = ClientCredentials::new(TOKEN_URL, client()).unwrap().authorization_details(details).unwrap();
        let printed = format!("{grant:?}");
        for value in ["payment_initiation", "DE0210", "EUR", "Merchant"] {
            assert!(!printed.contains(value), "{printed}");
        }
        let grant = grant.persisted(store.clone());
        assert!(!format!("{grant:?}").contains("payment_initiation"));
        OAuth2Layer::new(grant).token_service(service).tokens().get().await.unwrap();
        assert_eq!(forms.try_recv().is_err(), is_stored);
    }
}

/// RAR1, RFC 9396 §2. The values are not in the error.
#[test]
fn details_without_a_type_are_an_error_of_the_builder() {
    for invalid in [
        json!({"type": "secret-value"}),
        json!("[{\"type\": \"secret-value\"}]"),
        json!(null),
        json!(["secret-value"]),
        json!([{"type": "a"}, {"secret": "secret-value"}]),
        json!([{"type": 7}]),
        json!([{"type": ""}]),
    ] {
        let grant = ClientCredentials::new(TOKEN_URL, client()).unwrap();
        let error = grant.authorization_details(invalid).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let text = format!("{error:?}");
        assert!(text.contains("`authorization_details`") && !text.contains("secret-value"), "{text}");
    }
}
