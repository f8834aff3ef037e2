//! Obtains a token by a login, or refreshes that of an earlier login.

use serde_json::Value;

use super::{Discovered, ProtectedResource};
use crate::client::Client;
use crate::endpoint::{Metadata, registered_client};
use crate::error::{Error, ErrorKind};
use crate::grant::resource_needs::ResourceNeeds;
use crate::grant::{AuthorizationCode, Context};
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
        let refreshing = cx.previous().and_then(|previous| previous.record().registration.clone());
        let progress = Mutex::new(LoginProgress::default());
        let outcome = self.refresh_or_log_in(&cx, found, &server, &progress).await;
        let LoginProgress { has_started, registration, is_reused } = std::mem::take(&mut *lock(&progress));
        match (outcome, has_started) {
            (Ok(token), true) => Ok(token.with_registration(registration)),
            (Ok(token), false) => Ok(token.with_registration(refreshing)),
            (Err(error), true) => {
                // A person whose server does not know the client sees an error page, and the login expires.
                let is_unknown = is_invalid_client(&error) || is_reused && error.kind() == ErrorKind::LoginExpired;
                if let Some(registration) = registration.filter(|_| is_unknown) {
                    self.known.drop_client(&found.issuer, &registration);
                }
                Err(error)
            }
            (Err(error), false) => match refreshing {
                Some(registration) if is_invalid_client(&error) => {
                    self.known.drop_client(&found.issuer, &registration);
                    let progress = Mutex::new(LoginProgress::default());
                    let token = self.refresh_or_log_in(&cx, found, &server, &progress).await?;
                    let registration = lock(&progress).registration.take();
                    Ok(token.with_registration(registration))
                }
                _ => Err(error),
            },
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
        let registration = cx.previous().and_then(|previous| previous.record().registration.as_ref());
        let client = match registration {
            Some(registration) if self.is_valid(registration, found) => Some(registered_client(registration)),
            Some(_) => None,
            None => fixed.cloned(),
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

/// Returns whether the server does not know the client, or its secret is wrong.
fn is_invalid_client(error: &Error) -> bool {
    let is_other = error.oauth().is_some_and(|oauth| oauth.error() != "invalid_client");
    error.kind() == ErrorKind::ClientRejected && !is_other
}
