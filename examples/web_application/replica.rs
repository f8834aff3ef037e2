//! One replica of the web application.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{HeaderMap, Request, StatusCode, header::SET_COOKIE},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::{Deserialize, Serialize};
use tower::{BoxError, Layer, Service, ServiceExt};
use tower_oauth2::{
    Error, ErrorKind, OAuth2, OAuth2Layer, Token,
    client::Client,
    grant::{Authorization, AuthorizationCode, Persisted, RefreshToken},
    store::MemoryStore,
    transport::Transport,
};

use super::{
    failure::Failure,
    session::{Sessions, id},
};

type Http = legacy::Client<HttpConnector, Full<Bytes>>;
type Visitor = OAuth2<Http, Persisted<RefreshToken, MemoryStore>>;

pub(crate) struct Replica {
    pub(crate) redirect_uri: String,
    pub(crate) api: String,
    pub(crate) token_url: String,
    pub(crate) client: Client,
    pub(crate) grant: AuthorizationCode,
    pub(crate) http: Http,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) tokens: MemoryStore,
    /// The services of the visitors of this replica, by session id. A real program removes idle ones.
    pub(crate) visitors: Mutex<HashMap<String, Visitor>>,
}

/// The session of a visitor, which all replicas can load. It contains secrets, so it must not be stored in a cookie.
#[derive(Serialize, Deserialize)]
#[allow(clippy::large_enum_variant, reason = "it exists only between loading and use")]
enum Session {
    /// The visitor is on the page of the authorization server.
    LoggingIn(Authorization),
    /// The visitor is logged in. This is the first token; newer ones are in the token store.
    LoggedIn(Token),
}

pub(crate) fn http() -> Http {
    legacy::Client::builder(TokioExecutor::new()).build_http()
}

/// Returns the orders of the visitor from the API.
async fn orders(State(replica): State<Arc<Replica>>, headers: HeaderMap) -> Result<Response, Failure> {
    let Some(mut visitor) = replica.visitor(&headers)? else {
        return Ok(Redirect::to("/login").into_response());
    };
    let request = Request::get(format!("{}/orders", replica.api)).body(Full::default())?;
    match visitor.ready().await?.call(request).await {
        Ok(response) => {
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            Ok((status, body).into_response())
        }
        // The refresh token is no longer valid.
        Err(error) if kind(&error) == Some(ErrorKind::LoginRequired) => Ok(Redirect::to("/login").into_response()),
        Err(error) => Err(error.into()),
    }
}

/// Redirects the visitor to the authorization server.
async fn login(State(replica): State<Arc<Replica>>) -> Result<Response, Failure> {
    let authorization = replica.grant.authorization_url(&*replica.redirect_uri)?;
    let redirect = Redirect::to(authorization.url().as_str());
    replica.with_session(&Session::LoggingIn(authorization), redirect)
}

/// Handles the redirect from the authorization server.
async fn callback(
    State(replica): State<Arc<Replica>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    // A browser that prefetches the page may discard it, but the code can be used only once. The browser sends the request again.
    if headers.contains_key("sec-purpose") {
        return Ok(StatusCode::SERVICE_UNAVAILABLE.into_response());
    }
    // Only the browser that started a login can complete it. Otherwise a link with the code of an attacker would log the visitor in as
    // the attacker.
    let is_logging_in = |session: &Session| matches!(session, Session::LoggingIn(_));
    let Some(Session::LoggingIn(authorization)) = replica.sessions.take(&headers, is_logging_in)? else {
        return Ok((StatusCode::BAD_REQUEST, "No login is in progress in this browser.").into_response());
    };
    // The grant checks that the login was started by the same client at the same server.
    let code = match replica.grant.callback(authorization, &query.unwrap_or_default()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("a login has failed: {error}");
            return Ok((StatusCode::BAD_REQUEST, "You are not logged in.").into_response());
        }
    };
    let token = replica.grant.exchange(&Transport::new(replica.http.clone()), code).await?;
    replica.with_session(&Session::LoggedIn(token), Redirect::to("/"))
}

impl Replica {
    pub(crate) fn routes(self) -> Router {
        Router::new()
            .route("/", get(orders))
            .route("/login", get(login))
            .route("/callback", get(callback))
            .with_state(Arc::new(self))
    }

    /// Returns the service of the visitor with this cookie, if the visitor is logged in.
    fn visitor(&self, headers: &HeaderMap) -> Result<Option<Visitor>, BoxError> {
        let (Some(id), Some(Session::LoggedIn(token))) = (id(headers), self.sessions.load(headers)?) else {
            return Ok(None);
        };
        let mut visitors = self.visitors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(visitor) = visitors.get(id) {
            return Ok(Some(visitor.clone()));
        }
        // A refresh token grant never starts a login. One of the replicas refreshes the token, and the others load the new one from the
        // store, which has an entry for each visitor.
        let refresh_token = token.refresh_token().ok_or("the server issues no refresh tokens")?.to_owned();
        let grant = RefreshToken::new(&*self.token_url, self.client.clone(), refresh_token)?
            .token(token)
            .persisted(self.tokens.clone())
            .subject(id);
        let visitor = OAuth2Layer::new(grant).origin(&*self.api)?.layer(self.http.clone());
        visitors.insert(id.to_owned(), visitor.clone());
        Ok(Some(visitor))
    }

    fn with_session(&self, session: &Session, redirect: Redirect) -> Result<Response, Failure> {
        let cookie = self.sessions.start(session, self.redirect_uri.starts_with("https:"))?;
        Ok(([(SET_COOKIE, cookie)], redirect).into_response())
    }
}

fn kind(error: &BoxError) -> Option<ErrorKind> {
    error.downcast_ref().map(Error::kind)
}
