//! Everything about the authorization server from one address, its issuer (RFC 8414).
//!
//! ```text
//! cargo run --example discovery --features loopback
//! ```
//!
//! The program acts for itself and for a user, and ends the user's login. Its three clients of the server are made from one `Issuer`, so the
//! metadata with the addresses of the endpoints is fetched once, by the first token request.
//!
//! On a terminal, you are the user: log in as `alice` with any password. Without a terminal, or with `TOWER_OAUTH2_UNATTENDED=1`, the
//! program simulates the user.
//!
//! The authorization server and the API run inside the program, on 127.0.0.1.

mod support;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{client::legacy, rt::TokioExecutor};
use support::{Api, AuthServer, Choice, Settings, browser, check, is_attended};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_oauth2::{
    ErrorKind, OAuth2Layer,
    client::Client,
    endpoint::{Issuer, RevocationEndpoint},
    grant::{AuthorizationCode, ClientCredentials},
};

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default().refresh_tokens()).await?;
    let api = Api::start(&server).await?;
    let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();

    // The only address of the server in this program.
    let issuer = Issuer::new(server.issuer())?;
    let program = ClientCredentials::from_issuer(&issuer, Client::basic("example", "secret"))?.scope("orders")?;
    let user = AuthorizationCode::from_issuer(&issuer, Client::public("app"))?.scope("orders")?;
    let logout = RevocationEndpoint::discover(&issuer, Client::public("app"))?;
    check(server.metadata_requests() == 0, "building them sends no request")?;

    let oauth = OAuth2Layer::new(program).origin(api.origin())?;
    let mut client = ServiceBuilder::new().layer(oauth).service(http.clone());
    let status = call(&mut client, &api).await?;
    println!("for the program, the API responds with {status}");
    check(status == 200, "the token endpoint was discovered")?;

    // Without a terminal, the simulated user replaces the system's browser.
    let user = if is_attended() {
        println!("Log in on the page that your browser shows.");
        user
    } else {
        user.browser(browser(Choice::Allow).0)
    };
    let oauth = OAuth2Layer::new(user).origin(api.origin())?;
    let mut client = ServiceBuilder::new().layer(oauth).service(http.clone());
    let status = call(&mut client, &api).await?;
    println!("for the user, the API responds with {status}");
    check(status == 200, "the authorization endpoint was discovered")?;

    let tokens = client.tokens();
    let token = tokens.get().await?;
    tokens.revoke(&logout).await?;
    println!("the login has ended");
    check(!server.registry().accepts(token.access_token()), "the revocation endpoint was discovered")?;

    println!("requests for the metadata: {}", server.metadata_requests());
    check(server.metadata_requests() == 1, "they share one document")?;

    // The issuer is compared character by character, so a slash makes it another one.
    let wrong = ClientCredentials::from_issuer(format!("{}/", server.issuer()), Client::basic("example", "secret"))?;
    let tokens = OAuth2Layer::new(wrong).token_service(http).tokens();
    let error = tokens.get().await.err().ok_or("the metadata of another issuer was used")?;
    println!("with a slash at the end: {error}");
    check(
        error.kind() == ErrorKind::Malformed && error.to_string().contains(server.issuer()),
        "the error has both issuers",
    )
}

/// Sends a request to the API. The layer obtains the token first.
async fn call<S>(client: &mut S, api: &Api) -> Result<StatusCode, BoxError>
where
    S: Service<Request<Full<Bytes>>, Response = Response<Incoming>, Error = BoxError>,
{
    let request = Request::get(api.url("/orders")).body(Full::default())?;
    Ok(client.ready().await?.call(request).await?.status())
}
