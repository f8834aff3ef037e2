//! A grant of your own: token exchange (RFC 8693), with which a service acts for the person who called it.
//!
//! ```text
//! cargo run --example custom_grant
//! ```
//!
//! A grant is one `async fn`. `TokenEndpoint` and `Form` do what all grants have in common: the client authenticates, the
//! answer is checked and becomes a token, and what goes wrong becomes an error that knows whether to try again.
//!
//! Nothing else is needed. The authorization server and the API run inside the program, on 127.0.0.1.

mod support;

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use support::{Api, AuthServer, Settings, check};
use tokio::time::sleep;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_oauth2::{
    Error, ErrorKind, OAuth2Layer, Token, client::Client, endpoint::TokenEndpoint, form::Form, grant::Grant,
    transport::Transport,
};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const LIFETIME: Duration = Duration::from_secs(1);

/// Gives the caller's token away for one of our own, with which we may call the next API.
struct TokenExchange {
    endpoint: TokenEndpoint,
    callers_token: String,
    audience: String,
}

impl Grant for TokenExchange {
    async fn obtain(&self, _previous: Option<Token>, http: Transport) -> Result<Token, Error> {
        let form = Form::new("urn:ietf:params:oauth:grant-type:token-exchange")
            .param("subject_token", &self.callers_token)
            .param("subject_token_type", ACCESS_TOKEN)
            .param("audience", &self.audience);
        let token = self.endpoint.token(&http, form).await?;
        // RFC 8693 §2.2.1: it may be something else than an access token, and that is not for a request to carry.
        match token.extra("issued_token_type") {
            Some(kind) if kind == ACCESS_TOKEN => Ok(token),
            _ => Err(Error::caused_by(ErrorKind::Malformed, "this is no access token")),
        }
    }
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default().lifetime(LIFETIME)).await?;
    let api = Api::start(&server).await?;
    let (callers_token, _) = server.log_in_elsewhere("app");

    let grant = TokenExchange {
        endpoint: TokenEndpoint::new(server.token_url(), Client::basic("example", "secret"))?,
        callers_token: callers_token.clone(),
        audience: api.origin(),
    };
    let oauth = OAuth2Layer::new(grant).origin(api.origin())?;
    let tokens = oauth.tokens();
    let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut client = ServiceBuilder::new().layer(oauth).service(http);
    let request = || Request::get(api.url("/orders")).body(Full::default());

    let status = client.ready().await?.call(request()?).await?.status();
    println!("for the person who called us: {status}");
    check(status == 200, "the API accepts the new token")?;
    check(tokens.get().await?.access_token() != callers_token, "it is not the caller's")?;

    sleep(LIFETIME).await;
    let refusal = client.ready().await?.call(request()?).await.err().ok_or("an expired token was exchanged")?;
    let refusal = refusal.downcast::<Error>()?;
    println!("when their token has ended:   {refusal}");
    check(refusal.oauth().is_some_and(|oauth| oauth.error() == "invalid_request"), "the server gives nothing for it")
}
