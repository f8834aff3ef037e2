//! The token has expired: a request waits for the refresh, which fails.

use std::time::Duration;

use tower_oauth2::{ErrorKind, Token};

use super::Class::{Dead, Fails, NotOAuth, Rejected};
use super::harness::{Case, Observed, cases, refresh};
use super::{GrantKind, LATER};
use crate::support::pass;

/// Returns what follows the refresh at once, or the kind of the error if nothing does.
fn next_step(case: &Case) -> Result<Observed, ErrorKind> {
    match case.class {
        Fails(kind) => Err(kind),
        _ if case.grant_kind.is_repeatable() => Ok(Observed::Grant),
        NotOAuth => Err(ErrorKind::NotOAuth),
        Dead | Rejected if case.grant_kind.may_log_in() => Ok(Observed::Login),
        Dead | Rejected => Err(ErrorKind::LoginRequired),
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_is_followed_by_the_grant_or_by_the_back_off() {
    for case in cases() {
        let case = Case::new(case, Duration::ZERO).await;
        let name = case.name();
        let result = case.get().await;
        match next_step(&case) {
            Ok(next) => {
                assert_eq!(case.observed(), [refresh(), next.clone()], "{name}");
                let expected = if next == Observed::Login { "login" } else { "granted" };
                // A login in the browser is not completed here.
                if !is_browser(case.grant_kind) {
                    assert_eq!(result.as_ref().map(Token::access_token).ok(), Some(expected), "{name}");
                }
            }
            Err(kind) => {
                let error = result.unwrap_err();
                assert_eq!((error.kind(), case.observed()), (kind, vec![refresh()]), "{name}");
                assert_eq!(error.status(), case.row().status(), "{name}");
                // The error is cached.
                assert_eq!(case.get().await.unwrap_err().kind(), kind, "{name}");
                assert_eq!(case.observed(), [], "{name}");
                assert_eq!(case.refresh_token().await.is_none(), case.class == Dead, "{name}");
                repeats(&case, kind).await;
            }
        }
    }
}

/// Checks the attempts after the back-off, until the server accepts the refresh token again.
async fn repeats(case: &Case, kind: ErrorKind) {
    let name = case.name();
    for _ in 0..3 {
        pass(LATER).await;
        let error = case.get().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{name}");
        if case.class == Dead {
            assert_eq!(case.observed(), [], "{name}: the dead refresh token is not sent again");
        } else {
            assert!(error.retry_at().is_some(), "{name}");
            assert_eq!(case.observed(), [refresh()], "{name}");
        }
    }
    case.recover();
    pass(LATER).await;
    let result = case.get().await;
    if case.class == Dead {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::LoginRequired, "{name}: a login is required");
        assert_eq!(case.observed(), [], "{name}");
    } else {
        assert_eq!(result.unwrap().access_token(), "refreshed", "{name}");
        assert_eq!(case.observed(), [refresh()], "{name}");
        assert_eq!(case.refresh_token().await.as_deref(), Some("r1"), "{name}");
    }
}

/// The refresh token is kept until the grant returns a new token, unless it is dead.
#[tokio::test(start_paused = true)]
async fn the_refresh_token_is_sent_again_if_the_grant_fails() {
    for case in cases().filter(|(grant_kind, ..)| grant_kind.is_repeatable()) {
        let case = Case::new(case, Duration::ZERO).await;
        let name = case.name();
        if matches!(case.class, Fails(_)) {
            continue;
        }
        case.grant_fails(super::rows::OUTAGE);
        for round in 0..3 {
            let error = case.get().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Overloaded, "{name}");
            let expected =
                if round > 0 && case.class == Dead { vec![Observed::Grant] } else { vec![refresh(), Observed::Grant] };
            assert_eq!(case.observed(), expected, "{name}");
            pass(LATER).await;
        }
        case.recover();
        match case.class {
            Dead => assert_eq!(case.get().await.unwrap_err().kind(), ErrorKind::Overloaded, "{name}"),
            _ => assert_eq!(case.get().await.unwrap().access_token(), "refreshed", "{name}"),
        }
    }
}

fn is_browser(grant_kind: GrantKind) -> bool {
    grant_kind.is_interactive() && !matches!(grant_kind, GrantKind::DeviceCode { .. })
}
