// Helpers for the examples in `grants.md`, which include this file: a mock server with one response.
#[allow(unused_imports)]
use {
    bytes::Bytes,
    http::{HeaderValue, Request, Response, StatusCode},
    serde_json::{Value, json},
    tower_oauth2::client::Client,
    tower_oauth2::endpoint::{RevocationEndpoint, TokenEndpoint},
    tower_oauth2::grant::{AuthorizationCode, ClientCredentials, Context, Grant, RefreshToken},
    tower_oauth2::transport::Transport,
    tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token},
};

/// The result of a token request, and the request.
type TokenResult = (Result<Token, Error>, Request<Bytes>);

#[allow(dead_code)]
fn edit_json(response: Response<Bytes>, edit: impl FnOnce(&mut Value)) -> Response<Bytes> {
    response.map(|body| match serde_json::from_slice(&body) {
        Ok(mut json @ Value::Object(_)) => {
            edit(&mut json);
            json.to_string().into()
        }
        _ => body,
    })
}

#[allow(dead_code)]
fn edit_form(request: Request<Bytes>, edit: impl FnOnce(&mut Vec<(String, String)>)) -> Request<Bytes> {
    request.map(|body| {
        let mut form = url::form_urlencoded::parse(&body).into_owned().collect();
        edit(&mut form);
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish().into()
    })
}

/// Runs `obtain` with a transport whose server sends this response.
#[allow(dead_code)]
fn with_server(response: &'static str, obtain: impl AsyncFnOnce(Transport) -> Result<Token, Error>) -> TokenResult {
    let (sender, receiver) = std::sync::mpsc::channel();
    let http = Transport::new(tower::service_fn(move |request: Request<Bytes>| {
        let _ = sender.send(request);
        async move { Ok::<_, std::convert::Infallible>(Response::new(response.to_owned())) }
    }));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    (runtime.block_on(obtain(http)), receiver.recv().unwrap())
}

/// Obtains the first token of a program.
#[allow(dead_code)]
fn obtains(grant: impl Grant, response: &'static str) -> TokenResult {
    with_server(response, async |http| grant.obtain(Context::new(http)).await)
}

/// Exchanges a code, after the user has logged in.
#[allow(dead_code)]
fn logs_in(grant: &AuthorizationCode, response: &'static str) -> TokenResult {
    with_server(response, async |http| {
        let login = grant.authorization_url("https://app.example/callback")?;
        let query = format!("code=SplxlOBe&state={}", login.state());
        grant.exchange(&http, grant.callback(login, &query)?).await
    })
}

/// Returns the query of the authorization URL.
#[allow(dead_code)]
fn authorization_query(grant: &AuthorizationCode) -> String {
    let login = grant.authorization_url("https://app.example/callback").unwrap();
    login.url().query().unwrap_or_default().to_owned()
}

/// Refreshes a token.
#[allow(dead_code)]
fn refreshes(grant: impl Grant, response: &'static str) -> TokenResult {
    let previous = Token::bearer("old").unwrap().with_refresh_token("tGzv3JOk");
    with_server(response, async |http| grant.obtain(Context::new(http).with_previous(previous)).await)
}

/// Returns the body of a request as text.
#[allow(dead_code)]
fn body(request: &Request<Bytes>) -> &str {
    std::str::from_utf8(request.body()).unwrap()
}
