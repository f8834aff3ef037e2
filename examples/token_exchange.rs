//! Token exchange (RFC 8693): the token of a login is exchanged for a token for another API.
//!
//! ```text
//! cargo run --example token_exchange
//! ```
//!
//! The subject is the token of another layer, so the exchange always starts from a valid token: if the login's token has expired, its layer
//! refreshes it first. A logout calls `forget` on both layers, because the exchanged token outlives the login's.
//!
//! Nothing else is needed. The authorization server and the APIs run inside the program, on 127.0.0.1.

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
    Error, ErrorKind, OAuth2Layer,
    client::Client,
    grant::{RefreshToken, TokenExchange, token_type},
};

const LIFETIME: Duration = Duration::from_secs(1);

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default().lifetime(LIFETIME).refresh_tokens()).await?;
    let (orders, billing) = (Api::start(&server).await?, Api::start(&server).await?);
    let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let client = Client::basic("example", "secret");

    // The login, whose token is for the API of the orders.
    let (_, refresh_token) = server.log_in_elsewhere("example");
    let login = OAuth2Layer::new(RefreshToken::new(server.token_url(), client.clone(), refresh_token)?)
        .origin(orders.origin())?
        .token_service(http.clone());

    // Its token, exchanged for one for the API of the bills.
    let exchange = TokenExchange::new(server.token_url(), client, token_type::ACCESS_TOKEN, login.tokens())?
        .param("audience", billing.origin());
    let exchanged = OAuth2Layer::new(exchange).origin(billing.origin())?.token_service(http.clone());
    let (login_tokens, exchanged_tokens) = (login.tokens(), exchanged.tokens());

    let mut orders_client = ServiceBuilder::new().layer(login).service(http.clone());
    let mut billing_client = ServiceBuilder::new().layer(exchanged).service(http);
    for round in ["at first", "after both have expired"] {
        let request = Request::get(orders.url("/orders")).body(Full::default())?;
        let status = orders_client.ready().await?.call(request).await?.status();
        check(status == 200, "the API of the orders accepts the token of the login")?;
        let request = Request::get(billing.url("/bills")).body(Full::default())?;
        let status = billing_client.ready().await?.call(request).await?.status();
        check(status == 200, "the API of the bills accepts the exchanged token")?;
        println!("{round}: both APIs accept their token");
        sleep(LIFETIME).await;
    }
    check(
        login_tokens.get().await?.access_token() != exchanged_tokens.get().await?.access_token(),
        "they are two tokens",
    )?;

    // A logout.
    login_tokens.forget();
    exchanged_tokens.forget();
    // The grant still has the refresh token that it was built with, which the server has rotated since.
    let error: Error = exchanged_tokens.get().await.err().ok_or("a token after the logout")?;
    println!("after the logout: {error}");
    check(error.kind() == ErrorKind::LoginRequired, "the subject's login is required again")
}
