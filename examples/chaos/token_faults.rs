//! The faults of a token request: in the request's transmission, at the server, or in the response's.

use std::time::{Duration, SystemTime};

use fastrand::Rng;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    ResetUnread,
    ResetUnprocessed,
    Stall,
    Respond(&'static str, &'static str),
    RetryInSeconds,
    RetryAtDate,
    // The following happen after the refresh token was rotated: the client does not receive the next one.
    Truncated,
    CutBody,
    ResetProcessed,
}

const HTML: &str = "<html><h1>Service unavailable</h1></html>";
const FALSE_INVALID_GRANT: &str = r#"{"error": "invalid_grant"}"#;

/// Each fault with the number of its occurrences in a thousand token requests.
const FAULTS: [(u16, Fault, &str); 11] = [
    (35, Fault::ResetUnread, "reset, unread"),
    (35, Fault::ResetUnprocessed, "reset, read but not processed"),
    (15, Fault::Stall, "stalled beyond the timeout"),
    (10, Fault::RetryInSeconds, "429 with Retry-After in seconds"),
    (10, Fault::RetryAtDate, "429 with Retry-After as a date"),
    (25, Fault::Respond("500 Internal Server Error", HTML), "500 with HTML"),
    (25, Fault::Respond("503 Service Unavailable", HTML), "503 with HTML"),
    (30, Fault::Respond("503 Service Unavailable", FALSE_INVALID_GRANT), "503 with the error invalid_grant"),
    (25, Fault::Truncated, "rotated, then truncated JSON"),
    (25, Fault::CutBody, "rotated, then a truncated response"),
    (25, Fault::ResetProcessed, "rotated, then reset"),
];

impl Fault {
    /// Draws a fault and its name, or none.
    pub(crate) fn draw(rng: &mut Rng) -> Option<(Self, &'static str)> {
        let drawn = rng.u16(0..1_000);
        let mut bound = 0;
        FAULTS.into_iter().find_map(|(of_a_thousand, fault, name)| {
            bound += of_a_thousand;
            (drawn < bound).then_some((fault, name))
        })
    }

    /// Whether the server processes the request and only the response is lost.
    pub(crate) fn loses_response(self) -> bool {
        matches!(self, Self::Truncated | Self::CutBody | Self::ResetProcessed)
    }

    /// The status line with the headers, and the body, as a proxy in front of the server would send them.
    pub(crate) fn response(self) -> (String, String) {
        match self {
            Self::Respond(status, body) => (status.into(), body.into()),
            Self::RetryInSeconds => ("429 Too Many Requests\r\nretry-after: 1".into(), HTML.into()),
            Self::RetryAtDate => {
                // A date has whole seconds, so this one is one to two seconds away.
                let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2));
                (format!("429 Too Many Requests\r\nretry-after: {date}"), HTML.into())
            }
            _ => Default::default(),
        }
    }
}
