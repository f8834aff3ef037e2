use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    pkce::Challenge,
    registry::{Login, Registry, opaque},
};

const LIFETIME: Duration = Duration::from_secs(60);

/// The authorization codes that were given out.
#[derive(Default)]
pub(crate) struct Codes(Mutex<HashMap<String, Issued>>);

/// What a person has consented to.
pub(crate) struct Consent {
    pub(crate) client: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: Challenge,
    pub(crate) scope: Option<String>,
}

/// What a client shows to get a token for the code.
pub(crate) struct Claim<'a> {
    pub(crate) code: &'a str,
    pub(crate) client: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) verifier: &'a str,
}

struct Issued {
    consent: Consent,
    ends: Instant,
    spent: Option<Login>,
}

impl Codes {
    pub(crate) fn issue(&self, consent: Consent) -> String {
        let code = opaque();
        let issued = Issued { consent, ends: Instant::now() + LIFETIME, spent: None };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(code.clone(), issued);
        code
    }

    /// The login that the code stands for, and its scope. A code counts once, whatever comes of it; shown again, it is
    /// stolen, and what it brought before ends (RFC 6749 §4.1.2).
    pub(crate) fn redeem(&self, claim: &Claim<'_>, registry: &Registry) -> Option<(Login, Option<String>)> {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let issued = codes.get_mut(claim.code).filter(|issued| issued.consent.client == claim.client)?;
        if let Some(login) = issued.spent {
            registry.revoke(login);
            return None;
        }
        let login = registry.begin_login();
        issued.spent = Some(login);
        let consent = &issued.consent;
        let good = Instant::now() < issued.ends
            && consent.redirect_uri == claim.redirect_uri
            && consent.challenge.is_met_by(claim.verifier);
        good.then(|| (login, consent.scope.clone()))
    }
}
