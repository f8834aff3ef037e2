//! Transitions, without a runtime.

use std::time::Duration;

use super::*;
use crate::cell::cached::Outcome;
use crate::cell::decisions::Lookup;
use crate::cell::timing::Timing;
use crate::clock;

type Numbered = TokenState<u32>;

fn token(text: &str) -> Token {
    Token::bearer(text).unwrap().with_refresh_token("r")
}

fn with_inputs<R>(run: impl FnOnce(&Inputs<'_>) -> R) -> R {
    let (timing, scheme) = (Timing::default(), Arc::from("Bearer"));
    run(&Inputs { timing: &timing, scheme: &scheme, header_values: 1, jitter: 0.5 })
}

/// Returns `None` if the result has no effect.
fn complete(state: &mut Numbered, attempt: &Attempt, result: Result<Token, Error>) -> Option<Outcome> {
    match with_inputs(|inputs| state.complete(attempt, true, result, clock::now(), inputs)) {
        Completion::Applied(outcome) => Some(outcome),
        Completion::Ignored(_) => None,
    }
}

fn refresh(state: &mut Numbered, result: Result<Token, Error>) -> Outcome {
    complete(state, &state.new_attempt(Reason::Missing), result).unwrap()
}

fn set(state: &mut Numbered, token: Token) {
    with_inputs(|inputs| state.set(token, clock::now(), inputs));
}

fn reject(state: &mut Numbered, generation: u64) -> RejectionOutcome {
    with_inputs(|inputs| state.reject(generation, true, clock::now(), inputs))
}

fn lookup(state: &Numbered) -> String {
    match state.lookup(clock::now()) {
        Lookup::Valid(token) => token.token.access_token().to_owned(),
        Lookup::Refreshing(task) => format!("task {task}"),
        Lookup::Failed(error) => format!("{:?}", error.error.kind()),
        Lookup::Missing => "missing".into(),
    }
}

fn failure() -> Error {
    Error::new(ErrorKind::Overloaded, "")
}

#[test]
fn from_empty_to_fresh_to_expired() {
    let mut state = Numbered::new(0);
    assert_eq!(lookup(&state), "missing");
    state.start(1);
    assert_eq!(lookup(&state), "task 1");
    refresh(&mut state, Ok(token("a"))).unwrap();
    assert_eq!(lookup(&state), "a");
    set(&mut state, token("b").with_expires_in(Duration::ZERO));
    assert_eq!(lookup(&state), "missing");
    assert_eq!(state.new_attempt(Reason::Missing).previous.unwrap().refresh_token(), Some("r"));
}

#[test]
fn an_error_is_cached_until_a_success() {
    let mut state = Numbered::new(0);
    state.start(1);
    refresh(&mut state, Err(failure())).unwrap_err();
    assert_eq!(lookup(&state), "Overloaded");
    state.start(2);
    assert_eq!(lookup(&state), "task 2");
    refresh(&mut state, Ok(token("a"))).unwrap();
    state.invalidate();
    assert_eq!(lookup(&state), "missing");
}

#[test]
fn a_rejection_of_an_older_token_has_no_effect() {
    let mut state = Numbered::new(0);
    refresh(&mut state, Ok(token("a"))).unwrap();
    let old = state.generation;
    refresh(&mut state, Ok(token("b"))).unwrap();
    assert_eq!(reject(&mut state, old), RejectionOutcome::NotCurrent);
    assert_eq!(lookup(&state), "b");
}

#[test]
fn a_refresh_has_no_effect_after_an_intervention() {
    let mut state = Numbered::new(0);
    let attempt = state.new_attempt(Reason::Missing);
    state.start(1);
    set(&mut state, token("set"));
    assert!(complete(&mut state, &attempt, Ok(token("late"))).is_none());
    assert_eq!(lookup(&state), "set");

    let attempt = state.new_attempt(Reason::Missing);
    state.start(2);
    state.forget();
    assert_eq!(lookup(&state), "missing");
    state.start(3);
    assert!(complete(&mut state, &attempt, Err(failure())).is_none());
    assert_eq!(lookup(&state), "task 3");
}

#[test]
fn the_result_of_a_cancelled_task_is_used_only_if_no_newer_token_arrived() {
    let (mut state, now) = (Numbered::new(0), clock::now());
    let attempt = state.new_attempt(Reason::Missing);
    state.start(1);
    with_inputs(|inputs| state.cancel(&attempt, failure(), now, inputs));
    assert_eq!(lookup(&state), "Overloaded");
    let late = |state: &mut Numbered, result| {
        let completion = with_inputs(|inputs| state.complete(&attempt, false, result, now, inputs));
        matches!(completion, Completion::Applied(_))
    };
    assert!(!late(&mut state, Err(failure())));
    assert!(late(&mut state, Ok(token("late"))));
    assert_eq!(lookup(&state), "late");
    assert!(!late(&mut state, Ok(token("later"))));
    assert_eq!(lookup(&state), "late");
}

#[test]
fn a_rejected_refresh_token_is_dropped_but_the_access_token_is_kept() {
    let mut state = Numbered::new(0);
    refresh(&mut state, Ok(token("a"))).unwrap();
    refresh(&mut state, Err(failure().with_spent_refresh_token())).unwrap_err();
    assert_eq!(lookup(&state), "a");
    assert_eq!(state.new_attempt(Reason::Missing).previous.unwrap().refresh_token(), None);
}

#[test]
fn a_rejected_token_stays_in_use_only_if_it_was_accepted_before() {
    for (accepted, expected) in [(true, "a"), (false, "task 1")] {
        let mut state = Numbered::new(0);
        set(&mut state, token("a"));
        if accepted {
            state.accept(state.generation);
        }
        let generation = state.generation;
        assert_eq!(reject(&mut state, generation), RejectionOutcome::StartRefresh);
        state.start(1);
        assert_eq!(lookup(&state), expected);
        assert!(!state.is_accepted(state.newest().unwrap()));
        // If there is no newer token, it is sent again.
        refresh(&mut state, Err(failure())).unwrap_err();
        assert_eq!(lookup(&state), "a");
    }
}

#[test]
fn repeated_rejections_wait_for_the_back_off_even_if_responses_accept_the_token() {
    let mut state = Numbered::new(0);
    set(&mut state, token("a"));
    let mut refreshes = 0;
    for _ in 0..10 {
        let generation = state.generation;
        state.accept(generation);
        if reject(&mut state, generation) == RejectionOutcome::StartRefresh {
            refreshes += 1;
            state.start(refreshes);
            refresh(&mut state, Ok(token("next"))).unwrap();
        }
    }
    assert_eq!(refreshes, 1);
}

#[test]
fn changed_options_apply_to_the_newest_token() {
    let mut state = Numbered::new(0);
    set(&mut state, Token::bearer("a").unwrap());
    let timing = Timing { default_lifetime: Some(Duration::from_secs(60)), ..Timing::default() };
    let scheme = Arc::from("Other");
    state.reconfigure(&Inputs { timing: &timing, scheme: &scheme, header_values: 1, jitter: 0.5 });
    let newest = state.newest().unwrap();
    assert_eq!(newest.header(), "Other a");
    assert!(newest.token.expires_at().is_some());
}
