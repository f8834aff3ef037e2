//! A custom grant: token exchange (RFC 8693), with which a service acts on behalf of its caller.
//!
//! ```text
//! cargo run --example custom_grant
//! ```
//!
//! A grant is one `async fn`. `TokenEndpoint` and `Form` do the work that all grants share: they authenticate the client, check the
//! response, and return a token, or an error that is transient or not.
//!
//! It needs no setup. The authorization server and the API run inside the program, on 127.0.0.1.

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
    Error, ErrorKind, OAuth2Layer, Token,
    client::Client,
    endpoint::TokenEndpoint,
    form::Form,
    grant::{Context, Grant},
};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const LIFETIME: Duration = Duration::from_secs(1);

/// Exchanges the caller's token for one of this service, which the next API accepts.
struct TokenExchange {
    endpoint: TokenEndpoint,
    callers_token: String,
    audience: String,
}

impl Grant for TokenExchange {
    async fn obtain(&self, cx: Context) -> Result<Token, Error> {
        let form = Form::new("urn:ietf:params:oauth:grant-type:token-exchange")
            .param("subject_token", &self.callers_token)
            .param("subject_token_type", ACCESS_TOKEN)
            .param("audience", &self.audience);
        let token = self.endpoint.token(cx.transport(), form).await?;
        // RFC 8693 §2.2.1: the issued token may not be an access token, and must then not be sent to an API.
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
    println!("for the user who called:      {status}");
    check(status == 200, "the API accepts the new token")?;
    check(tokens.get().await?.access_token() != callers_token, "it is not the caller's")?;

    sleep(LIFETIME).await;
    let error = client.ready().await?.call(request()?).await.err().ok_or("an expired token was exchanged")?;
    let error = error.downcast::<Error>()?;
    println!("after the token has expired:  {error}");
    check(error.oauth().is_some_and(|oauth| oauth.error() == "invalid_request"), "the server rejects it")
}
