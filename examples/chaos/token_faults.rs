//! What goes wrong with a token call: at the server, on the way to it, or on the way back.

use std::time::{Duration, SystemTime};

use fastrand::Rng;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    ResetUnread,
    ResetUnprocessed,
    Stall,
    Answer(&'static str, &'static str),
    RetryInSeconds,
    RetryAtDate,
    // What follows happens after the refresh token was rotated: the client does not learn of the next one.
    Truncated,
    Half,
    ResetProcessed,
}

const HTML: &str = "<html><h1>Something is out of order</h1></html>";
const LIE: &str = r#"{"error": "invalid_grant"}"#;

/// Of a thousand token calls, how many meet it.
const FAULTS: [(u16, Fault, &str); 11] = [
    (35, Fault::ResetUnread, "reset, unread"),
    (35, Fault::ResetUnprocessed, "reset, read but not processed"),
    (15, Fault::Stall, "stalled beyond the deadline"),
    (10, Fault::RetryInSeconds, "429 with Retry-After in seconds"),
    (10, Fault::RetryAtDate, "429 with Retry-After as a date"),
    (25, Fault::Answer("500 Internal Server Error", HTML), "500 with HTML"),
    (25, Fault::Answer("503 Service Unavailable", HTML), "503 with HTML"),
    (30, Fault::Answer("503 Service Unavailable", LIE), "503 that says invalid_grant"),
    (25, Fault::Truncated, "rotated, then truncated JSON"),
    (25, Fault::Half, "rotated, then half an answer"),
    (25, Fault::ResetProcessed, "rotated, then reset"),
];

impl Fault {
    /// One of them, with its name, or none.
    pub(crate) fn draw(dice: &mut Rng) -> Option<(Self, &'static str)> {
        let drawn = dice.u16(0..1_000);
        let mut bound = 0;
        FAULTS.into_iter().find_map(|(of_a_thousand, fault, name)| {
            bound += of_a_thousand;
            (drawn < bound).then_some((fault, name))
        })
    }

    /// Whether the server does its work, and only its answer is lost.
    pub(crate) fn loses_the_answer(self) -> bool {
        matches!(self, Self::Truncated | Self::Half | Self::ResetProcessed)
    }

    /// The answer of something in front of the server, status and headers first.
    pub(crate) fn answer(self) -> (String, String) {
        match self {
            Self::Answer(status, body) => (status.into(), body.into()),
            Self::RetryInSeconds => ("429 Too Many Requests\r\nretry-after: 1".into(), HTML.into()),
            Self::RetryAtDate => {
                // A date has whole seconds, so this one is one to two of them away.
                let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2));
                (format!("429 Too Many Requests\r\nretry-after: {date}"), HTML.into())
            }
            _ => Default::default(),
        }
    }
}
