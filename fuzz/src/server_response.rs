//! An HTTP response as text, which is easy to write as a seed and to read after a crash.
//!
//! ```text
//! 429 stalls
//! retry-after: 7
//!
//! {"error": "temporarily_unavailable"}
//! ```
//!
//! Any bytes are a valid response. Lines that cannot be parsed are skipped.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::{Frame, SizeHint};
use tower_oauth2::ErrorKind;

use crate::Response;
use crate::form::{error_code, members};
use crate::secrets::Placeholders;

/// Splits the input at lines that contain only `%`.
pub fn sections(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(input);
    std::iter::from_fn(move || {
        let (section, after) = split(rest?, b"\n%\n");
        rest = (section.len() < rest?.len()).then_some(after);
        Some(section)
    })
}

#[derive(Clone, Debug)]
pub struct ServerResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub ending: Ending,
}

/// How the transfer of a response ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Complete,
    /// The connection fails during the body.
    Breaks,
    /// The rest of the body never arrives.
    Stalls,
    /// The body never ends.
    Endless,
    /// The size hint of the body is far too large.
    Huge,
    /// The connection cannot be established.
    Fails,
    /// The connection is established, but no response arrives.
    Silent,
}

impl ServerResponse {
    /// Parses a response, and drops its content codings, which only `compressed_response` tests.
    pub fn parse(text: &[u8]) -> Self {
        let mut response = Self::parse_encoded(text);
        response.headers.remove(CONTENT_ENCODING);
        response
    }

    /// Parses a response with its content codings.
    pub fn parse_encoded(text: &[u8]) -> Self {
        let (head, body) = split(text, b"\n\n");
        let (first, headers) = split(head, b"\n");
        let first = String::from_utf8_lossy(first);
        let mut words = first.split_ascii_whitespace();
        let mut next = words.next().unwrap_or_default();
        let status = next.parse().ok().and_then(|status| StatusCode::from_u16(status).ok());
        if status.is_some() {
            next = words.next().unwrap_or_default();
        }
        Self {
            status: status.unwrap_or_default(),
            headers: headers.split(|byte| *byte == b'\n').filter_map(header).collect(),
            body: Bytes::copy_from_slice(body),
            ending: Ending::parse(next),
        }
    }

    /// Returns whether this is the success of a token endpoint.
    pub fn is_success(&self) -> bool {
        self.status.is_success() && members(&self.body).is_none_or(|members| error_code(&members).is_none())
    }

    /// Replaces the placeholders of new secrets. A server puts none into an error response.
    pub fn with_new_secrets(self, values: &[(&str, &str)]) -> Self {
        let filled = |values: &[_]| Self { body: Placeholders(values).fill(&self.body).into(), ..self.clone() };
        let success = filled(values);
        match success.is_success() {
            true => success,
            false => filled(&values.iter().map(|(name, _)| (*name, "")).collect::<Vec<_>>()),
        }
    }

    /// Returns the result of the HTTP service.
    pub async fn deliver(self) -> io::Result<Response> {
        match self.ending {
            Ending::Fails => return Err(io::ErrorKind::ConnectionRefused.into()),
            Ending::Silent => std::future::pending().await,
            _ => {}
        }
        let mut response = Response::new(Body { text: Some(self.body), ending: self.ending });
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        Ok(response)
    }

    /// Returns the kind of the error if the ending or the status decides it; `None` if the body does.
    pub fn decided_kind(&self) -> Option<ErrorKind> {
        Some(match (self.status.as_u16(), self.ending) {
            (_, Ending::Fails) => ErrorKind::Transport,
            (_, Ending::Silent) => ErrorKind::Timeout,
            (300..=399, _) => ErrorKind::Redirected,
            // The status of an overloaded server takes precedence over its error code.
            (408 | 429 | 500..=599, _) => ErrorKind::Overloaded,
            (_, Ending::Breaks) => ErrorKind::Transport,
            (_, Ending::Stalls) => ErrorKind::Timeout,
            (_, Ending::Endless | Ending::Huge) => ErrorKind::Malformed,
            _ => return None,
        })
    }

    /// Returns whether the head of the response arrives.
    pub fn has_status(&self) -> bool {
        !matches!(self.ending, Ending::Fails | Ending::Silent)
    }

    pub fn is_complete(&self) -> bool {
        self.ending == Ending::Complete
    }
}

impl Ending {
    fn parse(word: &str) -> Self {
        match word {
            "breaks" => Self::Breaks,
            "stalls" => Self::Stalls,
            "endless" => Self::Endless,
            "huge" => Self::Huge,
            "fails" => Self::Fails,
            "silent" => Self::Silent,
            _ => Self::Complete,
        }
    }
}

fn split<'a>(text: &'a [u8], separator: &[u8]) -> (&'a [u8], &'a [u8]) {
    match text.windows(separator.len()).position(|window| window == separator) {
        Some(at) => (&text[..at], &text[at + separator.len()..]),
        None => (text, &[]),
    }
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) =
        (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(line[colon + 1..].trim_ascii()));
    name.ok().zip(value.ok())
}

#[derive(Debug)]
pub struct Body {
    text: Option<Bytes>,
    ending: Ending,
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match (self.text.take(), self.ending) {
            // Two frames, because a connection may split the body anywhere.
            (Some(mut text), Ending::Complete) if text.len() > 1 => {
                let piece = text.split_to(text.len() / 2);
                self.text = Some(text);
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            (Some(text), Ending::Endless) => {
                let much = Bytes::from([b" ", &*text].concat().repeat(1 + 65_536 / (1 + text.len())));
                self.text = Some(text);
                Poll::Ready(Some(Ok(Frame::data(much))))
            }
            (Some(text), _) => Poll::Ready(Some(Ok(Frame::data(text)))),
            (None, Ending::Breaks) => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
            (None, Ending::Stalls) => Poll::Pending,
            (None, _) => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::default();
        if self.ending == Ending::Huge {
            hint.set_lower(u64::MAX);
        }
        hint
    }
}
