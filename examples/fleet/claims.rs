//! What this example says, in numbers.

use tower::BoxError;

use super::{
    check::check,
    outcome::{Outcome, Wave},
    run::{CLIENTS, RENEWALS},
};

/// A fifth of 300 s: over so many seconds chance spreads the renewals of tokens that came at one moment.
const SPREAD: u32 = 60;

/// Each client gets one token at the start and one at each renewal, when the docs say so, and none besides.
pub(crate) fn of_every_fleet(outcome: &Outcome) -> Result<(), BoxError> {
    let Outcome { waves, token_calls, .. } = outcome;
    check(waves.iter().all(|wave| wave.total() == CLIENTS), "each client renews its token when it is due")?;
    check(*token_calls == CLIENTS * (1 + RENEWALS), "it does so once")?;
    check(waves[0].seconds() == 1, "all begin at one moment")
}

pub(crate) fn of_refresh_ahead(outcome: &Outcome) -> Result<(), BoxError> {
    check(outcome.waited == 0, "nobody waits for a token after the first")
}

/// The counterpart: where somebody waits, it is seen.
pub(crate) fn of_renewal_at_the_end(outcome: &Outcome) -> Result<(), BoxError> {
    check(outcome.waited == (CLIENTS * RENEWALS) as usize, "without refresh-ahead each client waits for each token")
}

/// All tokens are due at one moment, and each client has sent its next request a second later. That second may lie in two
/// of the clock.
pub(crate) fn without_jitter(outcome: &Outcome) -> Result<(), BoxError> {
    check(renewals(outcome).all(|wave| wave.seconds() <= 2), "without jitter all renew within a second")?;
    check(renewals(outcome).all(|wave| wave.peak() >= CLIENTS / 2), "it is a crowd as at the start")
}

pub(crate) fn with_jitter(outcome: &Outcome) -> Result<(), BoxError> {
    // At the first renewal any second of the spread can expect as many calls as any other. What chance adds at the next
    // ones only spreads them further, so that no second can ever expect more. Six deviations above that comes no second in
    // a hundred thousand runs.
    let expected = f64::from(CLIENTS) / f64::from(SPREAD);
    let most = expected + 6.0 * expected.sqrt();
    check(renewals(outcome).all(|wave| f64::from(wave.peak()) <= most), "with jitter the fleet is spread evenly")?;

    let seconds: Vec<_> = outcome.waves.iter().map(Wave::seconds).collect();
    check(seconds[1] >= SPREAD as usize, "it is spread over a minute")?;
    check(seconds.is_sorted_by(|one, next| one < next), "each renewal spreads it further")?;
    // The second peak may by chance be as high as the first: the middle of two spreads is as dense as one.
    check(outcome.waves[3].peak() < outcome.waves[1].peak(), "and so the peaks become lower")
}

fn renewals(outcome: &Outcome) -> impl Iterator<Item = &Wave> {
    outcome.waves.iter().skip(1)
}
