//! Tokens that are bound to a key: DPoP (RFC 9449).
//!
//! ```text
//! cargo run --example dpop --features jwt
//! ```
//!
//! Each request carries a proof that the key of the program has signed. Both servers verify it: the signature, the method, the address, the
//! token, and that it was not used before. Both also demand a nonce in it, which the layer learns from their responses.
//!
//! ```text
//!  program ── token request, proof ──────────────────▶ authorization server
//!     │ ◀──── a token that is bound to the key ───────────────┘
//!     └────── Authorization: DPoP …, proof ──────────▶ API
//! ```
//!
//! At the end, a thief has the token and a proof, and can use neither.
//!
//! Nothing else is needed. The authorization server and the API run inside the program, on 127.0.0.1.

mod support;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header::WWW_AUTHENTICATE};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use support::{Api, AuthServer, Settings, check};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, retry::RetryLayer};
use tower_oauth2::{
    OAuth2Layer, Token, Tokens, client::Client, dpop::Dpop, grant::ClientCredentials, jwt::Key,
    retry::RetryUnauthorized,
};

type Http = legacy::Client<HttpConnector, Full<Bytes>>;

#[tokio::main]
pub(crate) async fn main() -> Result<(), BoxError> {
    let server = AuthServer::start(Settings::default().dpop()).await?;
    let api = Api::start(&server).await?;
    let http: Http = legacy::Client::builder(TokioExecutor::new()).build_http();

    // A service needs no login, so it generates its key at each start. `dpop_restart.rs` keeps one.
    let dpop = Dpop::new(Key::generate()?);
    let grant = ClientCredentials::from_issuer(server.issuer(), Client::basic("example", "secret"))?.dpop(dpop.clone());
    let oauth = OAuth2Layer::new(grant).origin(api.origin())?;
    let tokens = oauth.tokens();
    let mut client = ServiceBuilder::new()
        .layer(RetryLayer::new(RetryUnauthorized::new())) // outside: repeats a request for a nonce
        .layer(oauth)
        .service(http.clone());
    let request = || Request::get(api.url("/orders")).body(Full::default());

    let status = client.ready().await?.call(request()?).await?.status();
    println!("the first request:               {status}, after {}", counts(&server, &api));
    check(status == 200, "the token and its proof are accepted")?;
    check(server.token_requests() == 2, "the token request was sent again with the nonce of the server")?;
    check((api.rejected(), api.accepted()) == (1, 1), "the request was repeated with the nonce of the API")?;

    let status = client.ready().await?.call(request()?).await?.status();
    println!("the second request:              {status}, after {}", counts(&server, &api));
    check(status == 200 && api.rejected() == 1, "the next request has the nonce from the start")?;

    api.change_nonce();
    let status = client.ready().await?.call(request()?).await?.status();
    println!("after the API changed its nonce: {status}, after {}", counts(&server, &api));
    check(status == 200 && api.rejected() == 2, "a nonce that is too old is replaced, and the request is repeated")?;
    check(server.token_requests() == 2, "a nonce costs no token request")?;

    server.registry().revoke_access_tokens();
    let status = client.ready().await?.call(request()?).await?.status();
    println!("after the token was revoked:     {status}, after {}", counts(&server, &api));
    check(status == 200 && server.token_requests() == 3, "a rejected token is replaced, and the request is repeated")?;

    be_robbed(&http, &api, &tokens, &dpop).await
}

/// Sends a request without the layer, and then as a thief who has read it.
async fn be_robbed(http: &Http, api: &Api, tokens: &Tokens, dpop: &Dpop) -> Result<(), BoxError> {
    let mut request = Request::get(api.url("/orders")).body(Full::default())?;
    check(tokens.authorize(&mut request).await?, "the token may be sent to this API")?;
    let (uri, stolen) = (request.uri().clone(), request.clone());
    let (status, headers) = send(http, request).await?;
    dpop.observe(&uri, &headers);
    println!("without the layer:               {status}");
    check(status == 200, "`authorize` attaches the token and a proof")?;

    let (status, headers) = send(http, stolen).await?;
    println!("the same request again:          {status}, {}", challenge(&headers));
    check(challenge(&headers).contains("invalid_dpop_proof"), "a proof can be used once")?;

    let token = tokens.get().await?;
    let bearer = Request::get(api.url("/orders"))
        .header("authorization", format!("Bearer {}", token.access_token()))
        .body(Full::default())?;
    let (status, headers) = send(http, bearer).await?;
    println!("the token as a Bearer token:     {status}, {}", challenge(&headers));
    check(challenge(&headers).contains("invalid_token"), "a bound token is no Bearer token")?;

    // The thief has a key, but not the one of the program.
    let thief = Dpop::new(Key::generate()?);
    let (status, headers) = send(http, forge(api, &token, &thief).await?).await?;
    println!("a proof of the thief:            {status}, {}", challenge(&headers));
    thief.observe(&uri, &headers);
    let (status, headers) = send(http, forge(api, &token, &thief).await?).await?;
    println!("and with the nonce of the API:   {status}, {}", challenge(&headers));
    check(challenge(&headers).contains("invalid_token"), "the token is bound to the key of the program")
}

/// Builds a request with the stolen token and a proof of the thief.
async fn forge(api: &Api, token: &Token, thief: &Dpop) -> Result<Request<Full<Bytes>>, BoxError> {
    let url = api.url("/orders");
    let proof = thief.proof(&Method::GET, &url.parse()?, Some(token)).await?;
    let authorization = format!("DPoP {}", token.access_token());
    Ok(Request::get(url).header("authorization", authorization).header("dpop", proof).body(Full::default())?)
}

async fn send(http: &Http, request: Request<Full<Bytes>>) -> Result<(StatusCode, HeaderMap), BoxError> {
    let response = http.clone().oneshot(request).await?;
    Ok((response.status(), response.headers().clone()))
}

fn challenge(headers: &HeaderMap) -> &str {
    headers.get(WWW_AUTHENTICATE).and_then(|challenge| challenge.to_str().ok()).unwrap_or("no challenge")
}

fn counts(server: &AuthServer, api: &Api) -> String {
    format!("{} token requests and {} API requests", server.token_requests(), api.accepted() + api.rejected())
}
