//! Checks that random sequences reach every case that the reference distinguishes.

use std::collections::BTreeSet;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::{run, strategies};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Case {
    ServedAtOnce,
    Waited,
    FailedAtOnce,
    LoginRequired,
    /// A token request while the token is valid, because it is due.
    RefreshedAhead,
    /// A token request while the token is fresh, because the user forced it.
    RefreshedOnDemand,
    /// A token is sent within the clock skew before its expiry, because no newer one can be obtained.
    ExtendedToExpiry,
    /// A token that expired before it arrived is sent by the callers that waited for it.
    ExpiredOnArrival,
    /// A rejected token is kept, because its predecessor was rejected too.
    RejectedAndKept,
    /// A rejection starts a token request immediately.
    RefreshedAfterARejection,
    /// A rejection starts a token request after the back-off, because its predecessor was rejected too.
    SeriesContinues,
    /// A token is accepted while it is refreshed.
    AcceptedWhileRefreshed,
    /// A withheld token is sent again, because its refresh has failed.
    WithheldAndBack,
    /// The user reports a rejection of an old token.
    OldTokenRejected,
    /// The user sets or forgets a token while callers wait for one.
    SetMeanwhile,
    ForgottenMeanwhile,
    SentAgain,
    Superseded,
    TimedOut,
    /// The refresh token is rejected, and the client uses its own credentials.
    SecondCall,
    /// A refresh ends after all its callers were dropped.
    NoCallerLeft,
    /// The token has expired between `poll_ready` and `call`.
    ExpiredBeforeCall,
}

const ALL: [Case; 22] = [
    Case::ServedAtOnce,
    Case::Waited,
    Case::FailedAtOnce,
    Case::LoginRequired,
    Case::RefreshedAhead,
    Case::RefreshedOnDemand,
    Case::ExtendedToExpiry,
    Case::ExpiredOnArrival,
    Case::RejectedAndKept,
    Case::RefreshedAfterARejection,
    Case::SeriesContinues,
    Case::AcceptedWhileRefreshed,
    Case::WithheldAndBack,
    Case::OldTokenRejected,
    Case::SetMeanwhile,
    Case::ForgottenMeanwhile,
    Case::SentAgain,
    Case::Superseded,
    Case::TimedOut,
    Case::SecondCall,
    Case::NoCallerLeft,
    Case::ExpiredBeforeCall,
];

#[test]
fn random_sequences_reach_every_case() {
    let (mut runner, mut seen) = (TestRunner::deterministic(), BTreeSet::new());
    for _ in 0..150 {
        let setting = strategies::settings().new_tree(&mut runner).unwrap().current();
        let steps = strategies::sequences().new_tree(&mut runner).unwrap().current();
        seen.extend(run::run(setting, &steps).unwrap_or_else(|why| panic!("{setting:?}\n{why}")));
    }
    let missed: Vec<_> = ALL.iter().filter(|case| !seen.contains(case)).collect();
    assert!(missed.is_empty(), "not reached: {missed:?}");
}
