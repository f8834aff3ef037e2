//! Parses a number of seconds in a header (RFC 9110 §10.2.3, RFC 9111 §1.2.2).

use std::time::Duration;

/// Parses a text of digits only. A number that overflows is a very long time.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}
