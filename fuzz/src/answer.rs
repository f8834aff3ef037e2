//! An HTTP answer as text: a person can write it as a seed, and read it in a crash.
//!
//! ```text
//! 429 stalls
//! retry-after: 7
//!
//! {"error": "temporarily_unavailable"}
//! ```
//!
//! Any bytes are some answer. What cannot be read is left out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::{Frame, SizeHint};

use crate::Response;

/// What stands between lines that hold nothing but `%`.
pub fn sections(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(input);
    std::iter::from_fn(move || {
        let (section, after) = split(rest?, b"\n%\n");
        rest = (section.len() < rest?.len()).then_some(after);
        Some(section)
    })
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub ending: Ending,
}

/// How far an answer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Whole,
    /// The connection is lost in the body.
    Breaks,
    /// The rest of the body never comes.
    Stalls,
    /// The body goes on and on.
    Endless,
    /// The headers tell of a body that is far too long.
    Huge,
    /// There is no connection at all.
    Fails,
    /// There is a connection, and no answer.
    Silent,
}

impl Answer {
    pub fn read(text: &[u8]) -> Self {
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
            ending: Ending::read(next),
        }
    }

    /// What the service under the crate comes to.
    pub async fn sent(self) -> io::Result<Response> {
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

    pub fn is_whole(&self) -> bool {
        self.ending == Ending::Whole
    }
}

impl Ending {
    fn read(word: &str) -> Self {
        match word {
            "breaks" => Self::Breaks,
            "stalls" => Self::Stalls,
            "endless" => Self::Endless,
            "huge" => Self::Huge,
            "fails" => Self::Fails,
            "silent" => Self::Silent,
            _ => Self::Whole,
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
            // In pieces: a connection cuts where it likes.
            (Some(mut text), Ending::Whole) if text.len() > 1 => {
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
