//! A person has to act: requests start no further attempt.

use tower_oauth2::ErrorKind;

use super::harness::{Case, Observed};
use super::rows::{DENIED, LOGIN_EXPIRED, OUTAGE, Row};
use super::{ALL_GRANTS, GrantKind, LATER};
use crate::support::pass;

const EACH_STORE: [bool; 2] = [false, true];

/// There is no refresh token. Requests start a login only with `relogin`.
#[tokio::test(start_paused = true)]
async fn a_login_is_required_until_the_user_acts() {
    for (grant_kind, is_stored) in
        ALL_GRANTS.iter().flat_map(|grant_kind| EACH_STORE.map(|is_stored| (*grant_kind, is_stored)))
    {
        let case = Case::without_refresh_token((grant_kind, false, is_stored, OUTAGE)).await;
        if grant_kind.is_repeatable() {
            assert_eq!(case.get().await.unwrap().access_token(), "granted", "{}", case.name());
            continue;
        }
        if grant_kind.may_log_in() {
            let _ = case.get().await;
            assert_eq!(case.observed(), [Observed::Login], "{}", case.name());
            continue;
        }
        for _ in 0..3 {
            assert_eq!(case.get().await.unwrap_err().kind(), ErrorKind::LoginRequired, "{}", case.name());
            assert_eq!(case.observed(), [], "{}", case.name());
            pass(LATER).await;
        }
        let _ = case.refresh().await;
        assert_eq!(
            case.observed(),
            if grant_kind.is_interactive() { vec![Observed::Login] } else { vec![] },
            "{}",
            case.name()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn requests_start_no_login_after_a_denied_or_expired_one() {
    let ends: [(Row, ErrorKind); 2] = [(DENIED, ErrorKind::Denied), (LOGIN_EXPIRED, ErrorKind::LoginExpired)];
    for (relogin, is_stored) in [false, true].into_iter().flat_map(|relogin| EACH_STORE.map(|store| (relogin, store))) {
        for (row, kind) in ends {
            let case = Case::first((GrantKind::DeviceCode { relogin }, false, is_stored, row)).await;
            case.login_ends_with(row);
            let name = case.name();
            for round in 0..3 {
                let error = case.get().await.unwrap_err();
                assert_eq!((error.kind(), error.retry_at()), (kind, None), "{name}");
                assert_eq!(case.observed(), if round == 0 { vec![Observed::Login] } else { vec![] }, "{name}");
                pass(LATER).await;
            }
            case.recover_all();
            assert_eq!(case.refresh().await.unwrap().access_token(), "login", "{name}");
            assert_eq!(case.observed(), [Observed::Login], "{name}");
        }
    }
}
