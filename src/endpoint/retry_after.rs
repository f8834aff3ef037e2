//! Parses `Retry-After` (RFC 9110 §10.2.3): seconds or a date.

use std::time::{Duration, SystemTime};

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName};

use super::delta_seconds;
use crate::clock::Now;

/// The maximum delay, because a mistake of the server must not stop the client for days.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// Returns the delay that the server requests, at most an hour, or `None` without a valid header.
///
/// A date is compared with the `Date` of the same response, because both are from the server's clock, or with `now` if there is no
/// valid `Date`. A date in the past is a delay of zero.
pub(super) fn parse(headers: &HeaderMap, now: Now) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match delta_seconds::parse(text) {
        Some(wait) => wait,
        None => {
            let sent = date(headers, &DATE).unwrap_or(now.wall());
            date(headers, &RETRY_AFTER)?.duration_since(sent).unwrap_or_default()
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn seconds_and_dates_are_parsed() {
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
            let read = parse(&headers, now).map(|wait| wait.as_secs());
            match wait {
                None => assert_eq!(read, None, "{text:?}"),
                Some(range) => assert!(read.is_some_and(|read| range.contains(&read)), "{text:?}: {read:?}"),
            }
        }
    }

    #[test]
    fn a_date_is_compared_with_the_servers_clock() {
        const NOON: &str = "Sun, 06 Nov 1994 12:00:00 GMT";
        let now = clock::now();
        let at = |hours: i64, seconds: u64| {
            let wall = now.wall() + Duration::from_secs(seconds);
            let shift = Duration::from_secs(hours.unsigned_abs() * 3600);
            httpdate::fmt_http_date(if hours < 0 { wall - shift } else { wall + shift })
        };
        for (retry_after, date, wait) in [
            // The server's clock is an hour ahead, an hour behind, or years behind.
            (at(1, 60), at(1, 0), 60..=60),
            (at(-1, 60), at(-1, 0), 60..=60),
            ("Sun, 06 Nov 1994 12:00:30 GMT".to_owned(), NOON.to_owned(), 30..=30),
            ("Sunday, 06-Nov-94 12:00:30 GMT".to_owned(), NOON.to_owned(), 30..=30),
            // The date is in the past, or is now.
            ("Sun, 06 Nov 1994 11:59:59 GMT".to_owned(), NOON.to_owned(), 0..=0),
            (NOON.to_owned(), NOON.to_owned(), 0..=0),
            ("Sun, 06 Nov 1994 18:00:00 GMT".to_owned(), NOON.to_owned(), 3600..=3600),
            // An invalid `Date` counts as none.
            (at(0, 60), "today".to_owned(), 59..=60),
            (at(0, 60), String::new(), 59..=60),
            (NOON.to_owned(), "12:00".to_owned(), 0..=0),
            // `Date` does not matter for seconds.
            ("7".to_owned(), at(-5, 0), 7..=7),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
            headers.insert(DATE, date.parse().unwrap());
            let read = parse(&headers, now).unwrap().as_secs();
            assert!(wait.contains(&read), "{retry_after:?} with {date:?}: {read}");
        }
    }
}
