//! `Retry-After` (RFC 9110 §10.2.3): seconds, or a date.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;

use crate::clock::Now;

/// No server keeps us away for longer.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// How long to stay away, at most an hour; `None` when nothing readable was said.
pub(super) fn read(headers: &HeaderMap, now: Now) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let wait = if is_number {
        // More digits than a number holds are a very long time.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        httpdate::parse_http_date(text).ok()?.duration_since(now.wall()).unwrap_or_default()
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn seconds_and_dates() {
        let now = clock::now();
        let in_a_minute = httpdate::fmt_http_date(now.wall() + Duration::from_secs(60));
        for (text, wait) in [
            ("0", Some(0..=0)),
            ("120", Some(120..=120)),
            (" 7 ", Some(7..=7)),
            ("999999999999999999999999", Some(3600..=3600)),
            (in_a_minute.as_str(), Some(59..=60)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0..=0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(3600..=3600)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            let read = read(&headers, now).map(|wait| wait.as_secs());
            match wait {
                None => assert_eq!(read, None, "{text:?}"),
                Some(range) => assert!(read.is_some_and(|read| range.contains(&read)), "{text:?}: {read:?}"),
            }
        }
    }
}
