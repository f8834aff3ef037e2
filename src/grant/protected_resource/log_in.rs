//! Obtains a token by a login, or refreshes that of an earlier login.

use serde_json::Value;

use super::{Discovered, ProtectedResource};
use crate::client::Client;
use crate::clock;
use crate::endpoint::{Metadata, registered_client};
use crate::error::{Error, ErrorKind};
use crate::grant::resource_needs::ResourceNeeds;
use crate::grant::{AuthorizationCode, Context, Reason};
use crate::sync::{Mutex, lock};
use crate::token::{RegistrationRecord, Token};

const OFFLINE_ACCESS: &str = "offline_access";

/// What has happened in one attempt.
#[derive(Default)]
struct LoginProgress {
    has_started: bool,
    /// The registered client of the login.
    registration: Option<RegistrationRecord>,
    /// Whether it was registered for an earlier login.
    is_reused: bool,
}

impl ProtectedResource {
    pub(super) async fn obtain_by_login(&self, cx: Context, found: &Discovered) -> Result<Token, Error> {
        let server = found.issuer.metadata(cx.transport()).await.map_err(Error::before_request)?;
        let (outcome, has_started) = self.attempt(&cx, found, &server).await;
        let (Err(error), Some(refreshing)) = (&outcome, registration_of(&cx)) else { return outcome };
        if has_started {
            return outcome;
        }
        let cx = if is_unknown_client(error) {
            self.known.drop_client(&found.issuer, refreshing);
            cx
        } else if is_bare_rejection(error) && cx.reason() == Reason::Forced {
            // A proxy may have responded. The client is kept, in case that the login fails too.
            self.known.retire_client(&found.issuer, refreshing);
            let previous = cx.previous().cloned().map(Token::without_refresh_token);
            cx.with_previous(previous)
        } else {
            return outcome;
        };
        self.attempt(&cx, found, &server).await.0
    }

    /// Refreshes the token, or logs a user in. Returns also whether a login has started.
    async fn attempt(&self, cx: &Context, found: &Discovered, server: &Metadata) -> (Result<Token, Error>, bool) {
        let refreshing = registration_of(cx);
        let progress = Mutex::new(LoginProgress::default());
        let outcome = self.refresh_or_log_in(cx, found, server, &progress).await;
        let LoginProgress { has_started, registration, is_reused } = std::mem::take(&mut *lock(&progress));
        let outcome = match outcome {
            Ok(token) => {
                let registration = if has_started { registration } else { refreshing.cloned() };
                Ok(token.with_registration(registration))
            }
            Err(error) => {
                match registration.filter(|_| has_started) {
                    Some(registration) if is_unknown_client(&error) => {
                        self.known.drop_client(&found.issuer, &registration);
                    }
                    // A person whose server does not know the client sees an error page, and the login expires.
                    Some(registration) if is_reused && error.kind() == ErrorKind::LoginExpired => {
                        self.known.retire_client(&found.issuer, &registration);
                    }
                    _ => {}
                }
                Err(self.explain(error, cx, found))
            }
        };
        (outcome, has_started)
    }

    /// Adds to a required login why the refresh token was not used.
    fn explain(&self, error: Error, cx: &Context, found: &Discovered) -> Error {
        let has_refresh_token = cx.previous().is_some_and(|previous| previous.refresh_token().is_some());
        match registration_of(cx).filter(|_| error.kind() == ErrorKind::LoginRequired && has_refresh_token) {
            Some(registration) if self.known.is_dropped(&found.issuer, registration) => {
                error.with_context("the server does not know the registered client any more".to_owned())
            }
            Some(registration) if !registration.is_valid(clock::now()) => {
                error.with_context("the secret of the registered client has expired".to_owned())
            }
            _ => error,
        }
    }

    async fn refresh_or_log_in(
        &self,
        cx: &Context,
        found: &Discovered,
        server: &Metadata,
        progress: &Mutex<LoginProgress>,
    ) -> Result<Token, Error> {
        let fixed = self.fixed_client(found, server);
        let registered = self.registered_before(cx, found).filter(|_| fixed.is_none());
        let (cx, client) = self.refreshing_client(cx.clone(), found, fixed);
        let mut config = self.config.clone();
        config.endpoint = config.endpoint.for_issuer(&found.issuer, client)?;
        let mut login = AuthorizationCode::of_resource(config);
        if let Some(configure) = &self.configure_login {
            login = configure(login);
        }
        login.require_server(&found.issuer)?;
        if let Some(registered) = &registered {
            login.prefer_port_of(&registered.redirect_uri);
        }
        let needs = self.login_needs(&cx, found, server, &mut login);
        let cx = cx.with_resource_needs(needs);
        let client_for = async |redirect_uri: String| {
            lock(progress).has_started = true;
            check_pkce(server).map_err(Error::before_request)?;
            if let Some(client) = fixed {
                return Ok(client.clone());
            }
            let reused = registered.filter(|registered| registered.redirect_uri == redirect_uri);
            let is_reused = reused.is_some();
            let registration = match reused {
                Some(reused) => reused,
                None => self.register_client(&cx, found, server, &redirect_uri).await?,
            };
            let client = registered_client(&registration);
            let mut progress = lock(progress);
            (progress.registration, progress.is_reused) = (Some(registration), is_reused);
            Ok(client)
        };
        login.obtain_with_client(&cx, &self.login_id, client_for).await
    }

    /// Returns the client to which the refresh token was issued. Without one, the refresh token is removed.
    fn refreshing_client(&self, cx: Context, found: &Discovered, fixed: Option<&Client>) -> (Context, Client) {
        let client = match registration_of(&cx) {
            Some(registration) if self.is_valid(registration, found) => Some(registered_client(registration)),
            Some(_) => None,
            // The server may announce such documents no longer.
            None => fixed.or(self.metadata_client.as_ref()).cloned(),
        };
        match (client, cx.previous().cloned()) {
            (Some(client), _) => (cx, client),
            (None, Some(previous)) => (cx.with_previous(previous.without_refresh_token()), Client::none()),
            (None, None) => (cx, Client::none()),
        }
    }

    /// Adds `offline_access`, if the server lists it. It would be the whole scope of a request without one, so that has none.
    fn login_needs(
        &self,
        cx: &Context,
        found: &Discovered,
        server: &Metadata,
        login: &mut AuthorizationCode,
    ) -> ResourceNeeds {
        let mut needs = self.needs(found);
        let recorded = cx.previous().is_some_and(|previous| previous.record().request.scope.is_some());
        if needs.scope.is_none() && !recorded && !login.requests_scope() {
            needs.scope = needs.default_scope.take();
        }
        if (needs.scope.is_some() || recorded || login.requests_scope()) && lists(server, OFFLINE_ACCESS) {
            let scope = needs.scope.take();
            needs.scope =
                Some(scope.map_or_else(|| OFFLINE_ACCESS.to_owned(), |scope| format!("{scope} {OFFLINE_ACCESS}")));
            login.ask_consent();
        }
        needs
    }
}

fn lists(server: &Metadata, scope: &str) -> bool {
    let listed = server.member("scopes_supported").and_then(Value::as_array);
    listed.is_some_and(|listed| listed.iter().any(|listed| listed == scope))
}

/// Checks that the server supports PKCE with S256. MCP demands that it says so.
fn check_pkce(server: &Metadata) -> Result<(), Error> {
    let methods = server.member("code_challenge_methods_supported").and_then(Value::as_array);
    match methods.is_some_and(|methods| methods.iter().any(|method| method == "S256")) {
        true => Ok(()),
        false => Err(server.error(
            "`code_challenge_methods_supported` does not list `S256`, so a login would not be protected by PKCE"
                .to_owned(),
        )),
    }
}

/// Returns the registered client to which the previous token was issued.
fn registration_of(cx: &Context) -> Option<&RegistrationRecord> {
    cx.previous().and_then(|previous| previous.record().registration.as_ref())
}

/// Returns whether the server does not know the client, or its secret is wrong.
fn is_unknown_client(error: &Error) -> bool {
    let is_named = error.oauth().is_some_and(|oauth| oauth.error() == "invalid_client");
    error.kind() == ErrorKind::ClientRejected && is_named
}

/// Returns whether the client was rejected without an OAuth error, by the server or by a proxy.
fn is_bare_rejection(error: &Error) -> bool {
    error.kind() == ErrorKind::ClientRejected && error.oauth().is_none()
}
