//! The transitions of a cell. No clock, no lock, no I/O: the time and the dice come in as arguments.

use std::sync::Arc;

use super::freshness;
use super::outcome::{Age, Current, Failure};
use super::refusals::Refusals;
use super::terms::{Ahead, Departure, Dice, Found};
use crate::clock::{Deadline, Now};
use crate::error::{Error, ErrorKind};
use crate::observe::Cause;
use crate::token::Token;
use crate::transport::Reason;

/// `F` is the handle of a flight; the state only keeps it.
#[derive(Debug)]
pub(crate) struct State<F> {
    /// The newest token, kept beyond its usefulness for its refresh token.
    held: Option<Arc<Current>>,
    /// Whether `held` was invalidated: then its access token is not used again.
    rejected: bool,
    failure: Option<Failure>,
    failures_in_a_row: u32,
    flight: Option<F>,
    /// The refusals of servers since one last accepted a token.
    refusals: Refusals,
    /// Counts the tokens of this cell: what is said about an older one has no effect on a newer one.
    generation: u64,
    /// Counts the interventions of the user (`set`, `forget`): a flight that began before one changes nothing after it.
    epoch: u64,
}

impl<F: Clone> State<F> {
    /// One whose tokens are counted from here on.
    pub(crate) fn counting_from(generation: u64) -> Self {
        Self {
            held: None,
            rejected: false,
            failure: None,
            failures_in_a_row: 0,
            flight: None,
            refusals: Refusals::default(),
            generation,
            epoch: 0,
        }
    }

    /// Empty, Fresh or Due, Expired or Failed, as a caller sees it.
    pub(crate) fn look(&self, now: Now) -> Found<F> {
        if let Some(current) = self.usable().filter(|current| current.is_usable(|| now)) {
            return Found::Usable(current.clone());
        }
        match (self.usable(), self.waited_out(now), &self.flight) {
            // There is no other for now, and it has not ended: the skew is only a caution.
            (Some(current), Some(_), _) if !current.has_ended(now) => Found::Usable(current.clone()),
            (_, _, Some(flight)) => Found::Flying(flight.clone()),
            (_, Some(failure), None) => Found::Failed(failure.clone()),
            (_, None, None) => Found::Nothing,
        }
    }

    /// Whether to renew a token that still serves.
    pub(crate) fn ahead(&self, now: Now) -> Ahead<F> {
        match (self.usable().map(|current| current.age(|| now)), &self.flight) {
            (Some(Age::Due), Some(flight)) => Ahead::Flying(flight.clone()),
            (Some(Age::Due), None) if self.waited_out(now).is_none() => Ahead::Start,
            _ => Ahead::Wait,
        }
    }

    /// Whether a failure that somebody has kept still says how things are.
    pub(crate) fn stands(&self, failure: &Failure, now: Now) -> bool {
        failure.is_of(self.epoch) && !failure.is_old(now)
    }

    /// The token that was not rejected, fresh or not.
    pub(crate) fn usable(&self) -> Option<&Arc<Current>> {
        self.held.as_ref().filter(|_| !self.rejected)
    }

    /// The failure after which it is too early for another try.
    fn waited_out(&self, now: Now) -> Option<&Failure> {
        self.failure.as_ref().filter(|failure| !failure.may_retry(now))
    }

    pub(crate) fn flight(&self) -> Option<&F> {
        self.flight.as_ref()
    }

    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// What the next flight starts from.
    pub(crate) fn departure(&self, reason: Reason) -> Departure {
        Departure { previous: self.held.as_ref().map(|current| current.token.clone()), reason, epoch: self.epoch }
    }

    /// Why the next flight is made, in the words of those who watch.
    pub(crate) fn cause(&self, reason: Reason) -> Cause {
        match (reason, &self.held) {
            (Reason::Asked, _) => Cause::Asked,
            (Reason::Ahead, _) => Cause::Ahead,
            (Reason::Needed, None) => Cause::First,
            (Reason::Needed, Some(_)) if !self.rejected => Cause::Expired,
            (Reason::Needed, Some(_)) if self.refusals.is_series() => Cause::Refused,
            (Reason::Needed, Some(_)) => Cause::Invalidated,
        }
    }

    /// A flight has begun. There is none already.
    pub(crate) fn depart(&mut self, flight: F) {
        debug_assert!(self.flight.is_none(), "two flights at once");
        self.flight = Some(flight);
    }

    /// Whether the user has set a token since that departure, or forgotten one.
    pub(crate) fn has_overtaken(&self, departure: &Departure) -> bool {
        departure.epoch != self.epoch
    }

    /// The flight that left with `departure` has ended: what those who waited for it get.
    pub(crate) fn land(
        &mut self,
        departure: &Departure,
        outcome: Result<Token, Error>,
        now: Now,
        dice: &Dice<'_>,
    ) -> Result<Arc<Current>, Failure> {
        if self.has_overtaken(departure) {
            // What was set is newer than what has landed.
            return match self.usable() {
                Some(current) if current.is_usable(|| now) => Ok(current.clone()),
                // It has to be renewed itself.
                Some(_) => Err(Failure::void(Error::new(ErrorKind::Transport, "another token was set meanwhile"), now)),
                // Of no generation: what is said about it has no effect.
                None => {
                    let current = outcome.map(|token| Current::new(token, 0, now, dice.policy, dice.jitter));
                    current.map(Arc::new).map_err(|error| Failure::passing(error).of(self.epoch))
                }
            };
        }
        self.flight = None;
        match outcome {
            Ok(token) => Ok(self.adopt(token, now, dice)),
            Err(error) => Err(self.fail(departure, error, now, dice)),
        }
    }

    fn fail(&mut self, departure: &Departure, error: Error, now: Now, dice: &Dice<'_>) -> Failure {
        if error.spent_refresh_token() {
            self.drop_refresh_token(departure.previous.as_ref());
        }
        if departure.reason == Reason::Ahead && (error.waits_for_the_user() || error.kind() == ErrorKind::Store) {
            // Nobody was asked, and no store was waited for, for the token still serves. When it no longer does, a flight may.
            let wait = freshness::backoff(dice.policy, 1, dice.jitter, None);
            let retry = (!error.waits_for_the_user()).then(|| Deadline::after(now, wait));
            self.hold_out(retry, now);
            return Failure::void(error, now);
        }
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        let wait = freshness::backoff(dice.policy, self.failures_in_a_row, dice.jitter, error.retry_after());
        let failure = Failure::remembered(error, wait, now).of(self.epoch);
        self.hold_out(failure.retry, now);
        self.failure = Some(failure.clone());
        failure
    }

    /// The user brings a token.
    pub(crate) fn set(&mut self, token: Token, now: Now, dice: &Dice<'_>) {
        self.intervene();
        self.adopt(token, now, dice);
    }

    /// A sibling has got a token that all may use. Whether it is another than ours.
    pub(crate) fn hear_of(&mut self, token: Token, now: Now, dice: &Dice<'_>) -> bool {
        let is_another = self.held.as_ref().is_none_or(|held| held.token.access_token() != token.access_token());
        if is_another {
            self.adopt(token, now, dice);
        }
        is_another
    }

    /// The user wants nothing of it kept.
    pub(crate) fn forget(&mut self) {
        self.intervene();
        self.held = None;
        self.succeeded();
    }

    /// The user does not want the access token used again.
    pub(crate) fn invalidate(&mut self) {
        self.rejected = true;
    }

    /// A server has refused the token of `generation` (401): it is not used again, if a new one may be had by now. Whether
    /// that is so by this word.
    pub(crate) fn refuse(&mut self, generation: u64, now: Now, dice: &Dice<'_>) -> bool {
        // One that was forgotten is no more.
        let is_held = self.held.is_some() && generation == self.generation;
        let is_given_up = is_held && !self.rejected && self.refusals.may_renew(now);
        if is_given_up {
            self.rejected = true;
            self.refusals.renewed(now, dice);
        }
        is_given_up
    }

    /// A server has accepted the token of `generation`.
    pub(crate) fn accept(&mut self, generation: u64) {
        if generation == self.generation {
            self.refusals = Refusals::default();
        }
    }

    /// Whether it matters that a server accepts a token.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.refusals.is_series()
    }

    /// Lets go of a flight under way: it ends by itself, and those who wait for it get what it brings.
    fn intervene(&mut self) {
        self.refusals = Refusals::default();
        self.epoch += 1;
        self.flight = None;
    }

    fn adopt(&mut self, token: Token, now: Now, dice: &Dice<'_>) -> Arc<Current> {
        self.generation += 1;
        let current = Arc::new(Current::new(token, self.generation, now, dice.policy, dice.jitter));
        self.rejected = false;
        self.succeeded();
        self.held = Some(current.clone());
        current
    }

    fn succeeded(&mut self) {
        self.failure = None;
        self.failures_in_a_row = 0;
    }

    /// The server does not know the one that was sent any more, so it goes, if it is still there; the access token lives on.
    fn drop_refresh_token(&mut self, sent: Option<&Token>) {
        self.change_held(|current| {
            if current.token.refresh_token() != sent.and_then(Token::refresh_token) {
                return current;
            }
            let token = current.token.clone().without_refresh_token();
            current.with_token(token)
        });
    }

    /// There is no newer token: the one that is there has to do.
    fn hold_out(&mut self, retry: Option<Deadline>, now: Now) {
        self.change_held(|current| current.holding_out(retry, now));
    }

    fn change_held(&mut self, change: impl FnOnce(Current) -> Current) {
        self.held = self.held.take().map(|current| Arc::new(change(Arc::unwrap_or_clone(current))));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::freshness::Policy;
    use super::*;
    use crate::clock;

    type Numbered = State<u32>;

    fn token(text: &str) -> Token {
        Token::bearer(text).unwrap().with_refresh_token("r")
    }

    fn dice(policy: &Policy) -> Dice<'_> {
        Dice { policy, jitter: 0.5 }
    }

    fn landed(state: &mut Numbered, outcome: Result<Token, Error>) -> Result<Arc<Current>, Failure> {
        land(state, &state.departure(Reason::Needed), outcome)
    }

    fn land(
        state: &mut Numbered,
        departure: &Departure,
        outcome: Result<Token, Error>,
    ) -> Result<Arc<Current>, Failure> {
        state.land(departure, outcome, clock::now(), &dice(&Policy::default()))
    }

    fn sees(state: &Numbered) -> String {
        match state.look(clock::now()) {
            Found::Usable(current) => current.token.access_token().to_owned(),
            Found::Flying(flight) => format!("flight {flight}"),
            Found::Failed(failure) => format!("{:?}", failure.error.kind()),
            Found::Nothing => "nothing".into(),
        }
    }

    #[test]
    fn from_empty_to_fresh_to_expired() {
        let mut state = Numbered::counting_from(0);
        assert_eq!(sees(&state), "nothing");
        state.depart(1);
        assert_eq!(sees(&state), "flight 1");
        landed(&mut state, Ok(token("a"))).unwrap();
        assert_eq!(sees(&state), "a");
        state.set(token("b").with_expires_in(Duration::ZERO), clock::now(), &dice(&Policy::default()));
        assert_eq!(sees(&state), "nothing");
        assert_eq!(state.departure(Reason::Needed).previous.unwrap().refresh_token(), Some("r"));
    }

    #[test]
    fn a_failure_is_remembered_and_a_success_forgets_it() {
        let mut state = Numbered::counting_from(0);
        state.depart(1);
        landed(&mut state, Err(Error::new(ErrorKind::Timeout, ""))).unwrap_err();
        assert_eq!(sees(&state), "Timeout");
        state.depart(2);
        assert_eq!(sees(&state), "flight 2");
        landed(&mut state, Ok(token("a"))).unwrap();
        state.invalidate();
        assert_eq!(sees(&state), "nothing");
    }

    #[test]
    fn what_is_said_of_an_older_token_has_no_effect() {
        let mut state = Numbered::counting_from(0);
        landed(&mut state, Ok(token("a"))).unwrap();
        let old = state.generation;
        landed(&mut state, Ok(token("b"))).unwrap();
        state.refuse(old, clock::now(), &dice(&Policy::default()));
        assert_eq!(sees(&state), "b");
    }

    #[test]
    fn a_flight_changes_nothing_after_an_intervention() {
        let mut state = Numbered::counting_from(0);
        let departure = state.departure(Reason::Needed);
        state.depart(1);
        state.set(token("set"), clock::now(), &dice(&Policy::default()));
        let got = land(&mut state, &departure, Ok(token("late"))).unwrap();
        assert_eq!(got.token.access_token(), "set");
        assert_eq!(sees(&state), "set");

        let departure = state.departure(Reason::Needed);
        state.depart(2);
        state.forget();
        state.depart(3);
        land(&mut state, &departure, Ok(token("late"))).unwrap();
        assert_eq!(sees(&state), "flight 3");
    }

    #[test]
    fn a_spent_refresh_token_is_dropped_and_the_access_token_is_not() {
        let mut state = Numbered::counting_from(0);
        landed(&mut state, Ok(token("a"))).unwrap();
        landed(&mut state, Err(Error::new(ErrorKind::Overloaded, "").with_spent_refresh_token())).unwrap_err();
        assert_eq!(sees(&state), "a");
        assert_eq!(state.departure(Reason::Needed).previous.unwrap().refresh_token(), None);
    }
}
