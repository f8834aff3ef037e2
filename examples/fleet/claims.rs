//! Checks of the outcomes.

use tower::BoxError;

use super::{
    check::check,
    outcome::{Outcome, Wave},
    run::{CLIENTS, REFRESHES},
};

/// A fifth of 300 s: the default jitter spreads simultaneous refreshes over this many seconds.
const SPREAD: u32 = 60;

/// Each client gets one token at the start and one at each refresh.
pub(crate) fn for_every_variant(outcome: &Outcome) -> Result<(), BoxError> {
    let Outcome { waves, token_requests, .. } = outcome;
    check(waves.iter().all(|wave| wave.total() == CLIENTS), "each client refreshes its token when it is due")?;
    check(*token_requests == CLIENTS * (1 + REFRESHES), "it does so once")?;
    check(waves[0].seconds() == 1, "all start at one moment")
}

pub(crate) fn for_refresh_ahead(outcome: &Outcome) -> Result<(), BoxError> {
    check(outcome.waited == 0, "no request waits for a token after the first")
}

/// The counterpart: requests that wait are detected.
pub(crate) fn of_refresh_at_expiry(outcome: &Outcome) -> Result<(), BoxError> {
    check(outcome.waited == (CLIENTS * REFRESHES) as usize, "without refresh-ahead each client waits for each token")
}

/// All tokens are due at one moment, and each client sends its next request within a second. That second may span two
/// seconds of the clock.
pub(crate) fn without_jitter(outcome: &Outcome) -> Result<(), BoxError> {
    check(refreshes(outcome).all(|wave| wave.seconds() <= 2), "without jitter all refresh within a second")?;
    check(refreshes(outcome).all(|wave| wave.peak() >= CLIENTS / 2), "the peak is as high as at the start")
}

pub(crate) fn with_jitter(outcome: &Outcome) -> Result<(), BoxError> {
    // At the first refresh each second of the spread has the same expected count. Later refreshes are spread further, so no
    // second expects more. Six standard deviations above that occur in less than one of a hundred thousand runs.
    let expected = f64::from(CLIENTS) / f64::from(SPREAD);
    let max = expected + 6.0 * expected.sqrt();
    check(refreshes(outcome).all(|wave| f64::from(wave.peak()) <= max), "jitter spreads the fleet evenly")?;

    let seconds: Vec<_> = outcome.waves.iter().map(Wave::seconds).collect();
    check(seconds[1] >= SPREAD as usize, "refreshes are spread over a minute")?;
    check(seconds.is_sorted_by(|one, next| one < next), "each refresh spreads them further")?;
    // The second peak can be as high as the first: the middle of two spreads is as dense as one.
    check(outcome.waves[3].peak() < outcome.waves[1].peak(), "the peaks become lower")
}

fn refreshes(outcome: &Outcome) -> impl Iterator<Item = &Wave> {
    outcome.waves.iter().skip(1)
}
