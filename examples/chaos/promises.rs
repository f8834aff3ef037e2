//! The promises of the layer, and the breaches that were observed.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The promises, in the order in which they are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    EveryRequestEnds,
    EveryRequestHasOutcome,
    LoginIsKept,
    RefreshTokenIsKept,
    OneTokenRequestAtATime,
    TokenRequestsComplete,
    BackoffIsRespected,
    EachTokenRequestHasReason,
    TokenRequestsAreBounded,
    NoExpiredToken,
    NoOlderToken,
    RejectionsTriggerRefresh,
    ProofsFit,
    DemandedNoncesAreUsed,
    SendsAreBounded,
    SetWakesWaiters,
    ForgetRestartsWaiters,
    ForgottenTokensAreNotSent,
    RejectionsAreBounded,
    RejectionsDelayNoOtherEndpoint,
    RetryAfterZeroIsBounded,
    IdleRuntimesDoNotBlockCallers,
    TenantsAreNotMixedUp,
    OneTokenRequestOfTenant,
    NoOlderTokenOfTenant,
    TenantsAreBounded,
}

pub(crate) const PROMISES: [(Promise, &str); 26] = [
    (Promise::EveryRequestEnds, "every request has ended within 30 s"),
    (Promise::EveryRequestHasOutcome, "every request that was started has an outcome"),
    (Promise::LoginIsKept, "no login was lost"),
    (Promise::RefreshTokenIsKept, "no refresh token that was received was dropped"),
    (Promise::OneTokenRequestAtATime, "a login never has two token requests in flight"),
    (Promise::TokenRequestsComplete, "no token request was cancelled by a caller that was dropped"),
    (Promise::BackoffIsRespected, "no token request was sent during a back-off"),
    (Promise::EachTokenRequestHasReason, "no token request was sent without a reason"),
    (Promise::TokenRequestsAreBounded, "there were no more token requests than reasons"),
    (Promise::NoExpiredToken, "no expired token was sent"),
    (Promise::NoOlderToken, "no token was sent when a newer one was available"),
    (Promise::RejectionsTriggerRefresh, "a rejected token was refreshed at once, or after the back-off"),
    (Promise::ProofsFit, "every proof was new, and fitted its request, its token and its key"),
    (Promise::DemandedNoncesAreUsed, "a request that was repeated for a nonce had this nonce"),
    (Promise::SendsAreBounded, "no request was sent more than three times"),
    (Promise::SetWakesWaiters, "`set` woke all waiters at once"),
    (Promise::ForgetRestartsWaiters, "after `forget` no caller waited longer than one token request takes"),
    (Promise::ForgottenTokensAreNotSent, "no forgotten token was sent"),
    (
        Promise::RejectionsAreBounded,
        "an endpoint that rejects every token caused no more token requests than the back-off allows",
    ),
    (Promise::RejectionsDelayNoOtherEndpoint, "an endpoint that rejects every token did not delay another"),
    (Promise::RetryAfterZeroIsBounded, "`Retry-After: 0` caused no more token requests than the back-off allows"),
    (Promise::IdleRuntimesDoNotBlockCallers, "an idle runtime blocked no caller longer than the token timeout"),
    (Promise::TenantsAreNotMixedUp, "no request of a tenant had the token of another"),
    (Promise::OneTokenRequestOfTenant, "a tenant that was not forgotten never had two token requests in flight"),
    (Promise::NoOlderTokenOfTenant, "no request of such a tenant was repeated with an older token"),
    (Promise::TenantsAreBounded, "no more token cells than the maximum were kept when none was in use"),
];

/// How many breaches of each promise are printed.
const MAX_EXAMPLES: usize = 3;

/// The breaches that were observed.
#[derive(Default)]
pub(crate) struct Breaches(Mutex<Vec<(Promise, String)>>);

impl Breaches {
    pub(crate) fn add(&self, promise: Promise, what: impl Into<String>) {
        self.lock().push((promise, what.into()));
    }

    /// How often the promise was broken, and the first breaches.
    pub(crate) fn of(&self, promise: Promise) -> (usize, Vec<String>) {
        let breaches = self.lock();
        let mut seen = breaches.iter().filter(|(broken, _)| *broken == promise).map(|(_, what)| what.clone());
        let first: Vec<String> = seen.by_ref().take(MAX_EXAMPLES).collect();
        (first.len() + seen.count(), first)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Promise, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
