//! Decides what a refresh does after the entry was loaded, and which logins end if the server rejects the refresh token.

use super::fallback_token::Fallback;
use super::refresh_input::RefreshInput;
use crate::store::Entry;
use crate::token::Token;

/// What a refresh does if no other process has saved a newer token.
#[derive(Debug, PartialEq)]
pub(super) enum RefreshPlan {
    /// Use the initial token, which has not expired.
    UseInitial(Token),
    /// Send a token request that replaces this token.
    SendRequest(Option<Token>),
}

/// Decides between the initial token and a token request. `stored` is the stored entry, unless it was forgotten.
pub(super) fn plan_refresh(
    input: &RefreshInput,
    stored: Option<Entry>,
    has_logged_out: bool,
    fallback: Option<&Fallback<'_>>,
) -> RefreshPlan {
    match fallback {
        Some(fallback) if fallback.is_valid() && !input.is_forced() => RefreshPlan::UseInitial(fallback.token.clone()),
        Some(fallback) => RefreshPlan::SendRequest(Some(fallback.token.clone())),
        // The refresh token of a login that has ended is not used.
        None if has_logged_out => RefreshPlan::SendRequest(input.previous.clone().map(Token::without_refresh_token)),
        None => RefreshPlan::SendRequest(input.select(stored)),
    }
}

/// Which logins a rejected refresh token belongs to. The cell, the store and the token request can have three different ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RejectedLogin {
    /// Whether it is the stored login, which is over then.
    pub(super) is_stored: bool,
    /// Whether the cell has another refresh token, which the server has not rejected.
    pub(super) cell_has_other: bool,
}

/// Compares the refresh token that was sent, and that the server has rejected, with those of the store and of the cell.
pub(super) fn rejected_login(sent: Option<&Token>, stored: Option<&Token>, of_cell: Option<&Token>) -> RejectedLogin {
    let rejected = sent.and_then(Token::refresh_token);
    RejectedLogin {
        is_stored: sent.is_some() && rejected == stored.and_then(Token::refresh_token),
        cell_has_other: of_cell.is_some_and(|of_cell| of_cell.refresh_token() != rejected),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use bytes::Bytes;

    use super::super::fallback_token::FallbackToken;
    use super::*;
    use crate::error::{Error, ErrorKind};
    use crate::grant::{Context, Grant, Intervention, Reason};
    use crate::token::StoredAs;
    use crate::transport::Transport;

    /// A token whose refresh token is `refresh_token`, and whose access token is `access_token`.
    fn token(access_token: &str, refresh_token: &str) -> Token {
        Token::bearer(access_token).unwrap().with_refresh_token(refresh_token)
    }

    fn bare(access_token: &str) -> Token {
        Token::bearer(access_token).unwrap()
    }

    fn expired(token: Token) -> Token {
        token.with_expires_in(Duration::ZERO)
    }

    fn stored_as(version: u64) -> StoredAs {
        StoredAs { version, login: 1, logouts_before: 0 }
    }

    /// The state of a cell that has the token `previous`, of version 3.
    fn input(reason: Reason, previous: Option<Token>) -> RefreshInput {
        let previous = previous.map(|token| token.with_stored_as(stored_as(3)));
        RefreshInput::new(&context(reason, previous), None)
    }

    fn context(reason: Reason, previous: Option<Token>) -> Context {
        let http =
            tower::service_fn(async |_: http::Request<Bytes>| Ok::<_, Infallible>(http::Response::new(String::new())));
        Context::new(Transport::new(http)).with_previous(previous).with_reason(reason)
    }

    /// A grant with an initial token.
    struct WithInitial(Token);

    impl Grant for WithInitial {
        async fn obtain(&self, _cx: Context) -> Result<Token, Error> {
            Err(Error::new(ErrorKind::Configuration, ""))
        }

        fn initial_token(&self) -> Option<Token> {
            Some(self.0.clone())
        }
    }

    #[test]
    fn the_newest_refresh_token_is_sent() {
        let entry = |version| Some(Entry::new(token("stored", "r2"), version));
        let ours = || token("ours", "r1");
        for (input, stored, sent) in [
            (input(Reason::Missing, None), None, None),
            (input(Reason::Missing, None), entry(3), Some("r2")),
            (input(Reason::Missing, None), Some(Entry::new(bare("stored"), 3)), None),
            (input(Reason::Missing, Some(ours())), None, Some("r1")),
            (input(Reason::Missing, Some(ours())), entry(2), Some("r1")),
            (input(Reason::Missing, Some(ours())), entry(3), Some("r1")),
            (input(Reason::Missing, Some(ours())), entry(4), Some("r2")),
            (input(Reason::Forced, Some(ours())), entry(4), Some("r2")),
        ] {
            let case = format!("{:?} {stored:?}", input.previous);
            let RefreshPlan::SendRequest(previous) = plan_refresh(&input, stored, false, None) else {
                panic!("{case}")
            };
            assert_eq!(previous.as_ref().and_then(Token::refresh_token), sent, "{case}");
        }
    }

    #[test]
    fn a_stored_token_does_not_replace_one_that_the_application_has_set() {
        let set = token("set", "r1");
        let cx = context(Reason::Missing, Some(set.clone())).with_intervention(Some(Intervention::Set));
        let entry = Entry::new(token("stored", "r2"), 9);
        let plan = plan_refresh(&RefreshInput::new(&cx, Some(stored_as(3))), Some(entry), false, None);
        assert_eq!(plan, RefreshPlan::SendRequest(Some(set)));
    }

    #[test]
    fn the_refresh_token_of_a_login_that_has_ended_is_not_sent() {
        for previous in [None, Some(token("ours", "r1"))] {
            let input = input(Reason::Missing, previous.clone());
            let RefreshPlan::SendRequest(sent) = plan_refresh(&input, None, true, None) else { panic!("{previous:?}") };
            assert_eq!(sent.is_some(), previous.is_some());
            assert_eq!(sent.as_ref().and_then(Token::refresh_token), None);
        }
    }

    #[test]
    fn the_initial_token_is_used_or_refreshed() {
        let (valid, expired) = (token("initial", "r0"), expired(token("initial", "r0")));
        for (reason, initial, is_used) in [
            (Reason::Missing, &valid, true),
            (Reason::Forced, &valid, false),
            (Reason::Missing, &expired, false),
            (Reason::Forced, &expired, false),
        ] {
            let (fallback, grant) = (FallbackToken::default(), WithInitial(initial.clone()));
            let fallback = fallback.instead_of(None, &grant).unwrap();
            let plan = plan_refresh(&input(reason, None), None, false, Some(&fallback));
            let expected = match is_used {
                true => RefreshPlan::UseInitial(initial.clone()),
                false => RefreshPlan::SendRequest(Some(initial.clone())),
            };
            assert_eq!(plan, expected, "{reason:?} {initial:?}");
        }
    }

    #[test]
    fn a_first_token_whose_refresh_token_was_rejected_is_not_used_again() {
        let fallback = FallbackToken::default();
        fallback.set_rejected(Some(token("first", "r0")));
        let grant = WithInitial(expired(bare("none")));
        let fallback = fallback.instead_of(None, &grant).unwrap();
        let plan = plan_refresh(&input(Reason::Missing, None), None, false, Some(&fallback));
        assert_eq!(plan, RefreshPlan::SendRequest(Some(bare("first"))));
    }

    #[test]
    fn a_rejected_refresh_token_ends_the_logins_that_have_it() {
        let of = |refresh_token: &str| Some(token("a", refresh_token));
        let without = Some(bare("a"));
        for (sent, stored, of_cell, is_stored, cell_has_other) in [
            (of("r1"), of("r1"), of("r1"), true, false),
            (of("r2"), of("r2"), of("r1"), true, true),
            (of("r1"), of("r2"), of("r1"), false, false),
            (of("r3"), of("r2"), of("r1"), false, true),
            (of("r1"), None, None, false, false),
            (of("r1"), of("r1"), None, true, false),
            (of("r1"), without.clone(), without.clone(), false, true),
            (without.clone(), None, without.clone(), true, false),
            (without.clone(), of("r2"), of("r1"), false, true),
            (None, None, None, false, false),
            (None, of("r2"), None, false, false),
        ] {
            let found = rejected_login(sent.as_ref(), stored.as_ref(), of_cell.as_ref());
            assert_eq!(found, RejectedLogin { is_stored, cell_has_other }, "{sent:?} {stored:?} {of_cell:?}");
        }
    }
}
