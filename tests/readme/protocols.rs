//! Runs the lines of the table that names a line for each protocol.

use bytes::Bytes;
use http_body_util::Full;
use serde_json::json;
use tower::BoxError;
use tower_oauth2::client::Client;
use tower_oauth2::dpop::Dpop;
use tower_oauth2::endpoint::{Issuer, Registration, RevocationEndpoint};
use tower_oauth2::grant::{AuthorizationCode, ClientCredentials, DeviceCode, DevicePrompt, JwtBearer};
use tower_oauth2::grant::{Password, ProtectedResource, RefreshToken, TokenExchange, token_type};
use tower_oauth2::https::{self, HttpsClient, Identity};
use tower_oauth2::jwt::{Claims, Key};
use tower_oauth2::{OAuth2Layer, Token};

use crate::page::{cells, read};

const PAGES: [(&str, &str); 2] =
    [("README.md", "\n## Which protocol, which line\n"), ("docs/crate.md", "\n# Which protocol, which line\n")];

/// Evaluates a line of the table, with copies of the values that it takes.
macro_rules! line {
    ($($name:ident)* => $line:expr) => {{
        $(let $name = $name.clone();)*
        $line
    }};
}

#[test]
fn each_line_of_the_table_is_run() {
    let source = include_str!("protocols.rs");
    for (page, heading) in PAGES {
        let lines: Vec<_> = cells(&read(page), heading, 1).iter().flat_map(|cell| code(cell)).collect();
        assert!(lines.len() > 20, "{page}: {lines:?}");
        for line in lines {
            assert!(source.contains(&format!("=> {line});")), "{page}: `{line}` is not run here");
        }
    }
}

#[test]
fn both_pages_have_the_same_table() {
    let [readme, rustdoc] = PAGES.map(|(page, heading)| [0, 1].map(|column| cells(&read(page), heading, column)));
    assert_eq!(readme, rustdoc);
}

/// Returns the pieces of code in a cell.
fn code(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

const SERVER: (&str, &str, &str) =
    ("https://auth.example.com/authorize", "https://auth.example.com/token", "https://auth.example.com/device");

#[test]
fn grants() -> Result<(), BoxError> {
    let (authorize_url, token_url, device_url) = SERVER;
    let client = Client::public("my-app");
    let prompt = |prompt: &DevicePrompt| assert!(!prompt.user_code().is_empty());
    let refresh_token = "tGzv3JOkF0XG5Qx2TlKWIA";
    let (username, password) = ("alice", "secret");
    let assertion = Claims::signed_by(Key::generate()?).issuer("robot").audience(token_url);

    let grant = line!(client => ClientCredentials::new(token_url, client)?);
    let subject = OAuth2Layer::new(grant).tokens();
    let _ = line!(client => AuthorizationCode::new(authorize_url, token_url, client)?);
    let _ = line!(client => RefreshToken::new(token_url, client, refresh_token)?);
    let _ = line!(client => DeviceCode::new(device_url, token_url, client, prompt)?);
    let _ = line!(client => Password::new(token_url, client, username, password)?);
    let _ = line!(client => JwtBearer::new(token_url, client, assertion)?);
    let _ = line!(client => TokenExchange::new(token_url, client, token_type::ACCESS_TOKEN, subject)?);
    Ok(())
}

#[test]
fn client_authentication() -> Result<(), BoxError> {
    let key = Key::generate()?;
    let pair = rcgen::generate_simple_self_signed(["client.example.com".to_owned()])?;
    let identity = Identity::from_pem(pair.cert.pem(), pair.signing_key.serialize_pem())?;

    let _ = line!(=> Client::basic("id", "secret"));
    let _ = line!(=> Client::post("id", "secret"));
    let _ = line!(key => Client::private_key_jwt("id", key));
    let _ = line!(=> Client::secret_jwt("id", "secret"));
    let _ = line!(=> Client::tls("id"));
    let _: HttpsClient<Full<Bytes>> = line!(identity => https::client_with_identity(identity)?);
    Ok(())
}

#[test]
fn options_of_grants() -> Result<(), BoxError> {
    let client = Client::public("my-app");
    let issuer = Issuer::new("https://auth.example.com")?;
    let key = Key::generate()?;
    let details = json!([{ "type": "payment_initiation" }]);

    let _ = line!(client => ClientCredentials::from_issuer("https://auth.example.com", client)?);
    let grant = line!(client => AuthorizationCode::from_issuer(issuer, client)?);
    let _ = line!(grant => grant.pushed_if_supported());
    let _ = line!(grant => grant.request_object(key));
    let _ = line!(grant => grant.authorization_details(details)?);
    let _ = line!(grant => grant.resource("https://api.example.com/")?);
    let _ = line!(grant => grant.dpop(Dpop::new(Key::generate()?)));
    Ok(())
}

#[tokio::test]
async fn layers_and_tokens() -> Result<(), BoxError> {
    let client = Client::public("my-app");
    let grant = AuthorizationCode::new(SERVER.0, SERVER.1, client.clone())?;

    let layer = line!(grant => OAuth2Layer::new(grant).origin("https://api.example.com")?);
    let layer = line!(layer => layer.step_up());

    let grant = line!(=> ProtectedResource::new("https://mcp.example.com/mcp")?);
    let _ = line!(grant => grant.register(Registration::new("My app")));
    let client_metadata = Client::public("https://app.example.com/client.json");
    let _ = line!(grant => grant.client_metadata(client_metadata)?);

    let server = tower::service_fn(async |_: http::Request<Full<Bytes>>| {
        Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
    });
    let tokens = layer.token_service(server).tokens();
    tokens.set(Token::bearer("2YotnFZFEjr1zCsicMWpAA")?);
    let endpoint = RevocationEndpoint::new("https://auth.example.com/revoke", client)?;
    line!(=> tokens.revoke(&endpoint).await?);
    assert!(tokens.peek().is_none());
    Ok(())
}
