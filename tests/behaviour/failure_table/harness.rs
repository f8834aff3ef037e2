//! The authorization server, the person and the store of one case.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use serde_json::json;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, service_fn};
use tower_oauth2::client::Client;
#[cfg(feature = "loopback")]
use tower_oauth2::grant::AuthorizationCode;
use tower_oauth2::grant::{BoxGrant, ClientCredentials, DeviceCode, Grant, Password, RefreshToken};
use tower_oauth2::store::{Entry, Key, MemoryStore, TokenStore};
use tower_oauth2::{Error, ErrorKind, OAuth2Layer, Token, Tokens};

use super::rows::Row;
use super::{Class, GrantKind};
use crate::support::{Body, TOKEN_URL, answer, form};

const DEVICE_URL: &str = "https://auth.example.com/device";

/// A request that the server has received, or a prompt that the person has seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Observed {
    /// A refresh, with this refresh token.
    Refresh(String),
    /// A request of the grant without a person.
    Grant,
    /// A prompt to log in.
    Login,
}

/// The responses of the server.
struct Server {
    /// The response to a refresh; `None` for a token.
    refresh: Option<Row>,
    /// The response to the first request of the grant; `None` for a token.
    grant: Option<Row>,
    /// The response to a poll for the end of a login; `None` for a token.
    login: Option<Row>,
    observed: Vec<Observed>,
}

pub(super) struct Case {
    pub(super) grant_kind: GrantKind,
    pub(super) class: Class,
    row: Row,
    server: Arc<Mutex<Server>>,
    pub(super) tokens: Tokens,
    store: Option<(MemoryStore, Key)>,
}

/// Every grant with every client, with and without a store.
pub(super) fn cases() -> impl Iterator<Item = (GrantKind, bool, bool, Row)> {
    let variants = |grant_kind: GrantKind| {
        [(false, false), (false, true), (true, false), (true, true)].map(|(a, s)| (grant_kind, a, s))
    };
    super::ALL_GRANTS.iter().flat_map(move |grant_kind| variants(*grant_kind)).flat_map(
        |(grant_kind, authenticates, is_stored)| {
            super::rows::ROWS.iter().map(move |row| (grant_kind, authenticates, is_stored, *row))
        },
    )
}

impl Case {
    /// Creates a case with a token that has this lifetime and the refresh token `r1`. The row is the response to each refresh.
    pub(super) async fn new(combination: (GrantKind, bool, bool, Row), lifetime: Duration) -> Self {
        let token = Token::bearer("a").unwrap().with_expires_in(lifetime);
        Self::with(combination, token.with_refresh_token("r1")).await
    }

    /// Creates a case with an expired token without a refresh token.
    pub(super) async fn without_refresh_token(combination: (GrantKind, bool, bool, Row)) -> Self {
        Self::with(combination, Token::bearer("a").unwrap().with_expires_in(Duration::ZERO)).await
    }

    async fn with((grant_kind, authenticates, is_stored, row): (GrantKind, bool, bool, Row), token: Token) -> Self {
        let server =
            Arc::new(Mutex::new(Server { refresh: Some(row), grant: None, login: None, observed: Vec::new() }));
        let client = if authenticates { Client::basic("id", "secret") } else { Client::public("id") };
        let store = is_stored.then(MemoryStore::new);
        let (grant, key) = grant(grant_kind, client, &server, store.clone());
        let tokens = OAuth2Layer::new(grant).token_service(service(server.clone())).tokens();
        match (&store, &key) {
            (Some(store), Some(key)) if token.refresh_token().is_some() => {
                let mut lock = store.lock(key).await.unwrap();
                store.save(key, &Entry::new(token, 5), &mut lock).await.unwrap();
            }
            _ => tokens.set(token),
        }
        Self { grant_kind, class: row.class(authenticates), row, server, tokens, store: store.zip(key) }
    }

    /// Creates a case without a token. The row is the response to the first request of the grant as well.
    pub(super) async fn first(combination: (GrantKind, bool, bool, Row)) -> Self {
        let case = Self::new(combination, Duration::ZERO).await;
        match &case.store {
            Some((store, key)) => store.clear(key, u64::MAX).await.unwrap(),
            None => case.tokens.forget(),
        }
        case.grant_fails(combination.3);
        case
    }

    /// Makes further refreshes succeed.
    pub(super) fn recover(&self) {
        self.server.lock().unwrap().refresh = None;
    }

    /// Makes further requests of the grant fail.
    pub(super) fn grant_fails(&self, row: Row) {
        self.server.lock().unwrap().grant = Some(row);
    }

    /// Makes the server return a device code, and the row for each poll.
    pub(super) fn login_ends_with(&self, row: Row) {
        let mut server = self.server.lock().unwrap();
        (server.grant, server.login) = (None, Some(row));
    }

    /// Makes all further requests succeed.
    pub(super) fn recover_all(&self) {
        let mut server = self.server.lock().unwrap();
        (server.refresh, server.grant, server.login) = (None, None, None);
    }

    /// Gets a token like a request.
    pub(super) async fn get(&self) -> Result<Token, Error> {
        self.record_browser_login(self.tokens.get().await)
    }

    /// Forces a refresh.
    pub(super) async fn refresh(&self) -> Result<Token, Error> {
        self.record_browser_login(self.tokens.refresh().await)
    }

    /// Records a login in the browser. It has no prompt, and always expires, because it is never completed.
    fn record_browser_login(&self, result: Result<Token, Error>) -> Result<Token, Error> {
        let is_browser = self.grant_kind.is_interactive() && !matches!(self.grant_kind, GrantKind::DeviceCode { .. });
        if is_browser && result.as_ref().is_err_and(|error| error.kind() == ErrorKind::LoginExpired) {
            self.server.lock().unwrap().observed.push(Observed::Login);
        }
        result
    }

    /// Returns the requests and prompts since the last call.
    pub(super) fn observed(&self) -> Vec<Observed> {
        std::mem::take(&mut self.server.lock().unwrap().observed)
    }

    /// Returns the refresh token of the cell or of the store.
    pub(super) async fn refresh_token(&self) -> Option<String> {
        let token = match &self.store {
            Some((store, key)) => store.load(key).await.unwrap().map(|entry| entry.token),
            None => self.tokens.peek(),
        };
        token.and_then(|token| token.refresh_token().map(ToOwned::to_owned))
    }

    /// Describes the case in assertion messages.
    pub(super) fn name(&self) -> String {
        format!("{:?}, store: {}, {:?}", self.grant_kind, self.store.is_some(), self.row)
    }

    pub(super) fn row(&self) -> Row {
        self.row
    }
}

pub(super) fn refresh() -> Observed {
    Observed::Refresh("r1".to_owned())
}

fn grant(
    grant_kind: GrantKind,
    client: Client,
    server: &Arc<Mutex<Server>>,
    store: Option<MemoryStore>,
) -> (BoxGrant, Option<Key>) {
    macro_rules! finish {
        ($grant:expr) => {
            match store {
                Some(store) => {
                    let grant = $grant.persisted(store);
                    let key = grant.key().clone();
                    (grant.boxed(), Some(key))
                }
                None => ($grant.boxed(), None),
            }
        };
    }
    match grant_kind {
        GrantKind::ClientCredentials => finish!(ClientCredentials::new(TOKEN_URL, client).unwrap()),
        GrantKind::Password => finish!(Password::new(TOKEN_URL, client, "alice", "wonderland").unwrap()),
        GrantKind::RefreshToken => finish!(RefreshToken::new(TOKEN_URL, client, "r0").unwrap()),
        #[cfg(feature = "loopback")]
        GrantKind::AuthorizationCode { relogin } => {
            let grant = AuthorizationCode::new("https://auth.example.com/authorize", TOKEN_URL, client).unwrap();
            finish!(grant.relogin(relogin).browser(|_| {}))
        }
        GrantKind::DeviceCode { relogin } => {
            let observed = server.clone();
            let prompt = move |_: &_| observed.lock().unwrap().observed.push(Observed::Login);
            let grant = DeviceCode::new(DEVICE_URL, TOKEN_URL, client, prompt).unwrap();
            finish!(grant.relogin(relogin))
        }
    }
}

fn service(server: Arc<Mutex<Server>>) -> BoxCloneSyncService<Request<Body>, Response<Body>, BoxError> {
    BoxCloneSyncService::new(service_fn(move |request: Request<Body>| {
        let server = server.clone();
        async move {
            let is_device = request.uri() == DEVICE_URL;
            let form = form(request).await;
            let value = |name: &str| form.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
            let (row, success) = {
                let mut server = server.lock().unwrap();
                match value("grant_type").as_deref() {
                    _ if is_device => {
                        // The prompt records a login.
                        let fails = server.grant.map(|_| Observed::Grant);
                        server.observed.extend(fails);
                        let code = json!({"device_code": "d", "user_code": "u", "verification_uri": "https://example.com/", "expires_in": 60});
                        (server.grant, code)
                    }
                    Some("refresh_token") => {
                        server.observed.push(Observed::Refresh(value("refresh_token").unwrap()));
                        (server.refresh, json!({"access_token": "refreshed", "expires_in": 3600}))
                    }
                    Some("client_credentials" | "password") => {
                        server.observed.push(Observed::Grant);
                        (server.grant, json!({"access_token": "granted", "expires_in": 3600}))
                    }
                    _ => (server.login, json!({"access_token": "login", "expires_in": 3600, "refresh_token": "r9"})),
                }
            };
            match row {
                Some(row) => row.respond().await,
                None => Ok(answer(200, success)),
            }
        }
    }))
}
