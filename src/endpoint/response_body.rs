//! Returns a response with a complete and decoded body, or the error that describes why there is none.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};

use super::{classify, retry_after};
use crate::clock::Now;
use crate::error::{Error, ErrorKind};
use crate::transport::{self, DecodeError};

/// Decodes the body of a response that arrived at `now`. No error repeats one of the `secrets`, which the request contained.
pub(super) fn decoded(
    response: Response<Result<Bytes, Error>>,
    limit: usize,
    now: Now,
    secrets: &[&str],
) -> Result<Response<Bytes>, Error> {
    let (parts, body) = response.into_parts();
    let body = body.map_err(|why| error(parts.status, &parts.headers, now, why))?;
    let mut response = Response::from_parts(parts, body);
    match transport::decode_response(&mut response, limit) {
        Ok(()) => Ok(response),
        Err(why) => Err(error(response.status(), response.headers(), now, Error::malformed(text(why, secrets)))),
    }
}

/// Classifies a response without a usable body: its status is enough to recognize a redirect or an overloaded server.
fn error(status: StatusCode, headers: &HeaderMap, now: Now, why: Error) -> Error {
    let error = if status.is_redirection() {
        Error::caused_by(ErrorKind::Redirected, why)
    } else if classify::is_overloaded(status) {
        Error::caused_by(ErrorKind::Overloaded, why)
    } else {
        why
    };
    error.with_status(status).with_retry_after_header(retry_after::parse(headers, now))
}

fn text(why: DecodeError, secrets: &[&str]) -> String {
    match why {
        DecodeError::Unknown(name) if is_printable(&name, secrets) => {
            format!("its body has the content coding `{name}`, which is unknown and was not requested")
        }
        DecodeError::Unknown(_) => "its body has an unknown content coding, which was not requested".to_owned(),
        #[cfg(not(feature = "decompression"))]
        DecodeError::NoDecoder(coding) => format!(
            "its body has the content coding `{}`, which was not requested; the feature `decompression` can decode it",
            coding.name()
        ),
        DecodeError::TooMany => "its body has too many content codings".to_owned(),
        #[cfg(feature = "decompression")]
        DecodeError::TooLong(limit) => format!("its body, decoded, is longer than {limit} bytes"),
        #[cfg(feature = "decompression")]
        DecodeError::Broken(coding) => {
            format!("its body is truncated, or is not `{}`, which its `Content-Encoding` names", coding.name())
        }
    }
}

/// Returns whether the name may be printed: a short token (RFC 9110 §5.6.2) that repeats no secret.
fn is_printable(name: &str, secrets: &[&str]) -> bool {
    name.len() <= 32
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && !secrets.iter().any(|secret| !secret.is_empty() && name.contains(secret))
}
