//! There is no token yet, and the first request of the grant fails before a person is involved.

use tower_oauth2::ErrorKind;

use super::harness::{Case, Observed, cases};
use super::{GrantKind, LATER};
use crate::support::pass;

#[tokio::test(start_paused = true)]
async fn the_next_attempt_follows_the_back_off() {
    let sends_request =
        |grant_kind: &GrantKind| grant_kind.is_repeatable() || matches!(grant_kind, GrantKind::DeviceCode { .. });
    for combination in cases().filter(|(grant_kind, ..)| sends_request(grant_kind)) {
        let (case, kind) = (Case::first(combination).await, combination.3.kind(combination.1));
        let name = case.name();
        for _ in 0..3 {
            let error = case.get().await.unwrap_err();
            assert_eq!((error.kind(), error.status()), (kind, combination.3.status()), "{name}");
            assert!(error.retry_at().is_some(), "{name}: no failure is terminal before a login");
            assert_eq!(case.get().await.unwrap_err().kind(), kind, "{name}");
            assert_eq!(case.observed(), [Observed::Grant], "{name}");
            pass(LATER).await;
        }
        case.recover_all();
        let token = case.get().await.unwrap();
        assert_eq!(token.access_token(), if combination.0.is_interactive() { "login" } else { "granted" }, "{name}");
    }
}

/// A refresh token from another source, which no response has confirmed yet.
#[tokio::test(start_paused = true)]
async fn a_bare_refresh_token_is_kept_unless_it_is_dead() {
    for combination in
        cases().filter(|(grant_kind, _, is_stored, _)| *grant_kind == GrantKind::RefreshToken && *is_stored)
    {
        let case = Case::first(combination).await;
        let name = case.name();
        let kind = match case.class {
            super::Class::Fails(kind) => kind,
            super::Class::NotOAuth => ErrorKind::NotOAuth,
            super::Class::Dead | super::Class::Rejected => ErrorKind::LoginRequired,
        };
        for round in 0..3 {
            assert_eq!(case.get().await.unwrap_err().kind(), kind, "{name}");
            let sent = if round > 0 && case.class == super::Class::Dead {
                vec![]
            } else {
                vec![Observed::Refresh("r0".into())]
            };
            assert_eq!(case.observed(), sent, "{name}");
            pass(LATER).await;
        }
        case.recover_all();
        assert_eq!(case.get().await.is_err(), case.class == super::Class::Dead, "{name}");
    }
}
