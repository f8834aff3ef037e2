//! Whether random sequences come to all the corners that the reference speaks of: a check that nothing reaches is none.

use std::collections::BTreeSet;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::{draw, run};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Seen {
    ServedAtOnce,
    Waited,
    FailedAtOnce,
    LoginNeeded,
    /// A call while the token still serves, for it is due.
    RenewedAhead,
    /// A call while it is fresh, for the user asked.
    RenewedOnDemand,
    /// A token beyond its caution is sent, for there is no newer one.
    HeldOut,
    /// A token that came expired is sent by those who waited for it.
    ExpiredOnArrival,
    /// A refused token is kept, for its predecessor was refused as well.
    RefusedAndKept,
    SentAgain,
    LetGo,
    TimedOut,
    /// A refresh token is refused, and the client goes on with its own credentials.
    SecondCall,
    /// A flight lands, and all who waited for it have gone.
    Unattended,
    /// The token has ended between readiness and call.
    ReadyInVain,
}

const ALL: [Seen; 15] = [
    Seen::ServedAtOnce,
    Seen::Waited,
    Seen::FailedAtOnce,
    Seen::LoginNeeded,
    Seen::RenewedAhead,
    Seen::RenewedOnDemand,
    Seen::HeldOut,
    Seen::ExpiredOnArrival,
    Seen::RefusedAndKept,
    Seen::SentAgain,
    Seen::LetGo,
    Seen::TimedOut,
    Seen::SecondCall,
    Seen::Unattended,
    Seen::ReadyInVain,
];

#[test]
fn random_sequences_come_to_every_corner() {
    let (mut runner, mut seen) = (TestRunner::deterministic(), BTreeSet::new());
    for _ in 0..150 {
        let setting = draw::settings().new_tree(&mut runner).unwrap().current();
        let steps = draw::sequences().new_tree(&mut runner).unwrap().current();
        seen.extend(run::run(setting, &steps).unwrap_or_else(|why| panic!("{setting:?}\n{why}")));
    }
    let missed: Vec<_> = ALL.iter().filter(|corner| !seen.contains(corner)).collect();
    assert!(missed.is_empty(), "never came to {missed:?}");
}
