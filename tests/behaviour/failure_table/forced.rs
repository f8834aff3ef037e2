//! `Tokens::refresh` may start a login, with or without `relogin`, unless the server has an outage.

use std::time::Duration;

use super::Class::Fails;
use super::harness::{Case, Observed, cases, refresh};

#[tokio::test(start_paused = true)]
async fn a_forced_refresh_starts_a_login() {
    for case in cases().filter(|(grant_kind, ..)| grant_kind.is_interactive()) {
        let case = Case::new(case, Duration::ZERO).await;
        let (name, result) = (case.name(), case.refresh().await);
        if let Fails(kind) = case.class {
            assert_eq!((result.unwrap_err().kind(), case.observed()), (kind, vec![refresh()]), "{name}");
        } else {
            assert_eq!(case.observed(), [refresh(), Observed::Login], "{name}");
        }
    }
}
