//! Starts from a refresh token, such as that of a login in another program.
//!
//! ```text
//! cargo run --example refresh_token
//! ```
//!
//! Many servers rotate refresh tokens: each refresh returns a new one, and the old one is no longer valid. So keep the newest, and do not
//! use the same one in two programs. If an old one is used again, the server treats it as stolen, and revokes the login.
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
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, client::Client, grant::RefreshToken};

const LIFETIME: Duration = Duration::from_secs(1);

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default().lifetime(LIFETIME).refresh_tokens()).await?;
    let api = Api::start(&server).await?;
    let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let (_, saved) = server.log_in_elsewhere("app");

    let grant = RefreshToken::new(server.token_url(), Client::public("app"), &saved)?;
    let oauth = OAuth2Layer::new(grant).origin(api.origin())?;
    let tokens = oauth.tokens();
    let mut changes = tokens.changes();
    let mut client = ServiceBuilder::new().layer(oauth).service(http.clone());
    let request = || Request::get(api.url("/orders")).body(Full::default());

    let status = client.ready().await?.call(request()?).await?.status();
    println!("with the refresh token that was saved:  {status}");
    check(status == 200, "the refresh token was exchanged for an access token")?;

    // Save this one for the next start of the program, after a refresh that is running.
    tokens.flush().await;
    let second = newest(&mut changes).ok_or("there is no new refresh token")?;
    check(second != saved, "the server has rotated it")?;

    sleep(LIFETIME).await;
    let status = client.ready().await?.call(request()?).await?.status();
    println!("later, with the next refresh token:     {status}");
    check(status == 200 && server.token_requests() == 2, "each lifetime costs one token request")?;
    check(newest(&mut changes).is_some_and(|third| third != second), "it was rotated once more")?;

    let thief = RefreshToken::new(server.token_url(), Client::public("app"), saved)?;
    let mut thief = ServiceBuilder::new().layer(OAuth2Layer::new(thief)).service(http);
    let error = thief.ready().await?.call(request()?).await.err().ok_or("a spent refresh token was accepted")?;
    println!("a thief uses a copy of the first:       {error}");
    check(login_required(&error), "it can be used once")?;

    sleep(LIFETIME).await;
    let error = client.ready().await?.call(request()?).await.err().ok_or("the login should have ended")?;
    println!("so the login is revoked for all:        {error}");
    check(login_required(&error), "the user has to log in")
}

fn newest(changes: &mut tokio::sync::watch::Receiver<Option<tower_oauth2::Token>>) -> Option<String> {
    let token = changes.borrow_and_update();
    token.as_ref()?.refresh_token().map(str::to_owned)
}

fn login_required(error: &BoxError) -> bool {
    error.downcast_ref().map(Error::kind) == Some(ErrorKind::LoginRequired)
}
