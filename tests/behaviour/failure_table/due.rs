//! The token is due. It stays in use until it expires, regardless of the response to the refresh.

use std::time::Duration;

use super::Class::{Dead, Fails, NotOAuth, Rejected};
use super::harness::{Case, Observed, cases, refresh};
use crate::support::pass;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn the_token_is_sent_until_it_expires_and_no_login_starts() {
    for case in cases() {
        let case = Case::new(case, HOUR).await;
        let name = case.name();
        assert_eq!(case.get().await.unwrap().access_token(), "a", "{name}");
        assert_eq!(case.observed(), [], "{name}");
        // The token is due, whatever its jitter.
        pass(HOUR - Duration::from_secs(230)).await;
        let mut observed = Vec::new();
        for _ in 0..229 {
            let token = case.get().await.unwrap();
            observed.extend(case.observed());
            if observed.contains(&Observed::Grant) {
                break;
            }
            assert_eq!(token.access_token(), "a", "{name}");
            pass(Duration::from_secs(1)).await;
        }
        let expected = match case.class {
            Dead | Rejected | NotOAuth if case.grant_kind.is_repeatable() => vec![refresh(), Observed::Grant],
            // No other attempt is possible until the token expires.
            Dead => vec![refresh()],
            Fails(_) | Rejected | NotOAuth => vec![refresh(); observed.len()],
        };
        assert_eq!(observed, expected, "{name}");
        if case.class != Dead && !case.grant_kind.is_repeatable() {
            assert!((3..=9).contains(&observed.len()), "{name}: {} attempts", observed.len());
        }
        if observed.contains(&Observed::Grant) {
            pass(Duration::from_millis(1)).await;
            assert_eq!(case.get().await.unwrap().access_token(), "granted", "{name}");
        }
    }
}

/// An error during the lifetime of the token does not delay the login after its expiry.
#[tokio::test(start_paused = true)]
async fn the_login_starts_with_the_first_request_after_the_expiry() {
    for case in cases().filter(|(grant_kind, ..)| grant_kind.may_log_in()) {
        let case = Case::new(case, HOUR).await;
        if !matches!(case.class, Dead | Rejected) {
            continue;
        }
        case.get().await.unwrap();
        pass(HOUR - Duration::from_secs(200)).await;
        for _ in 0..199 {
            assert_eq!(case.get().await.unwrap().access_token(), "a", "{}", case.name());
            pass(Duration::from_secs(1)).await;
        }
        pass(Duration::from_secs(1)).await;
        case.observed();
        let _ = case.get().await;
        assert_eq!(case.observed().last(), Some(&Observed::Login), "{}", case.name());
    }
}
