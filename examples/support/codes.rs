use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    pkce::Challenge,
    registry::{Consented, Login, Registry, opaque},
};

const LIFETIME: Duration = Duration::from_secs(60);

/// The authorization codes that were issued.
#[derive(Default)]
pub(crate) struct Codes(Mutex<HashMap<String, Issued>>);

/// The consent that a code stands for.
pub(crate) struct Consent {
    pub(crate) client: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: Challenge,
    pub(crate) scope: Option<String>,
    pub(crate) acr: Option<String>,
}

/// The parameters of a token request with a code.
pub(crate) struct CodeExchange<'a> {
    pub(crate) code: &'a str,
    pub(crate) client: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) verifier: &'a str,
}

struct Issued {
    consent: Consent,
    expires_at: Instant,
    used: Option<Login>,
}

impl Codes {
    pub(crate) fn issue(&self, consent: Consent) -> String {
        let code = opaque();
        let issued = Issued { consent, expires_at: Instant::now() + LIFETIME, used: None };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(code.clone(), issued);
        code
    }

    /// Redeems a code for its login and scope. A code can be used once, whether that succeeds or not. A second use revokes
    /// the tokens of the first (RFC 6749 §4.1.2).
    pub(crate) fn redeem(&self, exchange: &CodeExchange<'_>, registry: &Registry) -> Option<(Login, Option<String>)> {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let issued = codes.get_mut(exchange.code).filter(|issued| issued.consent.client == exchange.client)?;
        if let Some(login) = issued.used {
            registry.revoke(login);
            return None;
        }
        let consent = &issued.consent;
        let consented = Consented { scope: consent.scope.clone(), acr: consent.acr.clone(), at: Instant::now() };
        let login = registry.start_login_of(consented);
        issued.used = Some(login);
        let valid = Instant::now() < issued.expires_at
            && consent.redirect_uri == exchange.redirect_uri
            && consent.challenge.matches(exchange.verifier);
        valid.then(|| (login, consent.scope.clone()))
    }
}
